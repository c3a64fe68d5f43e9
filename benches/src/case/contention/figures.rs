//! What the slices say: the table, the goals and the plots.

use std::time::Duration;

use super::slice::Slice;
use super::ways::Way;
use super::{CROWD, ROWS, TASKS};
use crate::data::{Bound, Findings, Goal, Plot, Shape, Table};
use crate::database::Backend;
use crate::stats::{Spread, as_f64, figure, percentile};

/// So many rows and so many tasks.
pub(super) struct Cell {
    pub(super) rows: i32,
    pub(super) tasks: usize,
    pub(super) figures: Vec<Figures>,
}

pub(super) struct Figures {
    pub(super) way: Way,
    pub(super) slices: Vec<Slice>,
}

impl Figures {
    fn throughputs(&self) -> Vec<f64> {
        self.slices.iter().map(Slice::throughput).collect()
    }

    fn throughput(&self) -> f64 {
        Spread::of(&self.throughputs()).median
    }

    fn latency(&self, share: f64) -> f64 {
        let all: Vec<f64> = self
            .slices
            .iter()
            .flat_map(|slice| slice.latencies.iter().copied())
            .collect();
        percentile(&all, share)
    }

    /// Of all tries, those that a rival came before.
    fn conflicts(&self) -> f64 {
        let conflicts: u64 = self.slices.iter().map(|slice| slice.conflicts).sum();
        let done: usize = self.slices.iter().map(|slice| slice.latencies.len()).sum();
        let conflicts = as_f64(usize::try_from(conflicts).unwrap_or(usize::MAX));
        conflicts / (conflicts + as_f64(done))
    }
}

impl Cell {
    pub(super) fn new(rows: i32, tasks: usize) -> Self {
        let figures = Way::of_cell(rows, tasks).into_iter().map(|way| Figures {
            way,
            slices: Vec::new(),
        });
        Self {
            rows,
            tasks,
            figures: figures.collect(),
        }
    }

    fn of(&self, way: Way) -> Option<&Figures> {
        self.figures.iter().find(|figures| figures.way == way)
    }

    fn throughput_ratio(&self, way: Way, other: Way) -> Option<Spread> {
        Some(Spread::of_ratios(
            &self.of(way)?.throughputs(),
            &self.of(other)?.throughputs(),
        ))
    }

    /// `modify` against whichever of the two a user could choose is faster here.
    fn modify_to_better(&self) -> Option<Spread> {
        let (jitter, lock) = (self.of(Way::Jitter)?, self.of(Way::ForUpdate)?);
        let better = if jitter.throughput() > lock.throughput() {
            Way::Jitter
        } else {
            Way::ForUpdate
        };
        self.throughput_ratio(Way::Modify, better)
    }
}

pub(super) fn findings(backend: Backend, cells: &[Cell], slices: usize, time: Duration) -> Findings {
    Findings {
        notes: Vec::new(),
        tables: vec![table(cells, slices, time), ratios(cells)],
        goals: goals(backend, cells),
        plots: vec![
            plot(
                backend,
                cells,
                "throughput",
                "committed operations a second",
                Figures::throughput,
            ),
            plot(backend, cells, "p99", "99th percentile of the latency, ms", |figures| {
                figures.latency(0.99)
            }),
        ],
    }
}

fn table(cells: &[Cell], slices: usize, time: Duration) -> Table {
    let mut table = Table::new(
        format!("{slices} slices of {} ms for each way in each cell", time.as_millis()),
        [
            "rows",
            "tasks",
            "way",
            "operations a second",
            "conflicts",
            "p50, ms",
            "p99, ms",
            "most, ms",
        ],
    );
    for cell in cells {
        for figures in &cell.figures {
            table.rows.push(vec![
                cell.rows.to_string(),
                cell.tasks.to_string(),
                figures.way.name().to_owned(),
                figure(figures.throughput()),
                format!("{:.1} %", figures.conflicts() * 100.0),
                figure(figures.latency(0.5)),
                figure(figures.latency(0.99)),
                figure(figures.latency(1.0)),
            ]);
        }
    }
    table
}

fn ratios(cells: &[Cell]) -> Table {
    let mut table = Table::new(
        "`modify` in each cell: throughput, of the better of jittered optimism and `for_update`",
        ["rows", "tasks", "median", "p10–p90"],
    );
    for cell in cells {
        if let Some(spread) = cell.modify_to_better() {
            let (rows, tasks) = (cell.rows.to_string(), cell.tasks.to_string());
            table
                .rows
                .push(vec![rows, tasks, figure(spread.median), spread.range()]);
        }
    }
    table
}

fn goals(backend: Backend, cells: &[Cell]) -> Vec<Goal> {
    let mut goals = Vec::new();
    let of_the_grid = cells.iter().filter(|cell| cell.tasks != CROWD);
    let ratios = of_the_grid.filter_map(|cell| Some((cell, cell.modify_to_better()?)));
    if let Some((cell, worst)) = ratios.min_by(|(_, a), (_, b)| a.median.total_cmp(&b.median)) {
        let what = format!(
            "{}: throughput of `modify`, of the better of jitter and `for_update`, in the worst cell (rows {}, tasks {})",
            backend.title(),
            cell.rows,
            cell.tasks
        );
        goals.push(Goal::new(what, Bound::AtLeast(1.0), worst.median).with_range(worst.range()));
    }
    for cell in cells
        .iter()
        .filter(|cell| cell.rows == 1 && TASKS[1..].contains(&cell.tasks))
    {
        let place = format!("{}, one row, {} tasks", backend.title(), cell.tasks);
        if let Some(spread) = cell.modify_to_better() {
            let what = format!("{place}: throughput of `modify`, of the better of jitter and `for_update`");
            goals.push(Goal::new(what, Bound::AtLeast(1.2), spread.median).with_range(spread.range()));
        }
        if let (Some(modify), Some(lock)) = (cell.of(Way::Modify), cell.of(Way::ForUpdate)) {
            let what = format!("{place}: 99th percentile of `modify`, of `for_update`'s");
            goals.push(Goal::new(
                what,
                Bound::AtMost(0.7),
                modify.latency(0.99) / lock.latency(0.99),
            ));
        }
    }
    // What is to beat `for_update` on one row, with how many tasks, and by how much.
    let mut wanted = vec![(32, Way::Conditional, 1.4)];
    if backend != Backend::Sqlite {
        wanted.push((CROWD, Way::Combined, 8.0));
    }
    for (tasks, way, bound) in wanted {
        let cell = cells.iter().find(|cell| (cell.rows, cell.tasks) == (1, tasks));
        if let Some(spread) = cell.and_then(|cell| cell.throughput_ratio(way, Way::ForUpdate)) {
            let what = format!(
                "{}, one row, {tasks} tasks: throughput of {}, of `for_update`",
                backend.title(),
                way.name()
            );
            goals.push(Goal::new(what, Bound::AtLeast(bound), spread.median).with_range(spread.range()));
        }
    }
    goals
}

/// One row, by the number of tasks.
fn plot(backend: Backend, cells: &[Cell], what: &str, unit: &str, value: fn(&Figures) -> f64) -> Plot {
    let cells: Vec<&Cell> = cells.iter().filter(|cell| cell.rows == ROWS[0]).collect();
    let lines = Way::ALL.into_iter().map(|way| {
        let values = cells.iter().map(|cell| cell.of(way).map(value));
        (way.name().replace('`', ""), values.collect())
    });
    Plot {
        name: format!("contention-{what}-{}", backend.name()),
        title: format!("{}: many tasks change one row", backend.title()),
        unit: unit.to_owned(),
        shape: Shape::Lines {
            axis: "tasks".to_owned(),
            places: cells.iter().map(|cell| cell.tasks.to_string()).collect(),
            lines: lines.collect(),
            // From waiting in line to one write for all, there are orders of magnitude.
            logarithmic: true,
        },
    }
}
