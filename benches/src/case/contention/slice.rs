//! One way for a moment: as many operations as its tasks can do, all of them checked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::DatabaseConnection;

use super::ways::Way;
use crate::stats::as_f64;
use crate::{Result, database};

/// Where a way runs.
pub(super) struct Arena {
    pub(super) db: DatabaseConnection,
}

pub(super) struct Slice {
    /// Milliseconds of each operation, from its start through all its retries.
    pub(super) latencies: Vec<f64>,
    pub(super) conflicts: u64,
    /// Until the last task was done.
    pub(super) took: Duration,
}

impl Slice {
    pub(super) fn throughput(&self) -> f64 {
        as_f64(self.latencies.len()) / self.took.as_secs_f64()
    }
}

impl Arena {
    /// Fails if a unit was lost, or a version did not advance once for each operation.
    pub(super) async fn run(&self, way: Way, rows: i32, tasks: usize, time: Duration) -> Result<Slice> {
        let before = self.sums().await?;
        let conflicts = Arc::new(AtomicU64::new(0));
        let started = Instant::now();
        let running: Vec<_> = (0..tasks)
            .map(|_| tokio::spawn(work(way, self.db.clone(), rows, started + time, Arc::clone(&conflicts))))
            .collect();
        let mut latencies = Vec::new();
        for task in running {
            latencies.extend(task.await??);
        }
        let took = started.elapsed();
        let after = self.sums().await?;
        let done = i64::try_from(latencies.len())?;
        let (units, steps) = (before.0 - after.0, after.1 - before.1);
        if (units, steps) != (done, done) {
            let way = way.name();
            return Err(
                format!("{way}: {done} operations took {units} units and advanced the versions by {steps}").into(),
            );
        }
        Ok(Slice {
            latencies,
            conflicts: conflicts.load(Ordering::Relaxed),
            took,
        })
    }

    /// All units, and all versions.
    async fn sums(&self) -> Result<(i64, i64)> {
        let rows = database::rows(&self.db).await?;
        let units = rows.iter().map(|row| i64::from(row.stock)).sum();
        Ok((units, rows.iter().map(|row| row.version).sum()))
    }
}

async fn work(
    way: Way,
    db: DatabaseConnection,
    rows: i32,
    until: Instant,
    conflicts: Arc<AtomicU64>,
) -> Result<Vec<f64>> {
    let mut latencies = Vec::new();
    loop {
        let started = Instant::now();
        if started >= until {
            return Ok(latencies);
        }
        way.take(&db, fastrand::i32(1..=rows), &conflicts).await?;
        latencies.push(started.elapsed().as_secs_f64() * 1e3);
    }
}
