//! Errors that the closure has seen and gone on from.

use std::error::Error as _;

use optlock::prelude::*;
use optlock::{Error, Fault, Report, TransactionFailed, fault};
use sea_orm::TransactionTrait;

use super::{Calls, Failure, POLICY, add, duplicate, is_usable, quantities};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    a_swallowed_error_commits_the_rest_or_is_reported,
    an_error_within_a_savepoint_that_is_rolled_back_is_forgotten,
    an_error_within_a_savepoint_of_plain_sql_is_forgotten,
    an_error_before_a_savepoint_is_not_mended_by_it;
    POSTGRES:
    the_error_that_counts_is_the_one_after_a_rollback,
    a_statement_after_an_error_reports_that_error,
    a_swallowed_conflict_of_snapshots_is_redone;
    MARIADB:
    a_lock_that_was_not_granted_leaves_the_rest;
];

fn failed(err: Failure) -> TransactionFailed {
    match err.downcast::<Error>().map(|err| *err) {
        Ok(Error::TransactionFailed(failed)) => failed,
        other => panic!("not a failed transaction: {other:?}"),
    }
}

async fn a_swallowed_error_commits_the_rest_or_is_reported(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let calls = Calls::default();
    let outcome = POLICY
        .transaction(&db, |txn| {
            calls.next();
            async move {
                add(&txn, 1, 1).await?;
                assert_eq!(fault(&duplicate(&txn).await.unwrap_err()), Fault::Unique);
                Ok::<_, Failure>(())
            }
        })
        .await;
    assert_eq!(calls.count(), 1);
    if context.backend.expected().survives_errors {
        outcome?;
        assert_eq!(quantities(&context).await?, [11, 20, 30]);
    } else {
        let failed = failed(outcome.unwrap_err());
        assert_eq!(failed.fault(), Fault::Unique);
        let cause = failed
            .source()
            .ok_or("no cause")?
            .downcast_ref::<DbErr>()
            .ok_or("not a DbErr")?;
        assert!(
            matches!(cause.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))),
            "{cause:?}"
        );
        assert_eq!(quantities(&context).await?, [10, 20, 30]);
    }
    is_usable(&context, &db).await
}

async fn an_error_within_a_savepoint_that_is_rolled_back_is_forgotten(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    POLICY
        .transaction(&db, |txn| async move {
            add(&txn, 1, 1).await?;
            let savepoint = txn.begin().await?;
            add(&savepoint, 2, 1).await?;
            assert_eq!(fault(&duplicate(&savepoint).await.unwrap_err()), Fault::Unique);
            savepoint.rollback().await?;

            // The same by SeaORM's closure, and by letting go of it.
            let nested = txn
                .transaction::<_, (), DbErr>(|savepoint| Box::pin(async move { duplicate(savepoint).await }))
                .await;
            assert_eq!(fault(&nested.unwrap_err()), Fault::Unique);
            let savepoint = txn.begin().await?;
            assert!(duplicate(&savepoint).await.is_err());
            drop(savepoint);
            Ok::<_, Failure>(())
        })
        .await?;
    assert_eq!(quantities(&context).await?, [11, 20, 30]);
    is_usable(&context, &db).await
}

async fn an_error_within_a_savepoint_of_plain_sql_is_forgotten(context: Context) -> Outcome {
    item::create(&context).await?;
    POLICY
        .transaction(&context.db, |txn| async move {
            add(&txn, 1, 1).await?;
            txn.execute_unprepared("SAVEPOINT here").await?;
            add(&txn, 2, 1).await?;
            assert_eq!(fault(&duplicate(&txn).await.unwrap_err()), Fault::Unique);
            txn.execute_unprepared("ROLLBACK TO SAVEPOINT here").await?;
            Ok::<_, Failure>(())
        })
        .await?;
    assert_eq!(quantities(&context).await?, [11, 20, 30]);
    Ok(())
}

/// Where the error has ended the transaction, a savepoint cannot be set, and what is written next is not stored either.
async fn an_error_before_a_savepoint_is_not_mended_by_it(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let outcome = POLICY
        .transaction(&db, |txn| async move {
            add(&txn, 1, 1).await?;
            assert!(duplicate(&txn).await.is_err());
            if let Ok(savepoint) = txn.begin().await {
                assert!(context_survives(&txn));
                savepoint.rollback().await?;
            }
            let _ = txn.execute_unprepared("UPDATE item SET qty = 77 WHERE id = 2").await;
            Ok::<_, Failure>(())
        })
        .await;
    if context.backend.expected().survives_errors {
        outcome?;
        assert_eq!(quantities(&context).await?, [11, 77, 30]);
    } else {
        assert_eq!(quantities(&context).await?, [10, 20, 30], "{outcome:?}");
        assert_eq!(failed(outcome.unwrap_err()).fault(), Fault::Unique);
    }
    is_usable(&context, &db).await
}

fn context_survives(txn: &optlock::Txn) -> bool {
    txn.get_database_backend() != sea_orm::DbBackend::Postgres
}

async fn a_statement_after_an_error_reports_that_error(context: Context) -> Outcome {
    item::create(&context).await?;
    let err = POLICY
        .transaction(&context.db, |txn| async move {
            assert!(duplicate(&txn).await.is_err());
            add(&txn, 1, 1).await
        })
        .await
        .unwrap_err();
    let Error::TransactionFailed(err) = err else {
        panic!("it is not said that there was another error: {err:?}")
    };
    assert_eq!(err.fault(), Fault::Unique);
    Ok(())
}

/// What the swallowed error says decides whether the transaction is redone.
async fn a_swallowed_conflict_of_snapshots_is_redone(context: Context) -> Outcome {
    item::create(&context).await?;
    let (calls, report) = (Calls::default(), Report::new());
    let context = &context;
    POLICY
        .isolation(sea_orm::IsolationLevel::RepeatableRead)
        .report(&report)
        .transaction(&context.db, |txn| {
            let call = calls.next();
            async move {
                let row = item::Entity::find_by_id(1).one(&txn).await?.ok_or("no row")?;
                if call == 1 {
                    add(&context.other, 1, 5).await?;
                }
                let _ = row.touch(&txn).await;
                Ok::<_, Failure>(())
            }
        })
        .await?;
    assert_eq!((calls.count(), report.fault()), (2, Some(Fault::Serialization)));
    assert_eq!(item::stored(context, 1).await?, ("a".to_owned(), 15, 3));
    Ok(())
}

async fn the_error_that_counts_is_the_one_after_a_rollback(context: Context) -> Outcome {
    item::create(&context).await?;
    let outcome = POLICY
        .transaction(&context.db, |txn| async move {
            let savepoint = txn.begin().await?;
            assert_eq!(fault(&duplicate(&savepoint).await.unwrap_err()), Fault::Unique);
            savepoint.rollback().await?;
            assert!(txn.execute_unprepared("SELECT 1 / 0").await.is_err());
            Ok::<_, Failure>(())
        })
        .await;
    assert_eq!(failed(outcome.unwrap_err()).fault(), Fault::Other);
    Ok(())
}

/// The server's error is one after which it may have rolled back all of it, and by its settings has not.
async fn a_lock_that_was_not_granted_leaves_the_rest(context: Context) -> Outcome {
    item::create(&context).await?;
    let rival = context.other.begin().await?;
    rival
        .execute_unprepared("UPDATE item SET qty = 21 WHERE id = 2")
        .await?;
    POLICY
        .transaction(&context.db, |txn| async move {
            add(&txn, 1, 1).await?;
            let held = item::Entity::find_by_id(2).for_update().nowait().one(&txn).await;
            assert!(held.is_err_and(|err| err.is_lock_unavailable()));
            add(&txn, 3, 1).await?;
            Ok::<_, Failure>(())
        })
        .await?;
    rival.rollback().await?;
    assert_eq!(quantities(&context).await?, [11, 20, 31]);
    Ok(())
}
