//! Checked writes inside the caller's transaction, at every level of isolation.

use std::sync::Arc;

use optlock::prelude::*;
use optlock::{Error, Fault, Found};
use sea_orm::{DatabaseTransaction, IsolationLevel, TransactionTrait};

use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};
use crate::wait::until_blocked;

cases![
    a_write_that_waited_for_a_rival_who_committed_conflicts,
    a_write_that_waited_for_a_rival_who_rolled_back_succeeds,
    a_change_after_the_snapshot_conflicts_at_repeatable_read,
    a_change_after_the_snapshot_conflicts_at_serializable,
    a_model_that_was_stale_before_the_transaction_conflicts_at_every_level,
    an_unchanged_model_is_told_of_a_change_after_the_snapshot,
    a_conflict_is_diagnosed_on_the_only_connection,
    two_saves_in_one_transaction_pass_and_the_second_from_one_copy_conflicts,
    a_conflict_in_a_savepoint_leaves_the_outer_transaction_usable,
    a_failed_transaction_leaves_nothing;
    MARIADB:
    the_current_row_is_not_the_one_of_the_snapshot,
    a_change_after_the_snapshot_is_reported_by_snapshot_isolation;
];

fn with_qty(model: item::Model, qty: i64) -> item::ActiveModel {
    let mut model = model.into_active_model();
    model.qty = Set(qty);
    model
}

async fn begin(context: &Context, level: IsolationLevel) -> Result<DatabaseTransaction, DbErr> {
    // SQLite knows one level only, and has no use for a name of it.
    let level = (context.backend != Backend::Sqlite).then_some(level);
    context.db.begin_with_config(level, None).await
}

async fn load_in(txn: &DatabaseTransaction, id: i64) -> Result<item::Model, Box<dyn std::error::Error + Send + Sync>> {
    item::Entity::find_by_id(id)
        .one(txn)
        .await?
        .ok_or_else(|| "no row".into())
}

/// A rival in a transaction of their own who has written item 1, and our write that waits for them.
async fn blocked(
    context: Context,
) -> Result<
    (
        Arc<Context>,
        DatabaseTransaction,
        tokio::task::JoinHandle<Result<item::Model, Error>>,
    ),
    Box<dyn std::error::Error + Send + Sync>,
> {
    item::create(&context).await?;
    let ours = with_qty(load(&context, 1).await?, 11);
    let rival = context
        .other
        .begin_with_config(Some(IsolationLevel::ReadCommitted), None)
        .await?;
    with_qty(load_in(&rival, 1).await?, 99).update(&rival).await?;
    let context = Arc::new(context);
    let waiting = {
        let context = Arc::clone(&context);
        tokio::spawn(async move { ours.update(&context.db).await })
    };
    until_blocked(&context).await?;
    Ok((context, rival, waiting))
}

async fn a_write_that_waited_for_a_rival_who_committed_conflicts(context: Context) -> Outcome {
    if !context.backend.expected().has_row_locks {
        return a_writer_who_holds_the_database_is_waited_for(context, true).await;
    }
    let (context, rival, waiting) = blocked(context).await?;
    rival.commit().await?;
    let err = waiting.await?.unwrap_err();
    assert_eq!(
        err.conflict().map(optlock::Conflict::found),
        Some(&Found::Changed { version: 2_i64.into() })
    );
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 99, 2));
    Ok(())
}

async fn a_write_that_waited_for_a_rival_who_rolled_back_succeeds(context: Context) -> Outcome {
    if !context.backend.expected().has_row_locks {
        return a_writer_who_holds_the_database_is_waited_for(context, false).await;
    }
    let (context, rival, waiting) = blocked(context).await?;
    rival.rollback().await?;
    let updated = waiting.await??;
    assert_eq!((updated.qty, updated.version), (11, 2));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 2));
    Ok(())
}

/// SQLite: the write lock is on the database, and the busy handler waits for it.
async fn a_writer_who_holds_the_database_is_waited_for(context: Context, commits: bool) -> Outcome {
    item::create(&context).await?;
    let ours = with_qty(load(&context, 1).await?, 11);
    let rival = context.other.begin().await?;
    with_qty(load_in(&rival, 1).await?, 99).update(&rival).await?;
    let db = context.db.clone();
    let waiting = tokio::spawn(async move { ours.update(&db).await });
    if commits {
        rival.commit().await?;
        assert!(waiting.await?.unwrap_err().is_conflict());
        assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 99, 2));
    } else {
        rival.rollback().await?;
        assert_eq!(waiting.await??.version, 2);
        assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 2));
    }
    Ok(())
}

async fn a_change_after_the_snapshot_conflicts_at_repeatable_read(context: Context) -> Outcome {
    change_after_snapshot(context, IsolationLevel::RepeatableRead).await
}

async fn a_change_after_the_snapshot_conflicts_at_serializable(context: Context) -> Outcome {
    if context.backend == Backend::MariaDb {
        // There a read locks the row against a rival until the end of the transaction: no change can come after it.
        item::create(&context).await?;
        let txn = begin(&context, IsolationLevel::Serializable).await?;
        let ours = with_qty(load_in(&txn, 1).await?, 11);
        let impatient = context.connect(1).await?;
        impatient
            .execute_unprepared("SET SESSION innodb_lock_wait_timeout = 1")
            .await?;
        let rival = with_qty(load(&context, 1).await?, 99).update(&impatient).await;
        assert_eq!(rival.unwrap_err().fault(), Some(Fault::LockTimeout));
        assert_eq!(ours.update(&txn).await?.version, 2);
        txn.commit().await?;
        return Ok(());
    }
    change_after_snapshot(context, IsolationLevel::Serializable).await
}

async fn change_after_snapshot(context: Context, level: IsolationLevel) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context, level).await?;
    let ours = with_qty(load_in(&txn, 1).await?, 11);
    let for_delete = load_in(&txn, 2).await?;
    with_qty(load(&context, 1).await?, 99).update(&context.other).await?;
    with_qty(load(&context, 2).await?, 99).update(&context.other).await?;

    let err = ours.update(&txn).await.unwrap_err();
    assert!(err.is_conflict(), "{err:?}");
    let conflict = err.conflict().ok_or("not a conflict")?;
    assert_eq!((conflict.table(), conflict.expected().get::<i64>()), ("item", Some(1)));
    match context.backend {
        // The check failed, and a locking read found out why.
        Backend::MariaDb => assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() }),
        // The database refused, and says no more than that.
        Backend::Postgres | Backend::Sqlite => {
            assert_eq!(*conflict.found(), Found::Unknown);
            assert_eq!(err.fault(), Some(Fault::Serialization));
            assert!(std::error::Error::source(conflict).is_some());
        }
    }
    if context.backend.expected().survives_errors {
        assert!(for_delete.delete(&txn).await.unwrap_err().is_conflict());
    }
    txn.rollback().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 99, 2));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 99, 2));
    Ok(())
}

async fn a_model_that_was_stale_before_the_transaction_conflicts_at_every_level(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    for level in [
        IsolationLevel::ReadCommitted,
        IsolationLevel::RepeatableRead,
        IsolationLevel::Serializable,
    ] {
        let txn = begin(&context, level).await?;
        for err in [
            with_qty(stale.clone(), 11).update(&txn).await.unwrap_err(),
            stale.clone().touch(&txn).await.unwrap_err(),
            stale.clone().delete(&txn).await.unwrap_err(),
            stale.clone().into_active_model().update(&txn).await.unwrap_err(),
        ] {
            let found = err.conflict().map(optlock::Conflict::found);
            assert_eq!(found, Some(&Found::Changed { version: 2_i64.into() }), "{level:?}");
        }
        // A row that was not reached is no error of the database: the transaction goes on.
        assert_eq!(with_qty(load_in(&txn, 2).await?, 21).update(&txn).await?.version, 2);
        txn.rollback().await?;
    }
    Ok(())
}

async fn an_unchanged_model_is_told_of_a_change_after_the_snapshot(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context, IsolationLevel::RepeatableRead).await?;
    let ours = load_in(&txn, 1).await?.into_active_model();
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    let result = ours.update(&txn).await;
    match context.backend {
        Backend::Postgres | Backend::Sqlite => {
            let err = result.unwrap_err();
            assert_eq!((err.is_conflict(), err.fault()), (true, Some(Fault::Serialization)));
        }
        Backend::MariaDb => assert!(result.unwrap_err().is_conflict()),
    }
    txn.rollback().await?;
    Ok(())
}

async fn a_conflict_is_diagnosed_on_the_only_connection(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    let db = context.connect(1).await?;
    let err = with_qty(stale.clone(), 11).update(&db).await.unwrap_err();
    assert_eq!(
        err.conflict().map(optlock::Conflict::found),
        Some(&Found::Changed { version: 2_i64.into() })
    );
    let txn = db.begin().await?;
    let err = with_qty(stale.clone(), 11).update(&txn).await.unwrap_err();
    assert_eq!(
        err.conflict().map(optlock::Conflict::found),
        Some(&Found::Changed { version: 2_i64.into() })
    );
    assert!(stale.into_active_model().update(&txn).await.unwrap_err().is_conflict());
    txn.commit().await?;
    Ok(())
}

async fn two_saves_in_one_transaction_pass_and_the_second_from_one_copy_conflicts(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    let loaded = load_in(&txn, 1).await?;
    let first = with_qty(loaded.clone(), 11).update(&txn).await?;
    let second = with_qty(first, 12).update(&txn).await?;
    assert_eq!(second.version, 3);
    assert!(with_qty(loaded, 13).update(&txn).await.unwrap_err().is_conflict());
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 12, 3));
    Ok(())
}

async fn a_conflict_in_a_savepoint_leaves_the_outer_transaction_usable(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    let outer = context.db.begin().await?;
    with_qty(load_in(&outer, 2).await?, 21).update(&outer).await?;
    let inner = outer.begin().await?;
    with_qty(load_in(&inner, 3).await?, 31).update(&inner).await?;
    assert!(with_qty(stale, 11).update(&inner).await.unwrap_err().is_conflict());
    inner.rollback().await?;
    outer.commit().await?;
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 21, 2));
    assert_eq!(stored(&context, 3).await?, ("c".to_owned(), 30, 1));
    Ok(())
}

async fn a_failed_transaction_leaves_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 2).await?;
    context.sql("UPDATE item SET version = 2 WHERE id = 2").await?;
    let txn = context.db.begin().await?;
    with_qty(load_in(&txn, 1).await?, 11).update(&txn).await?;
    assert!(stale.touch(&txn).await.unwrap_err().is_conflict());
    drop(txn);
    // The connection goes back to the pool with its transaction undone.
    assert_eq!(load(&context, 1).await?.version, 1);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn the_current_row_is_not_the_one_of_the_snapshot(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context, IsolationLevel::RepeatableRead).await?;
    let ours = load_in(&txn, 1).await?;
    let rival = with_qty(load(&context, 1).await?, 99).update(&context.other).await?;
    let err = with_qty(ours.clone(), 11).update(&txn).await.unwrap_err();
    assert_eq!(load_in(&txn, 1).await?, ours, "a plain read still shows the snapshot");
    assert_eq!(
        err.conflict().and_then(|conflict| conflict.current::<item::Model>()),
        Some(&rival)
    );
    txn.rollback().await?;
    Ok(())
}

async fn a_change_after_the_snapshot_is_reported_by_snapshot_isolation(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    db.execute_unprepared("SET SESSION innodb_snapshot_isolation = ON")
        .await?;
    let txn = db.begin_with_config(Some(IsolationLevel::RepeatableRead), None).await?;
    let ours = load_in(&txn, 1).await?;
    with_qty(load(&context, 1).await?, 99).update(&context.other).await?;
    let err = with_qty(ours, 11).update(&txn).await.unwrap_err();
    assert_eq!(err.conflict().map(optlock::Conflict::found), Some(&Found::Unknown));
    assert_eq!(err.fault(), Some(Fault::Serialization));
    txn.rollback().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 99, 2));
    Ok(())
}
