//! Savepoints: `txn.begin()`.

use optlock::prelude::*;
use optlock::{Error, fault};
use sea_orm::{TransactionError, TransactionSession, TransactionTrait};

use super::{Calls, Failure, POLICY, add, conflict, duplicate, is_usable, quantities};
use crate::cancel::poll_times;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    a_savepoint_does_not_keep_what_one_within_it_has_not_kept,
    a_savepoint_is_committed_rolled_back_or_let_go_of,
    savepoints_are_nested,
    an_error_of_the_closure_undoes_committed_savepoints,
    a_conflict_in_a_savepoint_can_be_answered_within_the_transaction,
    rows_are_locked_and_modified_in_a_savepoint,
    a_savepoint_that_ends_ahead_of_a_later_one_is_the_one_that_ends,
    a_savepoint_is_let_go_of_while_another_statement_is_on_its_way,
    seaorms_closure_is_a_savepoint,
    a_savepoint_that_the_server_has_forgotten_ends_the_transaction;
];

async fn a_savepoint_is_committed_rolled_back_or_let_go_of(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    POLICY
        .transaction(&db, |txn| async move {
            let kept = txn.begin().await?;
            add(&kept, 1, 1).await?;
            kept.commit().await?;

            let undone = txn.begin().await?;
            add(&undone, 2, 1).await?;
            undone.rollback().await?;

            let dropped = txn.begin().await?;
            add(&dropped, 3, 1).await?;
            drop(dropped);

            add(&txn, 2, 5).await
        })
        .await?;
    assert_eq!(quantities(&context).await?, [11, 25, 30]);
    is_usable(&context, &db).await
}

async fn savepoints_are_nested(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    POLICY
        .transaction(&db, |txn| async move {
            let outer = txn.begin().await?;
            add(&outer, 1, 1).await?;
            let inner = outer.begin().await?;
            add(&inner, 2, 1).await?;
            inner.rollback().await?;
            let inner = outer.begin().await?;
            add(&inner, 3, 1).await?;
            inner.commit().await?;
            outer.commit().await?;

            let outer = txn.begin().await?;
            let inner = outer.begin().await?;
            add(&inner, 2, 100).await?;
            inner.commit().await?;
            outer.rollback().await
        })
        .await
        .map_err(Error::from)?;
    assert_eq!(quantities(&context).await?, [11, 20, 31]);
    is_usable(&context, &db).await
}

async fn an_error_of_the_closure_undoes_committed_savepoints(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let outcome = POLICY
        .transaction(&db, |txn| async move {
            let kept = txn.begin().await?;
            add(&kept, 1, 1).await?;
            kept.commit().await?;
            let open = txn.begin().await?;
            add(&open, 2, 1).await?;
            // With a savepoint that is still there.
            Err::<(), Failure>("changed my mind".into())
        })
        .await;
    assert_eq!(outcome.unwrap_err().to_string(), "changed my mind");
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    is_usable(&context, &db).await
}

async fn a_conflict_in_a_savepoint_can_be_answered_within_the_transaction(context: Context) -> Outcome {
    item::create(&context).await?;
    let calls = Calls::default();
    POLICY
        .transaction(&context.db, |txn| {
            calls.next();
            async move {
                let savepoint = txn.begin().await?;
                add(&savepoint, 1, 1).await?;
                assert!(conflict(&savepoint).await.unwrap_err().is_conflict());
                savepoint.rollback().await?;
                add(&txn, 2, 1).await
            }
        })
        .await?;
    assert_eq!(calls.count(), 1);
    assert_eq!(quantities(&context).await?, [10, 21, 30]);
    Ok(())
}

async fn rows_are_locked_and_modified_in_a_savepoint(context: Context) -> Outcome {
    item::create(&context).await?;
    POLICY
        .transaction(&context.db, |txn| async move {
            let savepoint = txn.begin().await?;
            let row = item::Entity::find_by_id(1).for_update().one(&savepoint).await?;
            row.ok_or("no row")?.update(|row| row.qty += 1).await?;
            item::Entity::modify(&savepoint, 2, |row| row.qty += 1).await?;
            savepoint.commit().await?;
            item::Entity::modify(&txn, 3, |row| row.qty += 1).await?;
            Ok::<_, Failure>(())
        })
        .await?;
    assert_eq!(quantities(&context).await?, [11, 21, 31]);
    Ok(())
}

/// Servers undo what came after a savepoint with it. SeaORM counts savepoints, and would take the later one for it.
async fn a_savepoint_that_ends_ahead_of_a_later_one_is_the_one_that_ends(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let outcome = POLICY
        .transaction(&db, |txn| async move {
            let earlier = txn.begin().await?;
            add(&earlier, 1, 1).await?;
            let later = [txn.begin().await?, txn.begin().await?, txn.begin().await?];
            add(&later[0], 2, 1).await?;
            earlier.rollback().await?;
            // They have ended with the one around them.
            let [kept, undone, undone_by_the_trait] = later;
            for outcome in [
                kept.commit().await,
                undone.rollback().await,
                TransactionSession::rollback(undone_by_the_trait).await,
            ] {
                let err = Error::from(outcome.unwrap_err());
                assert!(matches!(err, Error::Escaped(_)), "{err:?}");
            }
            add(&txn, 3, 1).await?;
            Ok::<_, Failure>(())
        })
        .await;
    outcome?;
    assert_eq!(quantities(&context).await?, [10, 20, 31]);
    is_usable(&context, &db).await
}

/// Its rollback waits for that statement.
async fn a_savepoint_is_let_go_of_while_another_statement_is_on_its_way(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    for times in (0..10).flat_map(|_| 1..8) {
        let before = quantities(&context).await?;
        let outcome = POLICY
            .transaction(&db, |txn| async move {
                add(&txn, 1, 1).await?;
                let savepoint = txn.begin().await?;
                add(&savepoint, 2, 1).await?;
                let mut statement = std::pin::pin!(add(&txn, 3, 1));
                let early = poll_times(statement.as_mut(), times).await;
                // Between two polls of the statement.
                drop(savepoint);
                if early.is_none() {
                    statement.await?;
                }
                Ok::<_, Failure>(())
            })
            .await;
        let after = quantities(&context).await?;
        assert!(outcome.is_ok(), "{times} polls: {outcome:?}");
        // What the other handle wrote meanwhile is in the savepoint or is not, by when it was sent.
        assert_eq!(after, [before[0] + 1, before[1], after[2]], "{times} polls");
        assert!([before[2], before[2] + 1].contains(&after[2]), "{times} polls");
        is_usable(&context, &db).await?;
    }
    Ok(())
}

async fn seaorms_closure_is_a_savepoint(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    POLICY
        .transaction(&db, |txn| async move {
            let row = txn
                .transaction::<_, _, Error>(|savepoint| Box::pin(async move { add(savepoint, 1, 1).await }))
                .await
                .map_err(|err| err.to_string())?;
            assert_eq!(row.qty, 11);
            let undone = txn
                .transaction::<_, (), Error>(|savepoint| {
                    Box::pin(async move {
                        add(savepoint, 2, 1).await?;
                        Ok(duplicate(savepoint).await?)
                    })
                })
                .await;
            let Err(TransactionError::Transaction(err)) = undone else {
                panic!("the closure's own error is lost: {undone:?}");
            };
            assert_eq!(fault(&err), optlock::Fault::Unique);
            add(&txn, 3, 1).await?;
            Ok::<_, Failure>(())
        })
        .await?;
    assert_eq!(quantities(&context).await?, [11, 20, 31]);
    is_usable(&context, &db).await
}

async fn a_savepoint_does_not_keep_what_one_within_it_has_not_kept(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    POLICY
        .transaction(&db, |txn| async move {
            let outer = txn.begin().await?;
            add(&outer, 1, 1).await?;
            let inner = outer.begin().await?;
            add(&inner, 2, 1).await?;
            assert!(outer.commit().await.is_err(), "the inner one is still there");
            drop(inner);
            add(&txn, 3, 1).await?;
            Ok::<_, Failure>(())
        })
        .await?;
    assert_eq!(quantities(&context).await?, [10, 20, 31]);
    is_usable(&context, &db).await
}

/// Something has ended the transaction behind its back, and nobody has seen an error before.
async fn a_savepoint_that_the_server_has_forgotten_ends_the_transaction(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let outcome = POLICY
        .transaction(&db, |txn| async move {
            add(&txn, 1, 1).await?;
            let savepoint = txn.begin().await?;
            add(&savepoint, 2, 1).await?;
            savepoint.execute_unprepared("ROLLBACK").await?;
            assert!(savepoint.commit().await.is_err());
            Ok::<_, Failure>(())
        })
        .await;
    let err = outcome.unwrap_err();
    assert!(
        matches!(err.downcast_ref(), Some(Error::TransactionFailed(_))),
        "{err:?}"
    );
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    is_usable(&context, &db).await
}
