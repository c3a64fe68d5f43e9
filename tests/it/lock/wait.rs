//! Waits that are bounded, futures that are dropped while they wait, and the settings that are as before.

use std::time::Duration;

use optlock::prelude::*;
use optlock::{Error, Fault};
use sea_orm::{Statement, TransactionTrait};

use super::{Result, begin, fault};
use crate::backend::Backend;
use crate::cancel::poll_times;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::wait::until_blocked;

cases![
    settings_are_as_before_after_success,
    settings_are_as_before_after_failure,
    no_time_at_all_is_no_wait;
    SERVERS:
    a_lock_that_is_dropped_while_it_waits_leaves_the_pool_usable;
    // Not on MariaDB, where sqlx can lose a connection whose future is dropped: see `cancel`.
    POSTGRES:
    a_lock_that_is_dropped_at_any_point_leaves_pool_and_settings_as_they_were,
    a_setting_of_the_transaction_is_put_back;
    SQLITE:
    a_lock_that_is_dropped_at_any_point_leaves_pool_and_settings_as_they_were,
    a_lock_that_is_dropped_while_it_waits_puts_the_busy_timeout_back,
    a_wait_of_the_session_is_told_from_a_refusal_by_its_length,
];

const SHORT: Duration = Duration::from_millis(20);

/// The setting of the session that bounds the wait for a lock.
async fn setting<C: ConnectionTrait>(db: &C, backend: Backend) -> Result<String> {
    let query = backend.pick(
        "PRAGMA busy_timeout",
        "SELECT current_setting('lock_timeout')",
        "SELECT CAST(@@innodb_lock_wait_timeout AS SIGNED)",
    );
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), query))
        .await?;
    let row = row.ok_or("no row")?;
    Ok(match backend {
        Backend::Sqlite => row.try_get_by_index::<i32>(0)?.to_string(),
        Backend::Postgres => row.try_get_by_index(0)?,
        Backend::MariaDb => row.try_get_by_index::<i64>(0)?.to_string(),
    })
}

async fn settings_are_as_before_after_success(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let before = setting(&db, context.backend).await?;
    let txn = db.begin().await?;
    for lock in [
        item::Entity::find_by_id(1).for_update().wait(SHORT),
        item::Entity::find_by_id(1).for_update().nowait(),
    ] {
        assert!(lock.one(&txn).await?.is_some());
        assert_eq!(setting(&txn, context.backend).await?, before, "inside the transaction");
    }
    txn.commit().await?;
    assert_eq!(setting(&db, context.backend).await?, before);
    Ok(())
}

async fn settings_are_as_before_after_failure(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let before = setting(&db, context.backend).await?;
    let rival = begin(&context.other).await?;
    let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
    for (lock, expected) in [
        (item::Entity::find_by_id(1).for_update().wait(SHORT), Fault::LockTimeout),
        (
            item::Entity::find_by_id(1).for_update().nowait(),
            Fault::LockNotAvailable,
        ),
    ] {
        let txn = db.begin().await?;
        assert_eq!(fault(lock.one(&txn).await), expected);
        if context.backend.expected().survives_errors {
            assert_eq!(setting(&txn, context.backend).await?, before, "inside the transaction");
        }
        txn.rollback().await?;
        assert_eq!(setting(&db, context.backend).await?, before);
    }
    Ok(())
}

async fn no_time_at_all_is_no_wait(context: Context) -> Outcome {
    item::create(&context).await?;
    let rival = begin(&context.other).await?;
    let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
    let txn = context.db.begin().await?;
    let lock = item::Entity::find_by_id(1).for_update().wait(Duration::ZERO);
    assert_eq!(fault(lock.one(&txn).await), Fault::LockNotAvailable);
    Ok(())
}

/// A pool of one connection: what a dropped future leaves is what the next caller gets.
async fn a_lock_that_is_dropped_at_any_point_leaves_pool_and_settings_as_they_were(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let before = setting(&db, context.backend).await?;
    let mut half_way = 0;
    for (is_held, times) in [false, true]
        .into_iter()
        .flat_map(|is_held| (1..12).map(move |times| (is_held, times)))
    {
        let rival = begin(&context.other).await?;
        let rival = if is_held {
            let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
            Some(rival)
        } else {
            rival.rollback().await?;
            None
        };
        let txn = db.begin().await?;
        let lock = item::Entity::find_by_id(1).for_update().wait(Duration::from_millis(50));
        let read = poll_times(lock.one(&txn), times).await;
        half_way += usize::from(read.is_none());
        assert!(!is_held || !matches!(read, Some(Ok(_))), "two hold the row");
        drop(txn);
        if let Some(rival) = rival {
            rival.rollback().await?;
        }
        assert_eq!(
            setting(&db, context.backend).await?,
            before,
            "{is_held}, dropped after {times} polls"
        );
        let txn = db.begin().await?;
        assert!(item::Entity::find_by_id(1).for_update().one(&txn).await?.is_some());
        txn.rollback().await?;
    }
    assert!(half_way > 0, "none was dropped half-way: the case shows nothing");
    Ok(())
}

async fn a_lock_that_is_dropped_while_it_waits_leaves_the_pool_usable(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let before = setting(&db, context.backend).await?;
    for bounded in [false, true] {
        let rival = begin(&context.other).await?;
        let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
        let waiting = tokio::spawn({
            let db = db.clone();
            async move {
                let txn = db.begin().await?;
                let lock = item::Entity::find_by_id(1).for_update();
                let row = if bounded {
                    lock.wait(Duration::from_secs(30)).one(&txn).await?
                } else {
                    lock.one(&txn).await?
                };
                Ok::<_, Error>(row.map(|row| row.version))
            }
        });
        until_blocked(&context).await?;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        rival.rollback().await?;
        let txn = db.begin().await?;
        let row = item::Entity::find_by_id(1)
            .for_update()
            .one(&txn)
            .await?
            .ok_or("no row")?;
        assert_eq!(row.update(|row| row.qty += 1).await?.qty, if bounded { 12 } else { 11 });
        txn.commit().await?;
        assert_eq!(setting(&db, context.backend).await?, before);
    }
    Ok(())
}

/// Given up by its caller after a while, as handlers are.
async fn a_lock_that_is_dropped_while_it_waits_puts_the_busy_timeout_back(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let before = setting(&db, context.backend).await?;
    for patience in [1, 2, 4, 8, 16, 32].map(Duration::from_millis) {
        let rival = begin(&context.other).await?;
        let txn = db.begin().await?;
        let lock = item::Entity::find_by_id(1).for_update().wait(Duration::from_mins(1));
        assert!(tokio::time::timeout(patience, lock.one(&txn)).await.is_err());
        rival.rollback().await?;
        assert_eq!(
            setting(&txn, context.backend).await?,
            before,
            "{patience:?}, in the transaction"
        );
        drop(txn);
        assert_eq!(setting(&db, context.backend).await?, before, "{patience:?}");
    }
    Ok(())
}

async fn a_setting_of_the_transaction_is_put_back(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    txn.execute_unprepared("SET LOCAL lock_timeout = '7s'").await?;
    assert!(
        item::Entity::find_by_id(1)
            .for_update()
            .wait(SHORT)
            .one(&txn)
            .await?
            .is_some()
    );
    assert_eq!(setting(&txn, context.backend).await?, "7s");
    // After a failure, the rollback to a savepoint puts it back.
    let rival = begin(&context.other).await?;
    let _held = item::Entity::find_by_id(2).for_update().one(&rival).await?;
    let savepoint = txn.begin().await?;
    assert_eq!(
        fault(
            item::Entity::find_by_id(2)
                .for_update()
                .wait(SHORT)
                .one(&savepoint)
                .await
        ),
        Fault::LockTimeout
    );
    savepoint.rollback().await?;
    assert_eq!(setting(&txn, context.backend).await?, "7s");
    rival.rollback().await?;
    Ok(())
}

async fn a_wait_of_the_session_is_told_from_a_refusal_by_its_length(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    db.execute_unprepared("PRAGMA busy_timeout = 60").await?;
    let rival = begin(&context.other).await?;
    let txn = db.begin().await?;
    assert_eq!(
        fault(item::Entity::find_by_id(1).for_update().one(&txn).await),
        Fault::LockTimeout
    );
    txn.rollback().await?;
    db.execute_unprepared("PRAGMA busy_timeout = 60000").await?;
    let txn = db.begin().await?;
    assert!(item::Entity::find_by_id(1).one(&txn).await?.is_some());
    assert_eq!(
        fault(item::Entity::find_by_id(1).for_update().one(&txn).await),
        Fault::Deadlock
    );
    rival.rollback().await?;
    Ok(())
}
