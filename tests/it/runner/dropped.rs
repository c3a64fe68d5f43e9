//! Statements that the closure drops while they are on their way, as a timeout does.

use std::sync::Mutex;

use optlock::prelude::*;
use sea_orm::TransactionTrait;

use super::{Failure, POLICY, add, is_usable, quantities};
use crate::cancel::poll_times;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::wait::until_blocked;

cases![
    a_savepoint_does_not_take_the_transaction_along,
    a_savepoint_within_another_does_not_keep_that_open,
    a_rollback_of_a_dropped_savepoint_is_done_once,
    a_statement_is_whole_or_not_there;
    SERVERS:
    a_statement_that_fails_later_is_not_taken_for_a_success;
    SQLITE:
    a_bounded_lock_leaves_the_connection_as_it_was;
];

/// Dropped while it is on its way, at every point.
async fn a_savepoint_does_not_take_the_transaction_along(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    for times in (0..20).flat_map(|_| 1..10) {
        let before = quantities(&context).await?;
        let outcome = POLICY
            .transaction(&db, |txn| async move {
                add(&txn, 1, 1).await?;
                // If it is set after all, it is gone at once.
                poll_times(txn.begin(), times).await;
                add(&txn, 2, 1).await?;
                Ok::<_, Failure>(())
            })
            .await;
        assert!(outcome.is_ok(), "dropped after {times} polls: {outcome:?}");
        let expected = [before[0] + 1, before[1] + 1, 30];
        assert_eq!(quantities(&context).await?, expected, "dropped after {times} polls");
        is_usable(&context, &db).await?;
    }
    Ok(())
}

/// Nobody has read its answer, which is an error.
async fn a_statement_that_fails_later_is_not_taken_for_a_success(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let rival = Mutex::new(Some(context.other.begin().await?));
    let (context, rival) = (&context, &rival);
    let outcome = POLICY
        .transaction(&db, |txn| async move {
            add(&txn, 1, 1).await?;
            let theirs = rival.lock().unwrap().take().ok_or("once only")?;
            theirs
                .execute_unprepared("UPDATE item SET name = 'x' WHERE id = 2")
                .await?;
            // Waits for them, and is refused once they have committed.
            let statement = txn.execute_unprepared("UPDATE item SET name = 'x' WHERE id = 3");
            tokio::select! {
                biased;
                outcome = statement => return Err(format!("it did not wait: {outcome:?}").into()),
                blocked = until_blocked(context) => blocked?,
            }
            theirs.commit().await?;
            Ok::<_, Failure>(())
        })
        .await;
    if context.backend.expected().survives_errors {
        outcome?;
        assert_eq!(quantities(context).await?, [11, 20, 30]);
    } else {
        assert_eq!(quantities(context).await?, [10, 20, 30]);
        assert!(outcome.is_err(), "nothing is stored, and nobody is told");
    }
    is_usable(context, &db).await
}

/// At any point.
async fn a_statement_is_whole_or_not_there(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    for times in (0..5).flat_map(|_| 1..10) {
        let before = quantities(&context).await?;
        let outcome = POLICY
            .transaction(&db, |txn| async move {
                add(&txn, 1, 1).await?;
                poll_times(add(&txn, 2, 1), times).await;
                add(&txn, 3, 1).await?;
                Ok::<_, Failure>(())
            })
            .await;
        let after = quantities(&context).await?;
        let changed: Vec<_> = after
            .iter()
            .zip(&before)
            .map(|(after, before)| after - before)
            .collect();
        assert!(outcome.is_ok(), "dropped after {times} polls: {outcome:?}");
        let is_whole = [[1, 0, 1], [1, 1, 1]].contains(&[changed[0], changed[1], changed[2]]);
        assert!(is_whole, "dropped after {times} polls: {before:?} became {after:?}");
        is_usable(&context, &db).await?;
    }
    Ok(())
}

async fn a_savepoint_within_another_does_not_keep_that_open(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    for times in (0..5).flat_map(|_| 1..10) {
        let before = quantities(&context).await?;
        POLICY
            .transaction(&db, |txn| async move {
                let savepoint = txn.begin().await?;
                add(&savepoint, 1, 1).await?;
                poll_times(savepoint.begin(), times).await;
                savepoint.commit().await?;
                Ok::<_, Failure>(())
            })
            .await?;
        assert_eq!(
            quantities(&context).await?[0],
            before[0] + 1,
            "dropped after {times} polls"
        );
        is_usable(&context, &db).await?;
    }
    Ok(())
}

/// Also if whoever was to do it first is dropped.
async fn a_rollback_of_a_dropped_savepoint_is_done_once(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    for times in (0..5).flat_map(|_| 1..10) {
        let before = quantities(&context).await?;
        POLICY
            .transaction(&db, |txn| async move {
                add(&txn, 1, 1).await?;
                let savepoint = txn.begin().await?;
                add(&savepoint, 2, 1).await?;
                drop(savepoint);
                let read = item::Entity::find_by_id(1);
                let _ = poll_times(read.one(&txn), times).await;
                add(&txn, 3, 1).await?;
                Ok::<_, Failure>(())
            })
            .await?;
        let expected = [before[0] + 1, before[1], before[2] + 1];
        assert_eq!(quantities(&context).await?, expected, "dropped after {times} polls");
        is_usable(&context, &db).await?;
    }
    Ok(())
}

/// The wait of a lock is a setting of the connection there.
async fn a_bounded_lock_leaves_the_connection_as_it_was(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let setting = || sea_orm::Statement::from_string(db.get_database_backend(), "PRAGMA busy_timeout");
    let timeout = || async {
        let row = db.query_one_raw(setting()).await?.ok_or("no setting")?;
        Ok::<i64, Failure>(row.try_get_by_index(0)?)
    };
    let before = timeout().await?;
    for times in (0..20).flat_map(|_| 1..8) {
        let outcome = POLICY
            .transaction(&db, |txn| async move {
                let lock = item::Entity::find_by_id(1).for_update().nowait();
                let _ = poll_times(lock.one(&txn), times).await;
                add(&txn, 1, 1).await?;
                Ok::<_, Failure>(())
            })
            .await;
        assert!(outcome.is_ok(), "dropped after {times} polls: {outcome:?}");
        assert_eq!(timeout().await?, before, "dropped after {times} polls");
        // The whole future, too.
        let policy = POLICY.lock_after(0).lock_wait(std::time::Duration::from_millis(7));
        let whole = Box::pin(policy.modify(item::Entity, &db, 1, |row| row.qty += 1));
        let _ = poll_times(whole, times).await;
        assert_eq!(timeout().await?, before, "all of it dropped after {times} polls");
    }
    Ok(())
}
