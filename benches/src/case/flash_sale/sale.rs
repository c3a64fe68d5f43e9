//! One sale: the tasks, what they got, and what is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, DatabaseConnection, EntityTrait as _};
use tokio::sync::watch;

use super::token;
use super::ways::Way;
use crate::Result;
use crate::database::{fill, rows};
use crate::stats::as_f64;

pub(super) struct Limits {
    pub(super) units: i32,
    pub(super) tasks: usize,
    pub(super) attempts: usize,
    pub(super) after_sell_out: Duration,
}

#[derive(Default)]
pub(super) struct Outcome {
    /// Milliseconds of each attempt that bought a unit.
    pub(super) buyers: Vec<f64>,
    pub(super) refused: Vec<f64>,
    /// When the last unit was sold.
    pub(super) sold_out_after: Duration,
    refused_after_sell_out: usize,
    took: Duration,
    /// Units that the database still has.
    pub(super) left: i64,
    units: i64,
}

impl Outcome {
    pub(super) fn attempts(&self) -> usize {
        self.buyers.len() + self.refused.len()
    }

    pub(super) fn rate_after_sell_out(&self) -> f64 {
        let time = self.took.saturating_sub(self.sold_out_after).as_secs_f64();
        as_f64(self.refused_after_sell_out) / time.max(f64::EPSILON)
    }

    /// By how much what the clients bought is more than what is gone, or more than there was.
    pub(super) fn oversold(&self) -> u64 {
        let sold = i64::try_from(self.buyers.len()).unwrap_or(i64::MAX);
        let gone = self.units - self.left;
        u64::try_from((sold - gone).max(sold - self.units)).unwrap_or(0)
    }
}

/// The tables anew: one product with all units, and one token for each.
pub(super) async fn stock_up(db: &DatabaseConnection, units: i32) -> Result<()> {
    fill(db, 1, units).await?;
    for statement in [
        "DROP TABLE IF EXISTS token".to_owned(),
        "CREATE TABLE token (id INTEGER PRIMARY KEY, buyer INTEGER, version BIGINT NOT NULL)".to_owned(),
        format!("INSERT INTO token (id, version) SELECT id, 1 FROM generate_series(1, {units}) AS id"),
        "CREATE INDEX unsold ON token (id) WHERE buyer IS NULL".to_owned(),
        "ANALYZE token".to_owned(),
    ] {
        db.execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// What all tasks of a sale share.
struct Sale {
    db: DatabaseConnection,
    way: Way,
    units: usize,
    attempts: usize,
    started: Instant,
    next: AtomicUsize,
    sold: AtomicUsize,
    is_known_to_be_sold_out: AtomicBool,
    stop: watch::Receiver<bool>,
    /// Told when the last unit is sold.
    sell_out: watch::Sender<Option<Duration>>,
}

/// What one task got: milliseconds, and when it was answered.
#[derive(Default)]
struct Receipts {
    bought: Vec<(f64, Duration)>,
    refused: Vec<(f64, Duration)>,
}

pub(super) async fn run(db: &DatabaseConnection, way: Way, limits: &Limits) -> Result<Outcome> {
    let (stop, stopped) = watch::channel(false);
    let (sell_out, mut sold_out) = watch::channel(None);
    let sale = Arc::new(Sale {
        db: db.clone(),
        way,
        units: usize::try_from(limits.units)?,
        attempts: limits.attempts,
        started: Instant::now(),
        next: AtomicUsize::new(0),
        sold: AtomicUsize::new(0),
        is_known_to_be_sold_out: AtomicBool::new(false),
        stop: stopped,
        sell_out,
    });
    let tasks: Vec<_> = (0..limits.tasks)
        .map(|_| tokio::spawn(shop(Arc::clone(&sale))))
        .collect();
    let patience = limits.after_sell_out;
    let timer = tokio::spawn(async move {
        // An error says that all tasks are done, and nobody has to be stopped.
        if sold_out.wait_for(Option::is_some).await.is_ok() {
            tokio::time::sleep(patience).await;
            let _ = stop.send(true);
        }
    });
    let mut outcome = Outcome {
        units: i64::from(limits.units),
        ..Outcome::default()
    };
    let mut all = Receipts::default();
    for task in tasks {
        let receipts = task.await??;
        all.bought.extend(receipts.bought);
        all.refused.extend(receipts.refused);
    }
    timer.abort();
    outcome.took = sale.started.elapsed();
    outcome.sold_out_after = all.bought.iter().map(|(_, at)| *at).max().unwrap_or_default();
    let late = all.refused.iter().filter(|(_, at)| *at > outcome.sold_out_after);
    outcome.refused_after_sell_out = late.count();
    outcome.buyers = all.bought.into_iter().map(|(latency, _)| latency).collect();
    outcome.refused = all.refused.into_iter().map(|(latency, _)| latency).collect();
    outcome.left = left(db, way, limits.units).await?;
    Ok(outcome)
}

async fn shop(sale: Arc<Sale>) -> Result<Receipts> {
    let mut receipts = Receipts::default();
    loop {
        let number = sale.next.fetch_add(1, Ordering::Relaxed);
        if number >= sale.attempts || *sale.stop.borrow() {
            return Ok(receipts);
        }
        let started = Instant::now();
        let buyer = i32::try_from(number)?;
        let bought = sale.way.buy(&sale.db, buyer, &sale.is_known_to_be_sold_out).await?;
        let receipt = (started.elapsed().as_secs_f64() * 1e3, sale.started.elapsed());
        if bought {
            receipts.bought.push(receipt);
            if sale.sold.fetch_add(1, Ordering::Relaxed) + 1 == sale.units {
                sale.sell_out.send_replace(Some(receipt.1));
            }
        } else {
            receipts.refused.push(receipt);
        }
    }
}

/// What the database says is left.
async fn left(db: &DatabaseConnection, way: Way, units: i32) -> Result<i64> {
    match way {
        Way::OneRow | Way::OneRowByHand | Way::Modify | Way::Combined => {
            Ok(rows(db).await?.iter().map(|row| i64::from(row.stock)).sum())
        }
        Way::Tokens | Way::TokensInOneStatement => {
            let tokens = token::Entity::find().all(db).await?;
            if tokens.len() != usize::try_from(units)? {
                return Err(format!("there are {} tokens instead of {units}", tokens.len()).into());
            }
            let unsold = tokens.iter().filter(|token| token.buyer.is_none());
            Ok(i64::try_from(unsold.count())?)
        }
    }
}
