//! Rows that are changed, or inserted if they are not there.

use std::sync::Arc;

use optlock::prelude::*;
use optlock::{Error, Fault, Policy, Report};
use sea_orm::{IsolationLevel, TransactionTrait};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::line::gated;
use super::{QUICK, block_on, meanwhile, reads, writes};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};

cases![
    what_others_write_meanwhile_in_the_same_transaction_stays,
    a_row_that_is_not_there_is_inserted_as_it_is,
    a_row_that_is_there_is_changed,
    a_new_row_with_another_key_is_refused_before_any_write,
    of_sixteen_racing_callers_one_inserts,
    of_sixteen_racing_transactions_one_inserts,
    a_row_that_is_inserted_meanwhile_is_changed,
    another_constraint_of_the_new_row_is_its_error,
    another_constraint_of_the_new_row_is_its_error_in_a_transaction,
    another_constraint_of_a_change_is_its_error_at_once,
    a_row_that_is_deleted_meanwhile_is_inserted_again,
    a_row_is_inserted_under_the_lock_too,
    in_a_transaction_a_row_is_inserted_or_changed,
    a_row_that_the_transaction_inserts_meanwhile_is_changed,
    an_error_after_the_insert_is_reported_in_a_transaction,
    what_else_is_wrong_with_the_new_row_is_its_error_at_once_in_a_transaction;
    SERVERS: a_row_that_a_rival_commits_meanwhile_is_changed_in_a_transaction,
    a_row_that_a_rival_inserts_after_the_look_is_changed_in_a_transaction;
];

fn new(name: &str) -> item::ActiveModel {
    item::ActiveModel {
        name: Set(name.to_owned()),
        qty: Set(1),
        ..Default::default()
    }
}

async fn a_row_that_is_not_there_is_inserted_as_it_is(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let mut calls = 0;
    let row = item::Entity::modify_or_insert(&context.db, 8, || new("new"), |_| calls += 1).await?;
    let sent = context.take_statements();
    assert_eq!((row.id, row.qty, row.version, calls), (8, 1, 1, 0));
    assert_eq!(writes(&sent).len(), 1, "{sent:?}");
    assert!(
        sent[0].starts_with("SELECT") && sent[1].starts_with("INSERT"),
        "{sent:?}"
    );
    assert_eq!(stored(&context, 8).await?, ("new".to_owned(), 1, 1));

    // It may say the key itself.
    let keyed = || item::ActiveModel {
        id: Set(9),
        ..new("keyed")
    };
    assert_eq!(
        item::Entity::modify_or_insert(&context.db, 9, keyed, |_| ()).await?.id,
        9
    );
    Ok(())
}

async fn a_row_that_is_there_is_changed(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let mut count = 0;
    let make = || {
        count += 1;
        new("new")
    };
    let row = item::Entity::modify_or_insert(&context.db, 1, make, |row| row.qty += 1).await?;
    let sent = context.take_statements();
    assert_eq!((row.name.as_str(), row.qty, row.version, count), ("a", 11, 2, 0));
    assert_eq!((sent.len(), reads(&sent)), (2, 1), "{sent:?}");
    Ok(())
}

async fn a_new_row_with_another_key_is_refused_before_any_write(context: Context) -> Outcome {
    item::create(&context).await?;
    let other = || item::ActiveModel {
        id: Set(9),
        ..new("other")
    };
    context.take_statements();
    let err = item::Entity::modify_or_insert(&context.db, 8, other, |_| ())
        .await
        .unwrap_err();
    assert!(matches!(err, Error::Unsupported(_)), "{err:?}");
    let txn = context.db.begin().await?;
    let err = item::Entity::modify_or_insert(&txn, 8, other, |_| ())
        .await
        .unwrap_err();
    assert!(matches!(err, Error::Unsupported(_)), "{err:?}");
    // The transaction goes on.
    item::Entity::find_by_id(1).one(&txn).await?;
    txn.commit().await?;
    assert_eq!(writes(&context.take_statements()), [""; 0]);
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 3);
    Ok(())
}

async fn of_sixteen_racing_callers_one_inserts(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(context.backend.pick(4, 16, 16)).await?;
    for id in context.backend.pick(400..404, 410..414, 420..424) {
        let start = Arc::new(Barrier::new(16));
        let mut tasks = JoinSet::new();
        for _ in 0..16 {
            let (db, start) = (db.clone(), Arc::clone(&start));
            tasks.spawn(async move {
                start.wait().await;
                let make = || new(&format!("new {id}"));
                item::Entity::modify_or_insert(&db, id, make, |row| row.qty += 1).await
            });
        }
        let mut versions = Vec::new();
        while let Some(row) = tasks.join_next().await {
            versions.push(row??.version);
        }
        versions.sort_unstable();
        assert!(versions.into_iter().eq(1..=16), "one insert, and fifteen changes");
        assert_eq!(stored(&context, id).await?, (format!("new {id}"), 16, 16));
    }
    Ok(())
}

async fn of_sixteen_racing_transactions_one_inserts(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(context.backend.pick(4, 16, 16)).await?;
    let start = Arc::new(Barrier::new(16));
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let (db, start) = (db.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            let work = |txn| async move {
                let row = item::Entity::modify_or_insert(&txn, 8, || new("new"), |row| row.qty += 1).await?;
                Ok::<_, Error>(row.version)
            };
            // On MariaDB two that find nothing lock the gap, and then meet in a deadlock: as often as there are others.
            let policy = QUICK.attempts(50).without_deadline();
            let patient = policy.backoff_on(Fault::Deadlock, optlock::Backoff::none(), 50);
            patient.transaction(&db, work).await
        });
    }
    let mut versions = Vec::new();
    while let Some(version) = tasks.join_next().await {
        versions.push(version??);
    }
    versions.sort_unstable();
    assert!(
        versions.iter().copied().eq(1..=16),
        "one insert, and fifteen changes: {versions:?}"
    );
    assert_eq!(stored(&context, 8).await?, ("new".to_owned(), 16, 16));
    Ok(())
}

async fn a_row_that_is_inserted_meanwhile_is_changed(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut count = 0;
    let report = Report::new();
    let make = || {
        count += 1;
        meanwhile(
            &context,
            "INSERT INTO item (id, name, qty, version) VALUES (8, 'theirs', 50, 3)",
        );
        new("ours")
    };
    let row = QUICK
        .report(&report)
        .modify_or_insert(item::Entity, &context.db, 8, make, |row| row.qty += 1)
        .await?;
    assert_eq!((row.name.as_str(), row.qty, row.version), ("theirs", 51, 4));
    assert_eq!((count, report.attempts(), report.fault()), (1, 2, Some(Fault::Stale)));
    Ok(())
}

async fn another_constraint_of_the_new_row_is_its_error(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let mut calls = 0;
    let err = item::Entity::modify_or_insert(&context.db, 8, || new("a"), |_| calls += 1)
        .await
        .unwrap_err();
    assert!(
        matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))),
        "{err:?}"
    );
    let sent = context.take_statements();
    assert!(writes(&sent).len() <= 2, "once more to be sure, and no more: {sent:?}");
    assert_eq!(calls, 0);
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 3);
    Ok(())
}

async fn another_constraint_of_the_new_row_is_its_error_in_a_transaction(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    let err = item::Entity::modify_or_insert(&txn, 8, || new("a"), |_| ())
        .await
        .unwrap_err();
    assert!(
        matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))),
        "the constraint is the error, and not {err:?}"
    );
    txn.rollback().await?;
    Ok(())
}

/// The row is there: it was not taken by anybody.
async fn another_constraint_of_a_change_is_its_error_at_once(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut calls = 0;
    let change = |row: &mut item::Model| {
        calls += 1;
        "b".clone_into(&mut row.name);
    };
    let result = item::Entity::modify_or_insert(&context.db, 1, || new("new"), change).await;
    assert_eq!(result.unwrap_err().fault(), Some(Fault::Unique));
    assert_eq!(calls, 1, "nothing else would come of another attempt");
    Ok(())
}

async fn a_row_that_is_deleted_meanwhile_is_inserted_again(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut calls = 0;
    let change = |row: &mut item::Model| {
        calls += 1;
        meanwhile(&context, "DELETE FROM item WHERE id = 1");
        row.qty += 1;
    };
    let row = QUICK
        .modify_or_insert(item::Entity, &context.db, 1, || new("again"), change)
        .await?;
    assert_eq!((row.name.as_str(), row.qty, row.version, calls), ("again", 1, 1, 1));
    Ok(())
}

async fn a_row_is_inserted_under_the_lock_too(context: Context) -> Outcome {
    item::create(&context).await?;
    let policy = QUICK.lock_after(0);
    for qty in [1, 2] {
        let row = policy
            .modify_or_insert(item::Entity, &context.db, 8, || new("new"), |row| row.qty += 1)
            .await?;
        assert_eq!((row.qty, row.version), (qty, qty));
    }
    Ok(())
}

async fn in_a_transaction_a_row_is_inserted_or_changed(context: Context) -> Outcome {
    item::create(&context).await?;
    let work = |txn: optlock::Txn| async move {
        item::Entity::modify_or_insert(&txn, 8, || new("new"), |row| row.qty += 1).await?;
        let savepoint = txn.begin().await?;
        item::Entity::modify_or_insert(&savepoint, 8, || new("new"), |row| row.qty += 1).await?;
        item::Entity::modify_or_insert(&savepoint, 9, || new("lost"), |_| ()).await?;
        sea_orm::TransactionSession::rollback(savepoint).await?;
        item::Entity::modify_or_insert(&txn, 8, || new("new"), |row| row.qty += 10).await
    };
    let row = optlock::transaction(&context.db, work).await?;
    assert_eq!((row.qty, row.version), (11, 2));
    assert_eq!(stored(&context, 8).await?, ("new".to_owned(), 11, 2));
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 4);
    Ok(())
}

/// The rival has inserted the row and not yet committed: our insert waits for that, and is then refused.
async fn a_row_that_a_rival_commits_meanwhile_is_changed_in_a_transaction(context: Context) -> Outcome {
    item::create(&context).await?;
    let rival = context.other.begin().await?;
    rival
        .execute_unprepared("INSERT INTO item (id, name, qty, version) VALUES (8, 'theirs', 50, 3)")
        .await?;
    let waiting = tokio::spawn({
        let db = context.db.clone();
        async move {
            let txn = db.begin().await?;
            let row = item::Entity::modify_or_insert(&txn, 8, || new("ours"), |row| row.qty += 1).await?;
            txn.commit().await?;
            Ok::<_, Error>(row)
        }
    });
    crate::wait::until_blocked(&context).await?;
    rival.commit().await?;
    let row = waiting.await??;
    assert_eq!((row.name.as_str(), row.qty, row.version), ("theirs", 51, 4));
    Ok(())
}

/// Two calls on one handle, polled side by side, the first of which another constraint refuses.
async fn what_others_write_meanwhile_in_the_same_transaction_stays(context: Context) -> Outcome {
    item::create(&context).await?;
    let (taken, written) = Policy::new()
        .transaction(&context.db, |txn| async move {
            let new = || item::ActiveModel {
                name: Set("a".to_owned()),
                qty: Set(1),
                ..Default::default()
            };
            Ok::<_, Error>(tokio::join!(
                Box::pin(item::Entity::modify_or_insert(&txn, 9, new, |_| ())),
                Box::pin(item::Entity::modify(&txn, 2, |row| row.qty = 777)),
            ))
        })
        .await
        .unwrap_or_else(|err| (Err(err.clone()), Err(err)));
    assert_eq!(optlock::fault(&taken.unwrap_err()), Fault::Unique);
    let qty = context.number("SELECT qty FROM item WHERE id = 2").await?;
    assert_eq!(qty, if written.is_ok() { 777 } else { 20 });
    assert_eq!(written.is_ok(), context.backend.expected().survives_errors);
    Ok(())
}

/// By whoever else has the handle, between the look and the insert.
async fn a_row_that_the_transaction_inserts_meanwhile_is_changed(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    let make = || {
        let theirs = "INSERT INTO item (id, name, qty, version) VALUES (8, 'theirs', 50, 3)";
        block_on(txn.execute_unprepared(theirs)).unwrap();
        new("ours")
    };
    let row = item::Entity::modify_or_insert(&txn, 8, make, |row| row.qty += 1).await?;
    txn.commit().await?;
    assert_eq!((row.name.as_str(), row.qty, row.version), ("theirs", 51, 4));
    assert_eq!(stored(&context, 8).await?, ("theirs".to_owned(), 51, 4));
    Ok(())
}

/// At a level at which a look at nothing keeps nobody from inserting.
async fn a_row_that_a_rival_inserts_after_the_look_is_changed_in_a_transaction(context: Context) -> Outcome {
    item::create(&context).await?;
    let level = Some(IsolationLevel::ReadCommitted);
    let txn = context.db.begin_with_config(level, None).await?;
    let make = || {
        meanwhile(
            &context,
            "INSERT INTO item (id, name, qty, version) VALUES (8, 'theirs', 50, 3)",
        );
        new("ours")
    };
    let row = item::Entity::modify_or_insert(&txn, 8, make, |row| row.qty += 1).await?;
    txn.commit().await?;
    assert_eq!((row.name.as_str(), row.qty, row.version), ("theirs", 51, 4));
    assert_eq!(stored(&context, 8).await?, ("theirs".to_owned(), 51, 4));
    Ok(())
}

/// The row is there by then: the caller's own, and nobody's to be changed.
async fn an_error_after_the_insert_is_reported_in_a_transaction(context: Context) -> Outcome {
    context.create(gated::Entity).await?;
    for (qty, fault) in [
        (gated::REFUSED_LATE, Fault::Other),
        (gated::INSERTED_TWICE, Fault::Unique),
    ] {
        let make = || gated::ActiveModel {
            qty: Set(qty),
            ..Default::default()
        };
        let txn = context.db.begin().await?;
        let mut calls = 0;
        let change = |row: &mut gated::Model| {
            calls += 1;
            row.qty = 1;
        };
        let result = gated::Entity::modify_or_insert(&txn, 8, make, change).await;
        txn.rollback().await?;
        assert_eq!(optlock::fault(&result.unwrap_err()), fault);
        assert_eq!(calls, 0);
    }
    Ok(())
}

async fn what_else_is_wrong_with_the_new_row_is_its_error_at_once_in_a_transaction(context: Context) -> Outcome {
    item::create(&context).await?;
    let nameless = || item::ActiveModel {
        name: NotSet,
        ..new("")
    };
    let txn = context.db.begin().await?;
    context.take_statements();
    let err = item::Entity::modify_or_insert(&txn, 8, nameless, |_| ())
        .await
        .unwrap_err();
    txn.rollback().await?;
    assert_eq!(err.fault(), Some(Fault::NotNull), "{err:?}");
    let sent = context.take_statements();
    assert_eq!((reads(&sent), writes(&sent).len()), (1, 1), "{sent:?}");
    Ok(())
}
