//! Several rows as one change.

use std::sync::Arc;

use optlock::prelude::*;
use optlock::{Error, Fault, Found, Policy, Report};
use sea_orm::TransactionTrait;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::line::gated;
use super::{QUICK, ShopError, assigned, is_held, writes};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};

cases![
    rows_come_back_in_the_order_of_the_caller_each_once,
    keys_without_a_row_are_named_and_nothing_is_changed,
    a_refusal_of_one_row_leaves_all_as_they_were,
    a_version_that_is_changed_in_one_row_leaves_all_as_they_were,
    a_constraint_of_one_row_leaves_all_as_they_were,
    all_rows_are_held_and_only_those_that_change_are_written,
    rows_that_change_are_written_in_one_statement,
    a_row_whose_change_a_hook_takes_back_is_not_written,
    no_keys_need_no_connection,
    crossing_orders_never_meet_in_a_deadlock,
    in_a_transaction_rows_are_changed_with_it;
    SERVERS: whoever_holds_a_row_is_waited_for;
    SQLITE: a_row_that_a_trigger_holds_back_leaves_all_as_they_were;
    POSTGRES: a_row_that_a_trigger_holds_back_leaves_all_as_they_were;
];

#[allow(clippy::unnecessary_wraps, reason = "a closure that may refuse")]
fn add_one(row: &mut item::Model) -> Result<(), Error> {
    row.qty += 1;
    Ok(())
}

async fn is_unchanged(context: &Context) -> Outcome {
    for (id, name, qty) in [(1, "a", 10), (2, "b", 20), (3, "c", 30)] {
        assert_eq!(stored(context, id).await?, (name.to_owned(), qty, 1));
    }
    Ok(())
}

async fn rows_come_back_in_the_order_of_the_caller_each_once(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut calls = Vec::new();
    let rows = item::Entity::try_modify_all(&context.db, [3, 1, 3, 2, 1], |row| {
        calls.push(row.id);
        row.qty += row.id;
        Ok::<_, Error>(())
    })
    .await?;
    let rows: Vec<_> = rows.iter().map(|row| (row.id, row.qty, row.version)).collect();
    assert_eq!(rows, [(3, 33, 2), (1, 11, 2), (2, 22, 2)]);
    calls.sort_unstable();
    assert_eq!(calls, [1, 2, 3]);
    for (id, qty, version) in rows {
        let row = stored(&context, id).await?;
        assert_eq!((row.1, row.2), (qty, version));
    }
    Ok(())
}

async fn keys_without_a_row_are_named_and_nothing_is_changed(context: Context) -> Outcome {
    item::create(&context).await?;
    let report = Report::new();
    let mut calls = 0;
    let err = Policy::new()
        .report(&report)
        .try_modify_all(item::Entity, &context.db, [1, 99, 2, 98], |row| {
            calls += 1;
            add_one(row)
        })
        .await
        .unwrap_err();
    let Error::MissingRows(missing) = err else {
        panic!("{err:?}");
    };
    let keys: Vec<_> = missing.missing().iter().map(ToString::to_string).collect();
    assert_eq!(
        (keys, missing.wanted(), missing.found()),
        (vec!["99".into(), "98".into()], 4, 2)
    );
    assert_eq!((calls, report.attempts()), (0, 1));
    is_unchanged(&context).await
}

async fn a_refusal_of_one_row_leaves_all_as_they_were(context: Context) -> Outcome {
    item::create(&context).await?;
    let report = Report::new();
    let mut calls = 0;
    let result = Policy::new()
        .report(&report)
        .try_modify_all(item::Entity, &context.db, [1, 2, 3], |row| {
            calls += 1;
            if calls == 3 {
                return Err(ShopError::SoldOut(row.qty));
            }
            row.qty += 1;
            Ok(())
        })
        .await;
    assert!(matches!(result, Err(ShopError::SoldOut(30))), "{result:?}");
    assert_eq!((calls, report.attempts()), (3, 1));
    is_unchanged(&context).await
}

async fn a_version_that_is_changed_in_one_row_leaves_all_as_they_were(context: Context) -> Outcome {
    item::create(&context).await?;
    let result = item::Entity::try_modify_all(&context.db, [1, 2], |row| {
        row.qty += 1;
        row.version += i64::from(row.id == 2);
        Ok::<_, Error>(())
    });
    assert!(matches!(result.await, Err(Error::VersionAssigned(_))));
    let result = item::Entity::try_modify_all(&context.db, [1, 2], |row| {
        row.qty += 1;
        row.id += row.id / 2 * 10;
        Ok::<_, Error>(())
    });
    assert!(matches!(result.await, Err(Error::Unsupported(_))));
    is_unchanged(&context).await
}

async fn a_constraint_of_one_row_leaves_all_as_they_were(context: Context) -> Outcome {
    item::create(&context).await?;
    let report = Report::new();
    let result = QUICK
        .report(&report)
        .try_modify_all(item::Entity, &context.db, [1, 2], |row| {
            if row.id == 2 {
                "c".clone_into(&mut row.name);
            }
            add_one(row)
        })
        .await;
    assert_eq!(result.unwrap_err().fault(), Some(Fault::Unique));
    assert_eq!(report.attempts(), 1);
    is_unchanged(&context).await
}

async fn all_rows_are_held_and_only_those_that_change_are_written(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let mut held = Vec::new();
    let rows = item::Entity::try_modify_all(&context.db, [2, 1, 3], |row| {
        held.push((1..=3).all(|id| is_held(&context, id)));
        row.qty += i64::from(row.id == 1);
        Ok::<_, Error>(())
    })
    .await?;
    assert_eq!(held, [true; 3]);
    assert_eq!(rows.iter().map(|row| row.version).collect::<Vec<_>>(), [1, 2, 1]);
    let sent = context.take_statements();
    let written = writes(&sent);
    assert_eq!(written.len(), 1, "{sent:?}");
    assert_eq!(assigned(written[0]), ["qty", "version"]);
    assert!(!is_held(&context, 1));
    Ok(())
}

/// The documentation says: no keys, no SQL. So it works where there is no connection to be had.
async fn no_keys_need_no_connection(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect_impatiently(1).await?;
    let busy = db.begin().await?;
    let none: [i64; 0] = [];
    assert!(item::Entity::try_modify_all(&busy, none, add_one).await?.is_empty());
    let result = item::Entity::try_modify_all(&db, none, add_one).await;
    assert!(matches!(&result, Ok(rows) if rows.is_empty()), "{result:?}");
    Ok(())
}

async fn crossing_orders_never_meet_in_a_deadlock(context: Context) -> Outcome {
    const TASKS: i64 = 8;
    const ROUNDS: i64 = 10;

    item::create(&context).await?;
    let db = context.connect(context.backend.pick(4, 8, 8)).await?;
    let start = Arc::new(Barrier::new(8));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (db, start) = (db.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            let keys = if task % 2 == 0 { [1, 2, 3] } else { [3, 2, 1] };
            let mut faults = Vec::new();
            for _ in 0..ROUNDS {
                let report = Report::new();
                let policy = Policy::new().without_deadline().report(&report);
                policy.try_modify_all(item::Entity, &db, keys, add_one).await?;
                faults.extend(report.fault());
            }
            Ok::<_, Error>(faults)
        });
    }
    let mut faults = Vec::new();
    while let Some(result) = tasks.join_next().await {
        faults.extend(result??);
    }
    assert!(!faults.contains(&Fault::Deadlock), "{faults:?}");
    for (id, qty) in [(1, 10), (2, 20), (3, 30)] {
        let row = stored(&context, id).await?;
        assert_eq!((row.1, row.2), (qty + TASKS * ROUNDS, 1 + TASKS * ROUNDS));
    }
    Ok(())
}

async fn in_a_transaction_rows_are_changed_with_it(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    let rows = item::Entity::try_modify_all(&txn, [2, 1], add_one).await?;
    assert_eq!(rows.iter().map(|row| row.qty).collect::<Vec<_>>(), [21, 11]);
    txn.rollback().await?;
    is_unchanged(&context).await?;

    let result = optlock::transaction(&context.db, |txn| async move {
        item::Entity::try_modify_all(&txn, [2, 1], add_one).await?;
        // Who goes on after an error of one row has what was written before it.
        let refused = item::Entity::try_modify_all(&txn, [3, 99], add_one).await;
        assert!(matches!(refused, Err(Error::MissingRows(_))), "{refused:?}");
        item::Entity::try_modify_all(&txn, [1, 3], add_one).await
    });
    let rows = result.await?;
    assert_eq!(
        rows.iter().map(|row| (row.qty, row.version)).collect::<Vec<_>>(),
        [(12, 3), (31, 2)]
    );
    Ok(())
}

async fn whoever_holds_a_row_is_waited_for(context: Context) -> Outcome {
    item::create(&context).await?;
    let rival = context.other.begin().await?;
    rival
        .execute_unprepared("UPDATE item SET qty = 99, version = 2 WHERE id = 2")
        .await?;
    let waiting = tokio::spawn({
        let db = context.db.clone();
        async move { item::Entity::try_modify_all(&db, [1, 2], add_one).await }
    });
    crate::wait::until_blocked(&context).await?;
    rival.commit().await?;
    let rows = waiting.await??;
    assert_eq!(
        rows.iter().map(|row| (row.qty, row.version)).collect::<Vec<_>>(),
        [(11, 2), (100, 3)]
    );
    Ok(())
}

async fn rows_that_change_are_written_in_one_statement(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let rows = item::Entity::modify_all(&context.db, [3, 1, 2], |row| row.qty += 1).await?;
    assert_eq!(rows.iter().map(|row| row.qty).collect::<Vec<_>>(), [31, 11, 21]);
    assert_eq!(writes(&context.take_statements()).len(), 1);
    Ok(())
}

async fn a_row_that_a_trigger_holds_back_leaves_all_as_they_were(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql(context.backend.pick(
            "CREATE TRIGGER guard BEFORE UPDATE ON item WHEN NEW.id = 2 BEGIN SELECT RAISE(IGNORE); END",
            "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END';
             CREATE TRIGGER guard BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION guard()",
            "",
        ))
        .await?;
    let err = item::Entity::modify_all(&context.db, [1, 2, 3], |row| row.qty += 1)
        .await
        .unwrap_err();
    let conflict = err.conflict().ok_or_else(|| format!("{err:?}"))?;
    assert_eq!(
        (conflict.found(), conflict.key().to_string()),
        (&Found::Blocked, "2".to_owned())
    );
    is_unchanged(&context).await
}

async fn a_row_whose_change_a_hook_takes_back_is_not_written(context: Context) -> Outcome {
    context.create(gated::Entity).await?;
    context
        .sql("INSERT INTO gated VALUES (1, 10, 1), (2, 20, 1), (3, 30, 1)")
        .await?;
    context.sql("CREATE TABLE audit (id BIGINT NOT NULL)").await?;
    let insert = "INSERT INTO audit VALUES (NEW.id)";
    let sql = context.backend.pick(
        format!("CREATE TRIGGER audits AFTER UPDATE ON gated BEGIN {insert}; END"),
        format!(
            "CREATE FUNCTION audits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert}; RETURN NULL; END $$; \
             CREATE TRIGGER audits AFTER UPDATE ON gated FOR EACH ROW EXECUTE FUNCTION audits()"
        ),
        format!("CREATE TRIGGER audits AFTER UPDATE ON gated FOR EACH ROW {insert}"),
    );
    context.sql(&sql).await?;
    let rows = gated::Entity::modify_all(&context.db, [1, 2, 3], |row| {
        row.qty = if row.id == 2 { gated::TAKEN_BACK } else { row.qty + 1 };
    })
    .await?;
    assert_eq!(
        rows.iter().map(|row| (row.qty, row.version)).collect::<Vec<_>>(),
        [(11, 2), (20, 1), (31, 2)]
    );
    assert_eq!(gated::stored(&context, 2).await?, (20, 1));
    assert_eq!(context.number("SELECT COUNT(*) FROM audit").await?, 2);
    assert_eq!(context.number("SELECT COUNT(*) FROM audit WHERE id = 2").await?, 0);
    Ok(())
}
