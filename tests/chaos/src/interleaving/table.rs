//! The table in GUARANTEES.md.

use std::fmt;
use std::marker::PhantomData;

use optlock::Fault;

use super::judge::{Refusal, Verdict};
use super::level::Level;
use super::way::Way;
use super::worker::Finished;

const GUARANTEES: &str = include_str!("../../../../GUARANTEES.md");

/// What has come of all orders, for each level and way.
pub(crate) struct Table<W> {
    lines: Vec<Line>,
    ways: PhantomData<W>,
}

struct Line {
    level: &'static Level,
    cells: Vec<Cell>,
    waits: usize,
    deadlocks: usize,
}

#[derive(Clone, Default)]
struct Cell {
    serial: usize,
    anomalies: usize,
    conflicts: usize,
    aborts: usize,
}

impl<W: Way> Table<W> {
    pub(crate) fn new(levels: &'static [Level]) -> Self {
        let lines = levels.iter().map(|level| Line {
            level,
            cells: vec![Cell::default(); W::ALL.len()],
            waits: 0,
            deadlocks: 0,
        });
        Self {
            lines: lines.collect(),
            ways: PhantomData,
        }
    }

    pub(crate) fn enter(&mut self, level: &Level, way: W, finished: &Finished) {
        let line = self.lines.iter_mut().find(|line| line.level.name() == level.name());
        let line = line.expect("a level of this backend");
        let column = W::ALL.iter().position(|other| *other == way).expect("one of all ways");
        let cell = &mut line.cells[column];
        match finished.verdict {
            Verdict::Serial => cell.serial += 1,
            Verdict::Anomaly => cell.anomalies += 1,
            Verdict::Conflict => cell.conflicts += 1,
            Verdict::Aborted => cell.aborts += 1,
            // It is a violation already.
            Verdict::Wrong(_) => {}
        }
        line.waits += usize::from(finished.has_waited);
        line.deadlocks += usize::from(finished.told.contains(&Err(Refusal::Aborted(Fault::Deadlock))));
    }

    /// How many orders have ended with somebody who was refused.
    pub(crate) fn refusals(&self) -> u64 {
        let cells = self.lines.iter().flat_map(|line| &line.cells);
        cells.map(|cell| (cell.conflicts + cell.aborts) as u64).sum()
    }

    /// What is not as it is known to be, or as GUARANTEES.md says.
    pub(crate) fn objections(&self) -> Vec<String> {
        let mut objections = Vec::new();
        for line in &self.lines {
            for (way, cell) in W::ALL.iter().zip(&line.cells) {
                if way.has_anomalies(line.level) && cell.anomalies == 0 {
                    objections.push(format!(
                        "{}, {}: it is known that {}, and in no order is that so",
                        line.level.name(),
                        way.name(),
                        W::ANOMALY
                    ));
                }
            }
        }
        for text in [head::<W>()].into_iter().chain(self.lines.iter().map(Line::to_string)) {
            if !GUARANTEES.lines().any(|line| line == text) {
                objections.push(format!("GUARANTEES.md does not say so:\n{text}"));
            }
        }
        objections
    }
}

impl<W: Way> fmt::Display for Table<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}\n| ---{}", head::<W>(), " | ---".repeat(W::ALL.len()) + " |")?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        for line in &self.lines {
            write!(
                f,
                "\n{}: somebody waited for a lock in {} of {} orders, and {} ended in a deadlock.",
                line.level.name(),
                line.waits,
                70 * W::ALL.len(),
                line.deadlocks
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| {} |", self.level.name())?;
        for cell in &self.cells {
            write!(
                f,
                " {} / {} / {} / {} |",
                cell.serial, cell.anomalies, cell.conflicts, cell.aborts
            )?;
        }
        Ok(())
    }
}

fn head<W: Way>() -> String {
    let names: Vec<_> = W::ALL.iter().map(|way| way.name()).collect();
    format!("| {} | {} |", W::TITLE, names.join(" | "))
}
