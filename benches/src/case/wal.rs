//! The size of SQLite's WAL after many updates.

use std::fs;
use std::path::PathBuf;

use crate::Result;
use crate::candidate::{self, Entrant, OURS, Pick, SEA_ORM, Share, TOASTY};
use crate::data::{Bound, Findings, Goal, Table};
use crate::database::{self, Target};
use crate::options::Length;
use crate::progress::Progress;
use crate::stats::figure;

const ROWS: i32 = 10_000;

pub(super) async fn run(target: &Target, length: Length) -> Result<Findings> {
    let updates = length.pick(3_000, 30_000, 30_000);
    let mut table = Table::new(format!("After {updates} updates"), ["candidate", "WAL, MiB"]);
    let mut goals = Vec::new();
    let count = candidate::count(target.backend);
    let mut progress = Progress::new("wal, SQLite", count);
    for number in 0..count {
        let file = format!("wal-{number}");
        let db = target.pool(&file, 1).await?;
        database::fill(&db, ROWS, 100).await?;
        let rows = database::rows(&db).await?;
        // Closing the last connection removes the WAL, so that each begins without one.
        db.close().await?;
        let slots = rows.len();
        let Entrant { about, mut candidate } = candidate::enter(number, Share { target, file, rows }).await?;
        if [SEA_ORM, TOASTY, OURS].contains(&about.name) || about.name.starts_with("optlock") {
            let pick = |_| Pick {
                slot: fastrand::usize(..slots),
                stock: fastrand::i32(0..1_000_000),
            };
            let picks: Vec<Pick> = (0..updates).map(pick).collect();
            candidate.round(&picks).await?;
            let size = mebibytes(target.path(&about.file))?;
            table.rows.push(vec![about.name.to_owned(), figure(size)]);
            if about.name == OURS {
                let what = format!("SQLite: MiB of WAL after {updates} updates");
                goals.push(Goal::new(what, Bound::AtMost(10.0), size));
            }
        }
        progress.step();
    }
    Ok(Findings {
        tables: vec![table],
        goals,
        ..Findings::default()
    })
}

fn mebibytes(file: PathBuf) -> Result<f64> {
    let mut wal = file.into_os_string();
    wal.push("-wal");
    let kibibytes = u32::try_from(fs::metadata(&wal)?.len() >> 10)?;
    Ok(f64::from(kibibytes) / 1024.0)
}
