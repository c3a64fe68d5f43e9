//! Many rows, each checked against its own version.

mod by_hand;
mod loops;
mod ours;

use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::Result;
use crate::data::{Bound, Findings, Goal, Plot, Shape, Table};
use crate::database::{self, Backend, Target};
use crate::options::Length;
use crate::progress::Progress;
use crate::stats::{Spread, as_f64, figure};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const LOOP: &str = "loop in one transaction, sqlx by hand";
const BY_HAND: &str = "one statement, sqlx by hand";
const OURS: &str = "optlock `update_batch`";
const OURS_NO_ROWS: &str = "optlock `update_batch`, no rows back";

/// A new stock for some rows, all of which are at one version.
pub(super) struct Change {
    ids: Vec<i32>,
    stocks: Vec<i32>,
    version: i64,
}

/// A way to write all of them.
#[async_trait]
trait Way: Send {
    /// Makes what the caller would hold already; not counted.
    fn prepare(&mut self, _: &Change) {}

    async fn write(&mut self, change: &Change) -> Result<()>;
}

struct Entrant {
    name: &'static str,
    way: Box<dyn Way>,
    /// Milliseconds by repetition.
    times: Vec<f64>,
}

pub(super) async fn run(target: &Target, length: Length) -> Result<Findings> {
    let backend = target.backend;
    let setup = target.pool("batch", 1).await?;
    let mut findings = Findings::default();
    let mut lines: Vec<(String, Vec<Option<f64>>)> = Vec::new();
    for size in SIZES {
        let repetitions = match size {
            10 => length.pick(5, 101, 301),
            100 => length.pick(5, 51, 101),
            1_000 => length.pick(3, 31, 61),
            _ => length.pick(1, 7, 15),
        };
        // Each way leaves all rows one version further, which is where the next one begins.
        database::fill(&setup, i32::try_from(size)?, 100).await?;
        let mut version = 1;
        let mut entrants = enter_all(target, &setup).await?;
        let mut progress = Progress::new(format!("batch of {size}, {}", backend.title()), repetitions + 1);
        // The first repetition is not counted: it prepares the statements.
        for repetition in 0..=repetitions {
            for turn in 0..entrants.len() {
                let number = (repetition + turn) % entrants.len();
                let change = change(size, version)?;
                entrants[number].way.prepare(&change);
                let started = Instant::now();
                entrants[number].way.write(&change).await?;
                let took = started.elapsed();
                version += 1;
                if repetition > 0 {
                    entrants[number].times.push(millis(took));
                }
            }
            progress.step();
        }
        let rows = database::rows(&setup).await?;
        if let Some(row) = rows.iter().find(|row| row.version != version) {
            return Err(format!(
                "row {} is at version {} and should be at {version}",
                row.id, row.version
            )
            .into());
        }
        add(&mut findings, backend, size, repetitions, &entrants);
        for entrant in &entrants {
            let rate = as_f64(size) / Spread::of(&entrant.times).median * 1e3;
            match lines.iter_mut().find(|(name, _)| name == entrant.name) {
                Some((_, rates)) => rates.push(Some(rate)),
                None => lines.push((entrant.name.to_owned(), vec![Some(rate)])),
            }
        }
    }
    for (name, _) in &mut lines {
        *name = name.replace('`', "");
    }
    findings.plots.push(Plot {
        name: format!("batch-{}", backend.name()),
        title: format!("{}: many rows at once, each with its version", backend.title()),
        unit: "rows a second".to_owned(),
        shape: Shape::Lines {
            axis: "rows in a batch".to_owned(),
            places: SIZES.map(|size| size.to_string()).to_vec(),
            lines,
            logarithmic: true,
        },
    });
    Ok(findings)
}

async fn enter_all(target: &Target, setup: &sea_orm::DatabaseConnection) -> Result<Vec<Entrant>> {
    let rows = database::rows(setup).await?;
    let ways: Vec<(&'static str, Box<dyn Way>)> = vec![
        (LOOP, loops::by_hand(target).await?),
        (
            "loop in one transaction, optlock `update`",
            Box::new(loops::Ours::new(target, &rows).await?),
        ),
        (BY_HAND, by_hand::statement(target, rows.len()).await?),
        (OURS, Box::new(ours::Batch::new(target, &rows, true).await?)),
        (OURS_NO_ROWS, Box::new(ours::Batch::new(target, &rows, false).await?)),
    ];
    let entrants = ways.into_iter().map(|(name, way)| Entrant {
        name,
        way,
        times: Vec::new(),
    });
    Ok(entrants.collect())
}

/// New values for all rows, in no order.
fn change(size: usize, version: i64) -> Result<Change> {
    let mut ids: Vec<i32> = (1..=i32::try_from(size)?).collect();
    fastrand::shuffle(&mut ids);
    let stocks = ids.iter().map(|_| fastrand::i32(0..1_000_000)).collect();
    Ok(Change { ids, stocks, version })
}

fn add(findings: &mut Findings, backend: Backend, size: usize, repetitions: usize, entrants: &[Entrant]) {
    let empty = Vec::new();
    let times_of = |name| {
        entrants
            .iter()
            .find(|entrant| entrant.name == name)
            .map_or(&empty, |entrant| &entrant.times)
    };
    let (in_loop, by_hand) = (times_of(LOOP), times_of(BY_HAND));
    let mut table = Table::new(
        format!("{size} rows, {repetitions} repetitions"),
        [
            "way",
            "ms, median",
            "µs a row",
            "speed, of the loop by hand",
            "p10–p90",
            "speed, of the statement by hand",
            "p10–p90",
        ],
    );
    for entrant in entrants {
        let median = Spread::of(&entrant.times).median;
        let (of_loop, of_statement) = (
            Spread::of_ratios(in_loop, &entrant.times),
            Spread::of_ratios(by_hand, &entrant.times),
        );
        table.rows.push(vec![
            entrant.name.to_owned(),
            figure(median),
            figure(median * 1e3 / as_f64(size)),
            figure(of_loop.median),
            of_loop.range(),
            figure(of_statement.median),
            of_statement.range(),
        ]);
    }
    findings.tables.push(table);
    if size == 1_000 {
        let speedup = match backend {
            Backend::Postgres => 9.0,
            Backend::MariaDb => 8.0,
            Backend::Sqlite => 4.5,
        };
        // The loop by hand returns its rows, where the backend can; the statement by hand does not.
        for (way, other, times, bound) in [
            (OURS, "the loop in one transaction", in_loop, speedup),
            (OURS_NO_ROWS, "the loop in one transaction", in_loop, speedup),
            (OURS_NO_ROWS, "the best statement by hand", by_hand, 0.85),
        ] {
            let spread = Spread::of_ratios(times, times_of(way));
            let what = format!("{}: speed of {way}, 1,000 rows, of {other}", backend.title());
            findings
                .goals
                .push(Goal::new(what, Bound::AtLeast(bound), spread.median).with_range(spread.range()));
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
