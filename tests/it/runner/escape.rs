//! Handles that are kept for longer than their transaction.

use std::sync::{Arc, Mutex};

use optlock::prelude::*;
use optlock::{Error, Fault, Report, Savepoint, Stop, Txn, fault};
use sea_orm::TransactionTrait;
use tokio::sync::oneshot;

use super::{Calls, Failure, POLICY, add, is_free, is_usable, quantities};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    a_handle_whose_statement_nobody_polls_does_not_keep_the_caller_waiting,
    a_handle_that_is_kept_rolls_the_transaction_back,
    a_handle_in_a_spawned_task_rolls_the_transaction_back,
    a_savepoint_that_is_kept_rolls_the_transaction_back,
    a_savepoint_that_is_kept_does_not_keep_the_connection,
    a_handle_that_is_kept_does_not_hide_the_error_of_the_closure,
    a_handle_in_a_task_that_is_joined_has_not_escaped,
    rows_are_locked_through_the_handle;
];

fn is_refused<T>(outcome: Result<T, DbErr>) -> bool {
    outcome.is_err_and(|err| matches!(Error::from(err), Error::Escaped(_)))
}

/// Each way to send something through a handle.
async fn is_dead<C: ConnectionTrait>(handle: &C) -> bool {
    let statement = || sea_orm::Statement::from_string(handle.get_database_backend(), "UPDATE item SET qty = 77");
    is_refused(handle.execute_unprepared("UPDATE item SET qty = 77").await)
        && is_refused(handle.execute_raw(statement()).await)
        && is_refused(handle.query_one_raw(statement()).await)
        && is_refused(handle.query_all_raw(statement()).await)
        && matches!(add(handle, 2, 1).await, Err(Error::Escaped(_)))
}

async fn a_handle_that_is_kept_rolls_the_transaction_back(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect_impatiently(1).await?;
    let kept: Arc<Mutex<Option<Txn>>> = Arc::default();
    let (calls, report) = (Calls::default(), Report::new());
    let outcome = POLICY
        .report(&report)
        .transaction(&db, |txn| {
            calls.next();
            let kept = Arc::clone(&kept);
            async move {
                add(&txn, 1, 1).await?;
                *kept.lock().unwrap() = Some(txn);
                Ok::<_, Failure>(())
            }
        })
        .await;
    let err = outcome.unwrap_err();
    assert!(matches!(err.downcast_ref(), Some(Error::Escaped(_))), "{err:?}");
    assert_eq!(
        (calls.count(), report.stop()),
        (1, Some(Stop::Fault)),
        "it would escape again"
    );
    assert_eq!(quantities(&context).await?, [10, 20, 30]);

    is_usable(&context, &db).await?;
    let txn = kept.lock().unwrap().take().ok_or("not kept")?;
    assert!(is_dead(&txn).await);
    assert!(is_refused(txn.begin().await));
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    drop(txn);
    is_usable(&context, &db).await
}

async fn a_handle_in_a_spawned_task_rolls_the_transaction_back(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect_impatiently(1).await?;
    let (returned, wait) = oneshot::channel();
    let (seen, see) = oneshot::channel();
    let mut once = Some((wait, seen));
    let outcome = POLICY
        .transaction(&db, |txn| {
            let once = once.take();
            async move {
                let (wait, seen) = once.ok_or("only once")?;
                add(&txn, 1, 1).await?;
                tokio::spawn(async move {
                    let _ = wait.await;
                    let _ = seen.send(is_dead(&txn).await);
                });
                Ok::<_, Failure>(())
            }
        })
        .await;
    let err = outcome.unwrap_err();
    assert!(matches!(err.downcast_ref(), Some(Error::Escaped(_))), "{err:?}");
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    is_usable(&context, &db).await?;
    returned.send(()).map_err(|()| "nobody waits")?;
    assert!(see.await?);
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    is_usable(&context, &db).await
}

/// Runs a transaction that writes and keeps a savepoint.
async fn keep(db: &DatabaseConnection) -> Result<Savepoint, Failure> {
    let kept: Arc<Mutex<Option<Savepoint>>> = Arc::default();
    let outcome = POLICY
        .transaction(db, |txn| {
            let kept = Arc::clone(&kept);
            async move {
                add(&txn, 1, 1).await?;
                let savepoint = txn.begin().await?;
                add(&savepoint, 2, 1).await?;
                *kept.lock().unwrap() = Some(savepoint);
                Ok::<_, Failure>(())
            }
        })
        .await;
    let err = outcome.unwrap_err();
    assert!(matches!(err.downcast_ref(), Some(Error::Escaped(_))), "{err:?}");
    let savepoint = kept.lock().unwrap().take();
    Ok(savepoint.ok_or("not kept")?)
}

async fn a_savepoint_that_is_kept_rolls_the_transaction_back(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect_impatiently(1).await?;
    for how in 0..3 {
        let savepoint = keep(&db).await?;
        assert_eq!(quantities(&context).await?, [10, 20, 30]);
        assert!(is_dead(&savepoint).await);
        assert!(is_refused(savepoint.begin().await));
        match how {
            0 => drop(savepoint),
            1 => assert!(is_refused(sea_orm::TransactionSession::commit(savepoint).await)),
            _ => sea_orm::TransactionSession::rollback(savepoint).await?,
        }
        assert_eq!(quantities(&context).await?, [10, 20, 30]);
        is_usable(&context, &db).await?;
    }
    Ok(())
}

/// The transaction is rolled back when its future is ready, and not when the savepoint is gone.
async fn a_savepoint_that_is_kept_does_not_keep_the_connection(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect_impatiently(1).await?;
    let savepoint = keep(&db).await?;
    let (is_free, is_usable) = (is_free(&context).await, is_usable(&context, &db).await);
    drop(savepoint);
    is_free.map_err(|err| format!("its locks are still held: {err}"))?;
    is_usable.map_err(|err| format!("its connection is not back: {err}"))?;
    Ok(())
}

async fn a_handle_that_is_kept_does_not_hide_the_error_of_the_closure(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect_impatiently(1).await?;
    let kept: Arc<Mutex<Vec<Txn>>> = Arc::default();
    let (calls, report) = (Calls::default(), Report::new());
    let outcome = POLICY
        .attempts(2)
        .report(&report)
        .transaction(&db, |txn| {
            calls.next();
            let kept = Arc::clone(&kept);
            async move {
                add(&txn, 1, 1).await?;
                let outcome = super::conflict(&txn).await;
                kept.lock().unwrap().push(txn);
                outcome
            }
        })
        .await;
    assert!(matches!(outcome, Err(Error::Conflict(_))), "{outcome:?}");
    assert_eq!((calls.count(), report.fault()), (2, Some(Fault::Stale)));
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    is_usable(&context, &db).await
}

async fn a_handle_in_a_task_that_is_joined_has_not_escaped(context: Context) -> Outcome {
    item::create(&context).await?;
    POLICY
        .transaction(&context.db, |txn| async move {
            let txn = Arc::new(txn);
            let task = tokio::spawn({
                let txn = Arc::clone(&txn);
                async move { add(&*txn, 1, 1).await }
            });
            task.await??;
            let (second, third) = tokio::join!(add(&*txn, 2, 1), add(&*txn, 3, 1));
            assert_eq!((second?.qty, third?.qty), (21, 31));
            Ok::<_, Failure>(())
        })
        .await?;
    assert_eq!(quantities(&context).await?, [11, 21, 31]);
    Ok(())
}

async fn rows_are_locked_through_the_handle(context: Context) -> Outcome {
    item::create(&context).await?;
    let rival = context.connect(1).await?;
    if context.backend == crate::backend::Backend::Sqlite {
        rival.execute_unprepared("PRAGMA busy_timeout = 0").await?;
    }
    let rival = &rival;
    let version = POLICY
        .transaction(&context.db, |txn| async move {
            let row = item::Entity::find_by_id(1).for_update().one(&txn).await?;
            let row = row.ok_or("no row")?;
            let theirs = rival.begin().await?;
            let err = item::Entity::find_by_id(1).for_update().nowait().one(&theirs).await;
            assert_eq!(fault(&err.unwrap_err()), Fault::LockNotAvailable);
            theirs.rollback().await?;
            Ok::<_, Failure>(row.update(|row| row.qty += 1).await?.version)
        })
        .await?;
    assert_eq!((version, quantities(&context).await?), (2, vec![11, 20, 30]));
    is_free(&context).await
}

/// Half-way through it, somebody has put it aside together with the handle.
async fn a_handle_whose_statement_nobody_polls_does_not_keep_the_caller_waiting(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let aside = Mutex::new(Vec::new());
    let work = |txn: Txn| {
        let aside = &aside;
        async move {
            add(&txn, 1, 1).await?;
            let mut statement = Box::pin(async move {
                let _ = add(&txn, 2, 1).await;
                // Were it fast enough to end at once, the handle would be kept all the same.
                std::future::pending::<()>().await;
                drop(txn);
            });
            let _ = crate::cancel::poll_times(statement.as_mut(), 1).await;
            aside.lock().unwrap().push(statement);
            Ok::<_, Error>(())
        }
    };
    let outcome = tokio::time::timeout(std::time::Duration::from_secs(20), POLICY.transaction(&db, work)).await;
    assert!(matches!(outcome, Ok(Err(Error::Escaped(_)))), "{outcome:?}");
    aside.lock().unwrap().clear();
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    is_usable(&context, &db).await
}
