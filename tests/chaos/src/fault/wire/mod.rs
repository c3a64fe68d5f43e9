//! Several pools change rows through the proxy while faults come at random. Then the faults stop, everybody must come to an end, and what
//! is stored must be what was told.

mod call;
mod client;
mod nemesis;
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use optlock::prelude::*;
use optlock_history::{History, Id, Seen, Verdict, check};
use sea_orm::{Database, TransactionTrait};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::proxy::Proxy;
use super::receipt;
use super::session::all_have_ended;
use crate::Result;
use crate::address::Address;
use crate::backend::Backend;
use crate::row;
use crate::stage::Stage;
use crate::tally::Tally;
use call::Log;
use client::Client;

/// Accounts have the keys from 1 on, and counters those behind them.
const ACCOUNTS: i64 = 8;
const COUNTERS: i64 = 4;
/// In each of them at first.
const QUANTITY: i64 = 100;

/// As many as processes of an application.
const POOLS: u32 = 3;
/// Of each pool; fewer than clients, who so wait for each other.
const CONNECTIONS: u32 = 3;
/// Of each pool.
const CLIENTS: u64 = 4;

/// Once the faults have stopped, everybody is done within this time.
const BOUND: Duration = Duration::from_secs(15);

pub(crate) async fn run(stage: &Stage) -> Result<Tally> {
    let address = stage.database().await?;
    let direct = address.connect(1).await?;
    row::create(&direct, ACCOUNTS + COUNTERS, QUANTITY).await?;
    receipt::create(&direct).await?;
    let first = row::all(&direct).await?;
    // All sessions of the database are the clients' from here on.
    direct.close().await?;

    let proxy = Proxy::start(&address).await?;
    let log = Arc::new(Log::default());
    let is_over = Arc::new(AtomicBool::new(false));
    let mut pools = Vec::new();
    let mut clients = JoinSet::new();
    for pool in 0..POOLS {
        let mut options = proxy.options(&address, CONNECTIONS);
        options
            .acquire_timeout(Duration::from_millis(600))
            // Where it is not tested, a dead connection is found by whoever uses it.
            .test_before_acquire(pool > 0);
        let db = Database::connect(options).await?;
        for number in 0..CLIENTS {
            let client = Client {
                db: db.clone(),
                log: Arc::clone(&log),
                random: stage.random(10 + u64::from(pool) * CLIENTS + number),
                is_over: Arc::clone(&is_over),
            };
            clients.spawn(client.run());
        }
        pools.push(db);
    }

    nemesis::haunt(&proxy, &mut stage.random(2), Instant::now() + stage.time).await;
    proxy.calm();
    if stage.backend == Backend::MariaDb {
        // sqlx 0.9 waits for ever on a connection whose statement was dropped when the answer to its PREPARE had been read in part.
        proxy.hang_up().await;
    }
    is_over.store(true, Ordering::Relaxed);
    let mut tally = Tally::default();
    let since = Instant::now();
    let ended = tokio::time::timeout(BOUND, async {
        while let Some(client) = clients.join_next().await {
            client??;
        }
        are_usable(&pools).await
    });
    tally.faults = proxy.faults();
    let Ok(ended) = ended.await else {
        let violation = format!("not everybody is done {BOUND:?} after the faults");
        tally.violations.push(violation);
        return Ok(tally);
    };
    ended?;
    if tally.faults == 0 {
        return Err("no fault has reached anybody".into());
    }
    let took = since.elapsed();
    drop(clients);

    let verdict = judge(&address, pools, proxy, &log, first, &mut tally).await?;
    tally.notes.push(format!(
        "Through the proxy on {}: {} committed, and {} of {} unknown attempts were done. The last client was done {:.1} s after the last fault.",
        stage.backend.name(),
        verdict.committed,
        verdict.unknown_that_happened,
        verdict.unknown,
        took.as_secs_f64()
    ));
    Ok(tally)
}

/// Each pool has all its connections to give, and each of them takes work.
async fn are_usable(pools: &[DatabaseConnection]) -> Result<()> {
    for pool in pools {
        let mut open = Vec::new();
        for _ in 0..CONNECTIONS {
            open.push(begin(pool).await);
        }
        for txn in open {
            txn.commit().await?;
        }
    }
    Ok(())
}

/// A transaction that has read. One connection after another that has died in the pool is found by this.
async fn begin(pool: &DatabaseConnection) -> sea_orm::DatabaseTransaction {
    loop {
        let begun = async {
            let txn = pool.begin().await?;
            row::Entity::find_by_id(1_i64).one(&txn).await?;
            Ok::<_, DbErr>(txn)
        };
        if let Ok(txn) = begun.await {
            return txn;
        }
    }
}

/// What the rows say in the end, once the server has done with all that it was sent.
async fn judge(
    address: &Address,
    pools: Vec<DatabaseConnection>,
    proxy: Proxy,
    log: &Log,
    first: Vec<row::Model>,
    tally: &mut Tally,
) -> Result<Verdict> {
    let listener = proxy.address();
    // Ends all connections, which the pools still hold.
    drop(proxy);
    let server = address.backend.url().ok_or("there is no server")?;
    let server = Database::connect(server).await?;
    let name = address.schema.as_deref().or(address.url.rsplit('/').next());
    all_have_ended(address.backend, &server, name.unwrap_or_default()).await?;
    server.close().await?;
    if TcpStream::connect(listener).await.is_ok() {
        tally.violations.push("the proxy is still there".to_owned());
    }
    for pool in pools {
        tokio::time::timeout(BOUND, pool.close()).await??;
    }

    let direct = address.connect(1).await?;
    let last = row::all(&direct).await?;
    let receipts = receipt::Entity::find().all(&direct).await?;
    direct.close().await?;

    let (attempts, calls) = log.take();
    tally.operations = attempts.len() as u64;
    tally.conflicts = calls.conflicts;
    let mut history = History {
        first: row::seen(&first),
        attempts,
        last: row::seen(&last),
    };
    let writer = |receipt: &receipt::Model| Id(receipt.writer.cast_unsigned());
    let receipts = receipts
        .iter()
        .map(|receipt| (-receipt.id, Seen::by(writer(receipt), 1)));
    history.last.extend(receipts);
    let verdict = check(&history);
    tally.unknowns = verdict.unknown as u64;
    if !verdict.is_clean() {
        tally.violations.push(verdict.to_string());
    }
    tally.violations.extend(calls.strange);
    let (accounts, counters): (Vec<_>, Vec<_>) = last.iter().partition(|row| row.id <= ACCOUNTS);
    let balance: i64 = accounts.iter().map(|row| row.qty).sum();
    if balance != ACCOUNTS * QUANTITY {
        tally
            .violations
            .push(format!("the accounts hold {balance}: {accounts:?}"));
    }
    for counter in counters {
        if counter.qty - QUANTITY != counter.version - 1 {
            tally
                .violations
                .push(format!("not one more in each version: {counter:?}"));
        }
    }
    Ok(verdict)
}
