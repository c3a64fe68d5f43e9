//! Callers who store together what they have changed.

pub(crate) mod dropped;
pub(crate) mod failure;
pub(crate) mod rivals;
pub(crate) mod versions;

use std::sync::Arc;

use optlock::prelude::*;
use optlock::{Error, Policy, Report};
use sea_orm::TransactionTrait;
use tokio::sync::Barrier;

use super::line::{COMBINED, Call, Gate, calls, ends, gated, go, in_time, line_up, own_row, pair};
use super::{ShopError, reads, writes};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::hooked::{self, checked, take_calls};
use crate::entity::item::{self, stored};

cases![
    those_who_wait_are_stored_with_one_write,
    sixty_four_tasks_lose_nothing_and_write_seldom,
    a_caller_alone_reads_and_writes,
    nobody_is_answered_before_the_write,
    those_who_refuse_are_left_out,
    those_who_change_nothing_have_no_part,
    changes_that_undo_each_other_advance_the_version,
    sixteen_tasks_insert_one_row,
    models_in_hand_are_combined,
    hooks_run_once_for_the_write,
    a_trigger_sees_one_update;
    SERVERS:
    nobody_is_answered_while_the_row_is_locked;
];

/// A policy that stores with others, without a line in which nothing moves.
fn increments(context: &Context, id: i64, count: usize) -> Vec<Call<(Result<item::Model, Error>, u32)>> {
    calls(count, |_| {
        let db = context.db.clone();
        async move {
            let report = Report::new();
            let policy = COMBINED.report(&report);
            let row = policy.modify(item::Entity, &db, id, |row| row.qty += 1).await;
            (row, report.attempts())
        }
    })
}

async fn those_who_wait_are_stored_with_one_write(context: Context) -> Outcome {
    let id = own_row(&context, 1_000, 0).await?;
    context.take_statements();
    let mut lined_up = increments(&context, id, 64);
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    for (place, (row, attempts)) in (1..).zip(ends(go(lined_up)).await?) {
        assert_eq!((pair(row)?, attempts), ((place, place + 1), 1));
    }
    let sent = context.take_statements();
    assert_eq!((reads(&sent), writes(&sent).len(), sent.len()), (1, 1, 2), "{sent:?}");
    let row = stored(&context, id).await?;
    assert_eq!((row.1, row.2), (64, 65));
    Ok(())
}

async fn sixty_four_tasks_lose_nothing_and_write_seldom(context: Context) -> Outcome {
    let id = own_row(&context, 1_003, 0).await?;
    let start = Arc::new(Barrier::new(64));
    context.take_statements();
    let racing = calls(64, |_| {
        let (db, start) = (context.db.clone(), Arc::clone(&start));
        async move {
            start.wait().await;
            let (mut rows, report) = (Vec::new(), Report::new());
            for _ in 0..5 {
                let policy = Policy::new().without_deadline().combine().report(&report);
                rows.push(policy.modify(item::Entity, &db, id, |row| row.qty += 1).await?);
                assert_eq!((report.attempts(), report.stop()), (1, None));
            }
            assert!(rows.is_sorted_by_key(|row| row.version));
            Ok::<_, Error>(rows)
        }
    });
    let mut versions = Vec::new();
    for rows in ends(go(racing)).await? {
        for row in rows? {
            assert_eq!(row.qty + 1, row.version, "what is returned is the caller's own");
            versions.push(row.version);
        }
    }
    versions.sort_unstable();
    assert!(versions.into_iter().eq(2..=321), "the versions have a gap");
    let row = stored(&context, id).await?;
    assert_eq!((row.1, row.2), (320, 321));
    let written = writes(&context.take_statements()).len();
    assert!(written <= 160, "{written} writes for 320 changes");
    Ok(())
}

async fn a_caller_alone_reads_and_writes(context: Context) -> Outcome {
    let id = own_row(&context, 1_006, 0).await?;
    context.take_statements();
    let row = COMBINED.modify(item::Entity, &context.db, id, |row| row.qty += 1).await;
    assert_eq!(pair(row)?, (1, 2));
    let sent = context.take_statements();
    assert_eq!((reads(&sent), writes(&sent).len(), sent.len()), (1, 1, 2), "{sent:?}");
    let refused = COMBINED.try_modify(item::Entity, &context.db, id, |row| Err(ShopError::SoldOut(row.qty)));
    assert!(matches!(refused.await, Err(ShopError::SoldOut(1))));
    let row = COMBINED.modify(item::Entity, &context.db, id, |_| ()).await;
    assert_eq!(pair(row)?, (1, 2));
    let sent = context.take_statements();
    assert_eq!((reads(&sent), sent.len()), (2, 2), "{sent:?}");
    Ok(())
}

async fn nobody_is_answered_before_the_write(context: Context) -> Outcome {
    let id = gated::create(&context, 1_009, 0).await?;
    let (before, after) = (Gate::at(id), Gate::at(-id));
    let mut lined_up = calls(8, |_| {
        let db = context.db.clone();
        async move { COMBINED.modify(gated::Entity, &db, id, |row| row.qty += 1).await }
    });
    line_up(gated::Entity, &context.db, id, &mut lined_up).await?;
    let tasks = go(lined_up);
    before.reached().await?;
    assert_eq!(gated::stored(&context, id).await?, (0, 1));
    assert!(
        tasks.iter().all(|task| !task.is_finished()),
        "somebody was answered ahead of the write"
    );
    before.open();
    after.reached().await?;
    assert_eq!(gated::stored(&context, id).await?, (8, 9));
    assert!(tasks.iter().all(|task| !task.is_finished()), "`after_save` is not over");
    after.open();
    for (place, row) in (1..).zip(ends(tasks).await?) {
        let row = row?;
        assert_eq!((row.qty, row.version), (place, place + 1));
    }
    Ok(())
}

async fn nobody_is_answered_while_the_row_is_locked(context: Context) -> Outcome {
    let id = own_row(&context, 1_012, 0).await?;
    let rival = context.other.begin().await?;
    let lock = format!("SELECT id FROM item WHERE id = {id} FOR UPDATE");
    rival.execute_unprepared(&lock).await?;
    let mut lined_up = increments(&context, id, 16);
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    let tasks = go(lined_up);
    crate::wait::until_blocked(&context).await?;
    assert_eq!(stored(&context, id).await?.1, 0);
    assert!(
        tasks.iter().all(|task| !task.is_finished()),
        "somebody was answered ahead of the write"
    );
    rival.commit().await?;
    for (place, (row, _)) in (1..).zip(ends(tasks).await?) {
        assert_eq!(pair(row)?, (place, place + 1));
    }
    Ok(())
}

async fn those_who_refuse_are_left_out(context: Context) -> Outcome {
    let id = own_row(&context, 1_015, 10).await?;
    context.take_statements();
    let mut lined_up = calls(16, |_| {
        let db = context.db.clone();
        async move {
            let report = Report::new();
            let buy = |row: &mut item::Model| {
                row.qty -= 1;
                if row.qty < 0 {
                    return Err(ShopError::SoldOut(row.qty + 1));
                }
                Ok(())
            };
            let row = COMBINED.report(&report).try_modify(item::Entity, &db, id, buy).await;
            (row, report.attempts(), report.stop())
        }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    for (place, (row, attempts, stop)) in (1..).zip(ends(go(lined_up)).await?) {
        assert_eq!(attempts, 1);
        match row {
            Ok(row) => assert_eq!((row.qty, row.version, stop), (10 - place, 1 + place, None)),
            Err(ShopError::SoldOut(0)) => assert!(place > 10 && stop == Some(optlock::Stop::Fault)),
            Err(err) => return Err(err.into()),
        }
    }
    assert_eq!(writes(&context.take_statements()).len(), 1);
    let row = stored(&context, id).await?;
    assert_eq!((row.1, row.2), (0, 11));
    Ok(())
}

async fn those_who_change_nothing_have_no_part(context: Context) -> Outcome {
    let id = own_row(&context, 1_018, 0).await?;
    let mut lined_up = calls(6, |place| {
        let db = context.db.clone();
        async move {
            let change = move |row: &mut item::Model| row.qty += i64::from(place % 2 == 1);
            COMBINED.modify(item::Entity, &db, id, change).await
        }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    let rows: Vec<_> = ends(go(lined_up))
        .await?
        .into_iter()
        .map(pair)
        .collect::<Result<_, _>>()?;
    assert_eq!(rows, [(0, 1), (1, 2), (1, 2), (2, 3), (2, 3), (3, 4)]);
    let row = stored(&context, id).await?;
    assert_eq!((row.1, row.2), (3, 4));
    Ok(())
}

async fn changes_that_undo_each_other_advance_the_version(context: Context) -> Outcome {
    let id = own_row(&context, 1_021, 0).await?;
    context.take_statements();
    let mut lined_up = calls(4, |place| {
        let db = context.db.clone();
        async move {
            let change = move |row: &mut item::Model| row.qty += if place % 2 == 0 { 1 } else { -1 };
            COMBINED.modify(item::Entity, &db, id, change).await
        }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    let rows: Vec<_> = ends(go(lined_up))
        .await?
        .into_iter()
        .map(pair)
        .collect::<Result<_, _>>()?;
    assert_eq!(rows, [(1, 2), (0, 3), (1, 4), (0, 5)]);
    assert_eq!(writes(&context.take_statements()).len(), 1);
    let row = stored(&context, id).await?;
    assert_eq!((row.1, row.2), (0, 5));
    Ok(())
}

async fn sixteen_tasks_insert_one_row(context: Context) -> Outcome {
    item::create(&context).await?;
    let id = 1_024 + context.backend.pick(0, 1, 2);
    let start = Arc::new(Barrier::new(16));
    let racing = calls(16, |_| {
        let (db, start) = (context.db.clone(), Arc::clone(&start));
        async move {
            start.wait().await;
            let new = || item::ActiveModel {
                name: Set("new".to_owned()),
                qty: Set(0),
                ..Default::default()
            };
            let policy = Policy::new().without_deadline().combine();
            pair(
                policy
                    .modify_or_insert(item::Entity, &db, id, new, |row| row.qty += 1)
                    .await,
            )
        }
    });
    let mut rows: Vec<_> = ends(go(racing)).await?.into_iter().collect::<Result<_, _>>()?;
    rows.sort_unstable();
    assert!(rows.into_iter().eq((0..16).map(|qty| (qty, qty + 1))));
    assert_eq!(stored(&context, id).await?.1, 15);
    Ok(())
}

async fn models_in_hand_are_combined(context: Context) -> Outcome {
    let id = own_row(&context, 1_027, 0).await?;
    let in_hand = item::load(&context, id).await?;
    context
        .sql(&format!("UPDATE item SET qty = 10, version = 2 WHERE id = {id}"))
        .await?;
    context.take_statements();
    let mut lined_up = calls(8, |_| {
        let (db, in_hand) = (context.db.clone(), in_hand.clone());
        async move { COMBINED.modify_model(in_hand, &db, |row| row.qty += 1).await }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    for (place, row) in (1..).zip(ends(go(lined_up)).await?) {
        assert_eq!(pair(row)?, (10 + place, 2 + place));
    }
    assert_eq!(writes(&context.take_statements()).len(), 1);
    // One alone finds out that it is out of date.
    let row = in_time(COMBINED.modify_model(in_hand, &context.db, |row| row.qty += 1)).await?;
    assert_eq!(pair(row)?, (19, 11));
    Ok(())
}

async fn hooks_run_once_for_the_write(context: Context) -> Outcome {
    hooked::create(&context).await?;
    let id = 1_030 + context.backend.pick(0, 1, 2);
    context
        .sql(&format!("INSERT INTO hooked VALUES ({id}, 'a', 10, 1)"))
        .await?;
    let mut lined_up = calls(5, |place| {
        let db = context.db.clone();
        async move {
            let change = move |row: &mut checked::Model| row.name = format!("a{place}");
            COMBINED.modify(checked::Entity, &db, id, change).await
        }
    });
    line_up(checked::Entity, &context.db, id, &mut lined_up).await?;
    for (place, row) in ends(go(lined_up)).await?.into_iter().enumerate() {
        assert_eq!(row?.name, format!("a{place}"));
    }
    let round = ["before_save of an update: a4", "after_save of an update: a4"];
    assert_eq!(take_calls(&context).await?, round);
    Ok(())
}

async fn a_trigger_sees_one_update(context: Context) -> Outcome {
    let id = own_row(&context, 1_033, 0).await?;
    context
        .sql("CREATE TABLE audit (old BIGINT NOT NULL, new BIGINT NOT NULL)")
        .await?;
    let insert = "INSERT INTO audit VALUES (OLD.version, NEW.version)";
    let sql = context.backend.pick(
        format!("CREATE TRIGGER audits AFTER UPDATE ON item BEGIN {insert}; END"),
        format!(
            "CREATE FUNCTION audits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert}; RETURN NULL; END $$; \
             CREATE TRIGGER audits AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION audits()"
        ),
        format!("CREATE TRIGGER audits AFTER UPDATE ON item FOR EACH ROW {insert}"),
    );
    context.sql(&sql).await?;
    let mut lined_up = increments(&context, id, 7);
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    for (row, _) in ends(go(lined_up)).await? {
        row?;
    }
    assert_eq!(context.number("SELECT COUNT(*) FROM audit").await?, 1);
    assert_eq!(
        context
            .number("SELECT COUNT(*) FROM audit WHERE old = 1 AND new = 8")
            .await?,
        1
    );
    Ok(())
}
