//! Instructions, allocations and time of an update besides its driver, in a process of their own.

use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::data::{Findings, Table};
use crate::database::Backend;
use crate::options::Length;
use crate::progress::Progress;
use crate::stats::{Spread, as_f64, figure};

/// What the program calls them, what we do, and whom each is compared with.
const WHO: [(&str, &str, usize); 4] = [
    ("sea-orm", "SeaORM `update`", 0),
    ("optlock", "optlock `update`", 0),
    ("sea-orm-no-row", "SeaORM `update_without_returning`", 2),
    ("optlock-no-row", "optlock `update_without_returning`", 2),
];

/// Two runs under valgrind, whose difference leaves out how a process starts.
const FEW: u32 = 100;
const MORE: u32 = 400;

/// Of one update.
#[derive(Default)]
struct Figures {
    nanoseconds: Vec<f64>,
    allocations: f64,
    bytes: f64,
    instructions: Option<f64>,
}

pub(super) fn run(length: Length) -> Result<Findings> {
    let rounds = length.pick(3, 5, 75);
    let updates = length.pick(2_000, 5_000, 20_000);
    let mut findings = Findings::default();
    let mut progress = Progress::new("own cost", Backend::ALL.len() * (rounds + 1));
    for backend in Backend::ALL {
        let mut all: Vec<Figures> = WHO.iter().map(|_| Figures::default()).collect();
        for round in 0..rounds {
            for turn in 0..WHO.len() {
                let number = (round + turn) % WHO.len();
                measure(backend, WHO[number].0, updates, &mut all[number])?;
            }
            progress.step();
        }
        for (figures, (who, ..)) in all.iter_mut().zip(WHO) {
            // Under valgrind, every process takes its time.
            if length != Length::Quick || backend == Backend::Postgres {
                figures.instructions = instructions(backend, who);
            }
        }
        progress.step();
        if all.iter().any(|figures| figures.instructions.is_none()) {
            findings.notes =
                vec!["Some instructions were not counted: valgrind is not installed or does not run here, or the run was a quick one.".to_owned()];
        }
        findings.tables.push(table(backend, &all, rounds, updates));
    }
    Ok(findings)
}

fn table(backend: Backend, all: &[Figures], rounds: usize, updates: u32) -> Table {
    let mut table = Table::new(
        format!("SQL for {}; {rounds} rounds of {updates} updates", backend.title()),
        [
            "what",
            "ns, median",
            "time, of SeaORM's",
            "p10–p90",
            "instructions",
            "of SeaORM's",
            "allocations",
            "bytes allocated",
        ],
    );
    for (figures, (_, name, other)) in all.iter().zip(WHO) {
        let ratio = Spread::of_ratios(&figures.nanoseconds, &all[other].nanoseconds);
        let instructions = figures.instructions.map_or_else(|| "–".to_owned(), figure);
        let of_theirs = figures.instructions.zip(all[other].instructions);
        table.rows.push(vec![
            name.to_owned(),
            figure(Spread::of(&figures.nanoseconds).median),
            figure(ratio.median),
            ratio.range(),
            instructions,
            of_theirs.map_or_else(|| "–".to_owned(), |(ours, theirs)| figure(ours / theirs)),
            figure(figures.allocations),
            figure(figures.bytes),
        ]);
    }
    table
}

fn measure(backend: Backend, who: &str, updates: u32, figures: &mut Figures) -> Result<()> {
    let output = Command::new(program()?)
        .args([backend.name(), who, &updates.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    let [nanoseconds, allocations, bytes] = numbers.as_slice() else {
        return Err(format!("own-cost said `{text}` and {}", String::from_utf8_lossy(&output.stderr)).into());
    };
    // One of them is not counted.
    let counted = f64::from(updates - 1);
    figures.nanoseconds.push(nanoseconds / counted);
    figures.allocations = allocations / counted;
    figures.bytes = bytes / counted;
    Ok(())
}

fn instructions(backend: Backend, who: &str) -> Option<f64> {
    let (few, more) = (count(backend, who, FEW)?, count(backend, who, MORE)?);
    Some(as_f64(usize::try_from(more.checked_sub(few)?).ok()?) / f64::from(MORE - FEW))
}

/// All instructions of a run with so many updates.
fn count(backend: Backend, who: &str, updates: u32) -> Option<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    let output = valgrind
        .arg(program().ok()?)
        .args([backend.name(), who, &updates.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, count) = text.split_once("refs:")?;
    count.split_whitespace().next()?.replace(',', "").parse().ok()
}

/// Beside this one.
fn program() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("own_cost"))
}
