//! Changes within a transaction of the caller's.

use optlock::prelude::*;
use optlock::{Error, Found, ModifyIn, Policy, Report, Txn};
use sea_orm::{DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};

use super::{QUICK, ShopError, assigned, is_held, reads, writes};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};

cases![
    in_a_transaction_of_seaorm_the_row_is_locked_first,
    in_a_transaction_of_ours_the_row_is_locked_first,
    in_savepoints_the_row_is_locked_first,
    a_stale_model_is_a_conflict_and_no_closure_runs_twice,
    a_stale_model_that_does_not_change_is_a_conflict,
    a_key_or_a_version_that_is_changed_is_refused_before_any_write,
    a_row_that_is_not_there_is_named,
    a_refusal_leaves_the_transaction_usable,
    a_constraint_is_an_error_and_is_not_tried_again,
    what_is_rolled_back_is_not_stored;
    SERVERS: whoever_waits_for_the_row_changes_what_the_rival_has_committed,
    a_change_after_the_snapshot_is_seen_or_repeats_the_transaction;
];

/// A transaction of SeaORM's that waits for its turn on SQLite, too.
async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    db.begin_with_options(TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    })
    .await
}

/// The row is held while the closure runs, which it does once, and what it has changed is written.
async fn locks_and_changes<C: ModifyIn>(context: &Context, txn: &C) -> Result<(), Error> {
    context.take_statements();
    let mut seen = Vec::new();
    let row = item::Entity::modify(txn, 1, |row| {
        seen.push((row.qty, is_held(context, 1)));
        row.qty += 1;
    });
    let row = row.await?;
    let sent = context.take_statements();
    assert_eq!((row.qty, row.version, seen), (11, 2, vec![(10, true)]));
    assert_eq!((reads(&sent), writes(&sent).len()), (1, 1), "{sent:?}");
    assert_eq!(assigned(writes(&sent)[0]), ["qty", "version"]);
    let lock = context.backend.pick("", "FOR NO KEY UPDATE", "FOR UPDATE");
    assert!(sent.iter().any(|sql| sql.contains(lock)), "{sent:?}");

    // A fresh model in hand needs no read, and one that does not change is not written.
    let row = row.modify(txn, |row| row.qty += 1).await?;
    assert_eq!((row.qty, row.version), (12, 3));
    assert_eq!(reads(&context.take_statements()), 0);
    assert_eq!(item::Entity::modify(txn, 1, |_| ()).await?, row);
    assert_eq!(row.clone().modify(txn, |_| ()).await?, row);
    assert_eq!(writes(&context.take_statements()), [""; 0]);
    Ok(())
}

async fn in_a_transaction_of_seaorm_the_row_is_locked_first(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    locks_and_changes(&context, &txn).await?;
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 12, 3));
    Ok(())
}

async fn in_a_transaction_of_ours_the_row_is_locked_first(context: Context) -> Outcome {
    item::create(&context).await?;
    let work = |txn: Txn| {
        let context = &context;
        async move { locks_and_changes(context, &txn).await }
    };
    optlock::transaction(&context.db, work).await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 12, 3));
    Ok(())
}

async fn in_savepoints_the_row_is_locked_first(context: Context) -> Outcome {
    item::create(&context).await?;
    let work = |txn: Txn| {
        let context = &context;
        async move {
            let savepoint = txn.begin().await?;
            locks_and_changes(context, &savepoint).await?;
            sea_orm::TransactionSession::commit(savepoint).await?;
            Ok::<_, Error>(())
        }
    };
    optlock::transaction(&context.db, work).await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 12, 3));

    context
        .sql("UPDATE item SET qty = 10, version = 1 WHERE id = 1")
        .await?;
    let outer = begin(&context.db).await?;
    let inner = outer.begin().await?;
    locks_and_changes(&context, &inner).await?;
    inner.rollback().await?;
    outer.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn a_stale_model_is_a_conflict_and_no_closure_runs_twice(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    context
        .sql("UPDATE item SET qty = 99, version = 2 WHERE id = 1")
        .await?;
    let txn = begin(&context.db).await?;
    let mut calls = 0;
    let err = stale
        .modify(&txn, |row| {
            calls += 1;
            row.qty += 1;
        })
        .await
        .unwrap_err();
    let conflict = err.conflict().ok_or("not a conflict")?;
    assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
    assert_eq!(conflict.current::<item::Model>().map(|row| row.qty), Some(99));
    assert_eq!(calls, 1);
    // What was not reached is no error of the database: the transaction goes on.
    assert_eq!(item::Entity::modify(&txn, 1, |row| row.qty += 1).await?.qty, 100);
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 100, 3));
    Ok(())
}

async fn a_stale_model_that_does_not_change_is_a_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    let (stale, gone) = (load(&context, 1).await?, load(&context, 2).await?);
    context
        .sql("UPDATE item SET qty = 99, version = 2 WHERE id = 1")
        .await?;
    context.sql("DELETE FROM item WHERE id = 2").await?;
    let txn = begin(&context.db).await?;
    assert!(stale.modify(&txn, |_| ()).await.unwrap_err().is_conflict());
    assert!(gone.clone().modify(&txn, |_| ()).await.unwrap_err().is_gone());
    assert!(gone.modify(&txn, |row| row.qty += 1).await.unwrap_err().is_gone());
    Ok(())
}

async fn a_key_or_a_version_that_is_changed_is_refused_before_any_write(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    context.take_statements();
    let err = item::Entity::modify(&txn, 1, |row| row.id = 9).await.unwrap_err();
    assert!(matches!(err, Error::Unsupported(_)), "{err:?}");
    let err = item::Entity::modify(&txn, 1, |row| row.version = 9).await.unwrap_err();
    assert!(matches!(err, Error::VersionAssigned(_)), "{err:?}");
    assert_eq!(writes(&context.take_statements()), [""; 0]);
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn a_row_that_is_not_there_is_named(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let Err(Error::MissingRows(missing)) = item::Entity::modify(&txn, 98, |_| ()).await else {
        panic!("not missing");
    };
    assert_eq!(missing.missing()[0].to_string(), "98");
    assert_eq!(item::Entity::modify(&txn, 1, |row| row.qty += 1).await?.qty, 11);
    Ok(())
}

async fn a_refusal_leaves_the_transaction_usable(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut attempts = 0;
    let result = QUICK
        .transaction(&context.db, |txn| {
            attempts += 1;
            async move {
                let refused = item::Entity::try_modify(&txn, 1, |row| Err(ShopError::SoldOut(row.qty)));
                let refused = refused.await;
                assert!(matches!(refused, Err(ShopError::SoldOut(10))), "{refused:?}");
                item::Entity::modify(&txn, 2, |row| row.qty += 1).await?;
                Ok::<_, ShopError>(())
            }
        })
        .await;
    result?;
    assert_eq!(attempts, 1);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 21, 2));
    Ok(())
}

async fn a_constraint_is_an_error_and_is_not_tried_again(context: Context) -> Outcome {
    item::create(&context).await?;
    let report = Report::new();
    let mut attempts = 0;
    let result = Policy::new()
        .report(&report)
        .transaction(&context.db, |txn| {
            attempts += 1;
            async move { item::Entity::modify(&txn, 1, |row| "b".clone_into(&mut row.name)).await }
        })
        .await;
    assert_eq!(result.unwrap_err().fault(), Some(optlock::Fault::Unique));
    assert_eq!((attempts, report.attempts()), (1, 1));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn what_is_rolled_back_is_not_stored(context: Context) -> Outcome {
    item::create(&context).await?;
    let result = optlock::transaction(&context.db, |txn| async move {
        let row = item::Entity::modify(&txn, 1, |row| row.qty += 1).await?;
        Err::<(), _>(ShopError::SoldOut(row.qty))
    });
    assert!(matches!(result.await, Err(ShopError::SoldOut(11))));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn whoever_waits_for_the_row_changes_what_the_rival_has_committed(context: Context) -> Outcome {
    item::create(&context).await?;
    let rival = context.other.begin().await?;
    rival
        .execute_unprepared("UPDATE item SET qty = 99, version = 2 WHERE id = 1")
        .await?;
    let waiting = tokio::spawn({
        let db = context.db.clone();
        // MariaDB's default level shows a snapshot to plain reads, and the row as it is to those that lock.
        async move {
            let txn = db.begin().await?;
            let mut seen = Vec::new();
            let row = item::Entity::modify(&txn, 1, |row| {
                seen.push(row.qty);
                row.qty += 1;
            });
            let row = row.await?;
            txn.commit().await?;
            Ok::<_, Error>((row, seen))
        }
    });
    crate::wait::until_blocked(&context).await?;
    rival.commit().await?;
    let (row, seen) = waiting.await??;
    assert_eq!((row.qty, row.version, seen), (100, 3, vec![99]));
    Ok(())
}

async fn a_change_after_the_snapshot_is_seen_or_repeats_the_transaction(context: Context) -> Outcome {
    item::create(&context).await?;
    let report = Report::new();
    let policy = QUICK.isolation(sea_orm::IsolationLevel::RepeatableRead).report(&report);
    let work = |txn| {
        let (context, report) = (&context, &report);
        async move {
            item::Entity::find_by_id(2).one(&txn).await?;
            if report.attempts() == 1 {
                let rival = "UPDATE item SET qty = 99, version = 2 WHERE id = 1";
                context.other.execute_unprepared(rival).await?;
            }
            item::Entity::modify(&txn, 1, |row| row.qty += 1).await
        }
    };
    let row = policy.transaction(&context.db, work).await?;
    assert_eq!((row.qty, row.version), (100, 3));
    // PostgreSQL refuses the lock, and MariaDB locks the row as it is.
    assert_eq!(report.attempts(), context.backend.pick(1, 2, 1));
    Ok(())
}
