//! From a model in hand to a locked row.

use std::time::Duration;

use optlock::prelude::*;
use optlock::{Error, Fault, Found, Operation};
use sea_orm::{IsolationLevel, TransactionTrait};

use super::{begin, fault};
use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};

cases![
    a_current_model_is_locked,
    a_wait_for_a_model_is_bounded,
    a_stale_model_is_a_conflict_with_the_row_that_won,
    a_model_of_a_deleted_row_is_told_so,
    a_change_after_the_snapshot_is_a_conflict_or_seen,
    a_lock_shows_what_was_committed_after_the_load;
];

async fn a_current_model_is_locked(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?;
    let txn = begin(&context.db).await?;
    let row = model.lock(&txn).await?;
    if context.backend.expected().has_row_locks {
        let other = begin(&context.other).await?;
        let shared = item::Entity::find_by_id(1).for_share().nowait().one(&other).await;
        assert_eq!(fault(shared), Fault::LockNotAvailable, "nobody else can even share it");
        other.rollback().await?;
    }
    row.update(|row| row.qty -= 1).await?;
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 9, 2));
    Ok(())
}

async fn a_wait_for_a_model_is_bounded(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?;
    let rival = begin(&context.other).await?;
    let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
    let txn = context.db.begin().await?;
    let err = model
        .clone()
        .lock_within(&txn, Duration::from_millis(20))
        .await
        .unwrap_err();
    assert_eq!(err.fault(), Some(Fault::LockTimeout));
    txn.rollback().await?;
    rival.rollback().await?;
    let txn = context.db.begin().await?;
    assert_eq!(model.lock_within(&txn, Duration::from_millis(20)).await?.version, 1);
    Ok(())
}

async fn a_stale_model_is_a_conflict_with_the_row_that_won(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    context
        .sql("UPDATE item SET qty = 99, version = 2 WHERE id = 1")
        .await?;
    let txn = begin(&context.db).await?;
    context.take_statements();
    let Err(Error::Conflict(conflict)) = stale.lock(&txn).await else {
        panic!("a stale model was locked");
    };
    let selects = context.take_statements();
    assert_eq!(
        selects.iter().filter(|sql| sql.starts_with("SELECT")).count(),
        1,
        "{selects:?}"
    );
    assert_eq!((conflict.operation(), conflict.table()), (Operation::Lock, "item"));
    assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
    let current = conflict.current::<item::Model>().ok_or("no row")?;
    assert_eq!(current.qty, 99);
    // It is locked, so it can be gone on with.
    assert_eq!(
        current
            .clone()
            .lock(&txn)
            .await?
            .update(|row| row.qty += 1)
            .await?
            .version,
        3
    );
    Ok(())
}

async fn a_model_of_a_deleted_row_is_told_so(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    context.sql("DELETE FROM item WHERE id = 1").await?;
    let txn = begin(&context.db).await?;
    assert!(stale.lock(&txn).await.unwrap_err().is_gone());
    Ok(())
}

async fn a_change_after_the_snapshot_is_a_conflict_or_seen(context: Context) -> Outcome {
    item::create(&context).await?;
    let level = (context.backend != Backend::Sqlite).then_some(IsolationLevel::RepeatableRead);
    let txn = context.db.begin_with_config(level, None).await?;
    let model = item::Entity::find_by_id(1).one(&txn).await?.ok_or("no row")?;
    context
        .sql("UPDATE item SET qty = 99, version = 2 WHERE id = 1")
        .await?;
    let err = model.lock(&txn).await.unwrap_err();
    let found = err.conflict().map(optlock::Conflict::found);
    if context.backend == Backend::MariaDb {
        assert_eq!(found, Some(&Found::Changed { version: 2_i64.into() }));
    } else {
        assert_eq!(
            (found, err.fault()),
            (Some(&Found::Unknown), Some(Fault::Serialization))
        );
    }
    Ok(())
}

async fn a_lock_shows_what_was_committed_after_the_load(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    context
        .sql("UPDATE item SET qty = 99, version = 2 WHERE id = 1")
        .await?;
    let txn = begin(&context.db).await?;
    let row = item::Entity::find_by_id(stale.id)
        .for_update()
        .one(&txn)
        .await?
        .ok_or("no row")?;
    assert_eq!((row.qty, row.version), (99, 2));
    Ok(())
}
