//! All orders in which two clients can begin, read, write and commit, at each isolation level of each database.

mod client;
mod counter;
mod duty;
mod gate;
mod judge;
mod level;
mod order;
mod row;
mod schedule;
mod table;
mod undone;
mod view;
mod way;
mod worker;

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::try_join_all;

use crate::Result;
use crate::stage::Stage;
use crate::tally::Tally;
use judge::Verdict;
use level::Level;
use order::Order;
use table::Table;
use view::View;
use way::Way;
use worker::{Finished, Worker};

/// Plays them all. What comes of them is in the tables of GUARANTEES.md, number by number.
pub(crate) async fn run(stage: &Stage) -> Result<Tally> {
    // Each worker has two sessions. InnoDB's view is fresh ten times a second, so there it takes many to hide the waits.
    let workers = (0..stage.backend.pick(4, 12, 60)).map(|_| Worker::start(stage));
    let mut workers = try_join_all(workers).await?;
    let view = View::open(stage).await?;
    let mut tally = Tally::default();
    tally.add(of::<counter::Way>(stage, &mut workers, &view).await?);
    tally.add(of::<duty::Way>(stage, &mut workers, &view).await?);
    tally.add(of::<undone::Way>(stage, &mut workers, &view).await?);
    try_join_all(workers.into_iter().map(Worker::end)).await?;
    Ok(tally)
}

/// All orders of each of these ways.
async fn of<W: Way>(stage: &Stage, workers: &mut [Worker], view: &View) -> Result<Tally> {
    let levels = Level::all(stage.backend);
    let orders = Order::all();
    let mut games = Vec::new();
    for level in levels {
        for &way in W::ALL {
            games.extend(orders.iter().map(|&order| (level, way, order)));
        }
    }

    let next = AtomicUsize::new(0);
    let (games, next) = (&games, &next);
    let played = try_join_all(workers.iter_mut().map(|worker| async move {
        let mut finished = Vec::new();
        while let Some(&(level, way, order)) = games.get(next.fetch_add(1, Ordering::Relaxed)) {
            finished.push((level, way, order, worker.play(level, way, order, view).await?));
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(finished)
    }))
    .await?;

    let mut table = Table::<W>::new(levels);
    let mut violations = Vec::new();
    for (level, way, order, finished) in played.into_iter().flatten() {
        if let Some(what) = objection(level, way, &finished) {
            violations.push(format!(
                "{}, {}, {}: {what}\n  {finished:?}",
                level.name(),
                way.name(),
                order.of(way)
            ));
        }
        table.enter(level, way, &finished);
    }
    violations.sort();
    violations.extend(table.objections());
    if !violations.is_empty() {
        violations.push(format!("what came of all orders:\n{table}"));
    }
    Ok(Tally {
        operations: u64::try_from(games.len())?,
        conflicts: table.refusals(),
        violations,
        ..Tally::default()
    })
}

/// What must not have come of an order, whatever else comes of others.
fn objection<W: Way>(level: &Level, way: W, finished: &Finished) -> Option<String> {
    match &finished.verdict {
        Verdict::Wrong(what) => Some(what.clone()),
        Verdict::Anomaly if !way.has_anomalies(level) => Some(format!("{}, and nobody was told", W::ANOMALY)),
        _ => None,
    }
}
