//! Callers who want rows of their own, where a write locks the whole database.

use std::time::{Duration, Instant};

use optlock::Policy;
use optlock::prelude::*;
use sea_orm::{DatabaseTransaction, TransactionTrait};

use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::modify::line::{PATIENT, calls, ends, go, in_time};

cases![
    whoever_waits_to_write_has_no_connection,
    ;
    SQLITE:
    whoever_waits_to_write_does_not_wait_for_long_behind_somebody_else;
];

/// The connections of a pool that somebody has.
fn in_use(backend: Backend, db: &DatabaseConnection) -> usize {
    let (size, idle) = match backend {
        Backend::Sqlite => {
            let pool = db.get_sqlite_connection_pool();
            (pool.size(), pool.num_idle())
        }
        Backend::Postgres => {
            let pool = db.get_postgres_connection_pool();
            (pool.size(), pool.num_idle())
        }
        Backend::MariaDb => {
            let pool = db.get_mysql_connection_pool();
            (pool.size(), pool.num_idle())
        }
    };
    (size as usize).saturating_sub(idle)
}

const CALLERS: usize = 3;

/// A row for each caller, and somebody else's transaction that has written them all.
async fn held(
    context: &Context,
) -> Result<(Vec<item::Model>, DatabaseTransaction), Box<dyn std::error::Error + Send + Sync>> {
    let mut in_hand = Vec::new();
    for id in 1..=CALLERS {
        in_hand.push(item::load(context, i64::try_from(id)?).await?);
    }
    let rival = context.other.begin().await?;
    rival.execute_unprepared("UPDATE item SET name = name").await?;
    Ok((in_hand, rival))
}

async fn whoever_waits_to_write_has_no_connection(context: Context) -> Outcome {
    // Well before those who wait take it for a standstill.
    const TIMELY: Duration = Duration::from_millis(400);

    item::create(&context).await?;
    loop {
        let db = context.connect(4).await?;
        let (in_hand, rival) = held(&context).await?;
        let since = Instant::now();
        let writing = go(calls(CALLERS, |caller| {
            let (db, in_hand) = (db.clone(), in_hand[caller].clone());
            async move { PATIENT.modify_model(in_hand, &db, |row| row.qty += 1).await }
        }));
        // Where there are locks of rows, each waits for its own.
        let expected = context.backend.pick(1, CALLERS, CALLERS);
        let wait = async {
            while in_use(context.backend, &db) < expected {
                tokio::task::yield_now().await;
            }
        };
        in_time(wait).await?;
        while since.elapsed() < TIMELY / 2 {
            let in_use = in_use(context.backend, &db);
            assert!(in_use <= expected || since.elapsed() > TIMELY, "{in_use} connections");
            tokio::task::yield_now().await;
        }
        let is_timely = since.elapsed() < TIMELY;
        rival.rollback().await?;
        for row in ends(writing).await? {
            row?;
        }
        if is_timely {
            return Ok(());
        }
    }
}

/// Whoever has the turn waits for a transaction of somebody else's. The others then wait in the database, as they would without turns.
async fn whoever_waits_to_write_does_not_wait_for_long_behind_somebody_else(context: Context) -> Outcome {
    // A queue of a row would stand still for five seconds.
    const AT_MOST: Duration = Duration::from_secs(4);

    item::create(&context).await?;
    let db = context.connect(4).await?;
    let (in_hand, rival) = held(&context).await?;
    let since = Instant::now();
    let writing = go(calls(CALLERS, |caller| {
        let (db, in_hand) = (db.clone(), in_hand[caller].clone());
        async move {
            Policy::new()
                .without_deadline()
                .modify_model(in_hand, &db, |row| row.qty += 1)
                .await
        }
    }));
    let wait = async {
        while in_use(context.backend, &db) < CALLERS {
            tokio::task::yield_now().await;
        }
    };
    in_time(wait).await?;
    let waited = since.elapsed();
    assert!(waited < AT_MOST, "{waited:?}");
    rival.rollback().await?;
    for row in ends(writing).await? {
        row?;
    }
    Ok(())
}
