//! Many tasks that take units off the same few rows.

mod figures;
mod slice;
mod ways;

use std::time::Duration;

use sea_orm::DatabaseConnection;

use crate::Result;
use crate::data::Findings;
use crate::database::{self, Backend, Target};
use crate::options::Length;
use crate::progress::Progress;
use figures::Cell;
use slice::Arena;
use ways::Way;

pub(super) const ROWS: [i32; 4] = [1, 10, 100, 1_000];
pub(super) const TASKS: [usize; 3] = [2, 8, 32];
/// One row only: this is where callers combine.
const CROWD: usize = 64;

pub(super) async fn run(target: &Target, length: Length) -> Result<Findings> {
    let time = Duration::from_millis(length.pick(250, 700, 1_000));
    let slices = match target.backend {
        Backend::Sqlite => length.pick(1, 2, 5),
        _ => length.pick(1, 3, 5),
    };
    let rows: &[i32] = length.pick(&ROWS[..2], &ROWS, &ROWS);
    let arenas = arenas(target).await?;
    let mut cells = Vec::new();
    for rows in rows {
        for tasks in TASKS {
            cells.push(Cell::new(*rows, tasks));
        }
    }
    cells.push(Cell::new(1, CROWD));

    let label = format!("contention, {}", target.backend.title());
    let mut progress = Progress::new(label, cells.len() * slices);
    for cell in &mut cells {
        for slice in 0..slices {
            for turn in 0..cell.figures.len() {
                let number = (slice + turn) % cell.figures.len();
                let (way, rows, tasks) = (cell.figures[number].way, cell.rows, cell.tasks);
                let arena = arenas
                    .iter()
                    .find(|(name, _)| *name == way.name())
                    .map(|(_, arena)| arena);
                let arena = arena.ok_or("a way without a place to run")?;
                let slice = arena.run(way, rows, tasks, time).await?;
                cell.figures[number].slices.push(slice);
            }
            progress.step();
        }
    }
    Ok(figures::findings(target.backend, &cells, slices, time))
}

/// A place for each way: on SQLite with a file of its own, so that nobody pays for another's checkpoints.
async fn arenas(target: &Target) -> Result<Vec<(&'static str, Arena)>> {
    const UNITS: i32 = 2_000_000_000;
    let connections = if target.backend == Backend::Sqlite { 4 } else { 16 };
    let mut arenas = Vec::new();
    let mut shared = None;
    for (number, way) in Way::ALL.into_iter().enumerate() {
        let db = if let Some(db) = &shared {
            DatabaseConnection::clone(db)
        } else {
            let db = target.pool(&format!("contention-{number}"), connections).await?;
            database::fill(&db, ROWS[ROWS.len() - 1], UNITS).await?;
            db
        };
        if target.backend != Backend::Sqlite {
            shared = Some(db.clone());
        }
        arenas.push((way.name(), Arena { db }));
    }
    Ok(arenas)
}
