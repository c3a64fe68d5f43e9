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
    a_statement_is_whole_or_not_there;
    SERVERS:
    a_statement_that_fails_later_is_not_taken_for_a_success;
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
        let after = quantities(&context).await?;
        let expected = match outcome {
            Ok(()) => vec![before[0] + 1, before[1] + 1, 30],
            Err(_) => before,
        };
        assert_eq!(after, expected, "dropped after {times} polls: {outcome:?}");
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
        let is_whole = match outcome {
            Ok(()) => [[1, 0, 1], [1, 1, 1]].contains(&[changed[0], changed[1], changed[2]]),
            Err(_) => after == before,
        };
        assert!(
            is_whole,
            "dropped after {times} polls: {before:?} became {after:?}, {outcome:?}"
        );
        is_usable(&context, &db).await?;
    }
    Ok(())
}
