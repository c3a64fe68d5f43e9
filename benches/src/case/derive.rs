//! What the derive costs at compile time, and which crates this library adds.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::Result;
use crate::data::{Bound, Findings, Goal, Table};
use crate::machine::repository;
use crate::options::Length;
use crate::progress::Progress;
use crate::stats::{Spread, as_f64, figure};

pub(super) fn run(length: Length) -> Result<Findings> {
    let entities = length.pick(10, 50, 50);
    let repetitions = length.pick(2, 11, 31);
    let without = Package::create("without", entities, false)?;
    let with = Package::create("with", entities, true)?;
    let mut progress = Progress::new("derive", repetitions + 1);
    // What both depend on is compiled in the first.
    without.check()?;
    with.check()?;
    progress.step();
    let (mut plain, mut versioned) = (Vec::new(), Vec::new());
    for repetition in 0..repetitions {
        if repetition % 2 == 0 {
            plain.push(without.check()?);
            versioned.push(with.check()?);
        } else {
            versioned.push(with.check()?);
            plain.push(without.check()?);
        }
        progress.step();
    }
    let [walls, cpus] = [|time: &Time| time.wall, |time: &Time| time.cpu]
        .map(|part: fn(&Time) -> f64| [&plain, &versioned].map(|times| times.iter().map(part).collect::<Vec<f64>>()));
    let each = |[plain, versioned]: &[Vec<f64>; 2]| {
        let each = plain
            .iter()
            .zip(versioned)
            .map(|(plain, versioned)| (versioned - plain) / as_f64(entities));
        Spread::of(&each.collect::<Vec<f64>>())
    };
    let (wall, cpu) = (each(&walls), each(&cpus));

    let mut table = Table::new(
        format!("`cargo check` of {entities} entities with six columns, {repetitions} repetitions"),
        ["entities", "ms, median", "p10–p90", "ms of CPU, median", "p10–p90"],
    );
    let mut row = |name: &str, wall: Spread, cpu: Spread| {
        let figures = [figure(wall.median), wall.range(), figure(cpu.median), cpu.range()];
        table.rows.push([&[name.to_owned()], figures.as_slice()].concat());
    };
    row("plain SeaORM", Spread::of(&walls[0]), Spread::of(&cpus[0]));
    row("with `Versioned`", Spread::of(&walls[1]), Spread::of(&cpus[1]));
    row("the derive, for each entity", wall, cpu);

    let (base, ours) = (crates(false)?, crates(true)?);
    let added: Vec<&str> = ours.difference(&base).map(String::as_str).collect();
    let mut crates = Table::new("Crates that an application builds", ["application", "crates"]);
    crates.rows.push(vec!["SeaORM".to_owned(), base.len().to_string()]);
    crates
        .rows
        .push(vec!["SeaORM and optlock".to_owned(), ours.len().to_string()]);
    Ok(Findings {
        notes: vec![format!("The crates that come with optlock: {}.", added.join(", "))],
        tables: vec![table, crates],
        goals: vec![
            Goal::new(
                "compile time of the derive for each entity, ms",
                Bound::AtMost(30.0),
                wall.median,
            )
            .with_range(wall.range()),
            Goal::new(
                "crates that a SeaORM application does not build already",
                Bound::AtMost(3.0),
                as_f64(added.len()),
            ),
        ],
        plots: Vec::new(),
    })
}

/// Milliseconds.
struct Time {
    wall: f64,
    cpu: f64,
}

/// A generated library of entities.
struct Package {
    directory: PathBuf,
}

impl Package {
    fn create(name: &str, entities: usize, is_versioned: bool) -> Result<Self> {
        let directory = scratch().join(name);
        // Both depend on the same crates, so that only the derive makes a difference.
        let optlock = dependency_on_optlock("");
        let dependencies =
            format!("sea-orm = {{ version = \"2\", default-features = false, features = [\"macros\"] }}\n{optlock}");
        write_package(&directory, name, &dependencies, &library(entities, is_versioned)?)?;
        Ok(Self { directory })
    }

    /// A check of this package alone, if its dependencies are checked already.
    fn check(&self) -> Result<Time> {
        let library = self.directory.join("src/lib.rs");
        let text = fs::read_to_string(&library)?;
        // A new time of modification is all that cargo looks at.
        fs::write(&library, text)?;
        let (started, before) = (Instant::now(), cpu_of_children()?);
        cargo(&self.directory, &["check", "--quiet"])?;
        Ok(Time {
            wall: started.elapsed().as_secs_f64() * 1e3,
            cpu: cpu_of_children()? - before,
        })
    }
}

fn library(entities: usize, is_versioned: bool) -> Result<String> {
    let (derive, attribute) = if is_versioned {
        (", optlock::Versioned", "#[version]")
    } else {
        ("", "")
    };
    let mut text = "//! Generated.\n".to_owned();
    for number in 0..entities {
        write!(
            text,
            "
pub mod product_{number} {{
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel{derive})]
    #[sea_orm(table_name = \"product_{number}\")]
    pub struct Model {{
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        pub stock: i32,
        pub price: i32,
        pub note: String,
        {attribute}
        pub version: i64,
    }}

    impl ActiveModelBehavior for ActiveModel {{}}
}}
"
        )?;
    }
    Ok(text)
}

/// What all children that have ended have used so far, in milliseconds.
fn cpu_of_children() -> Result<f64> {
    /// Of user space on Linux, whatever the kernel counts in.
    const TICKS_A_SECOND: f64 = 100.0;
    let text = fs::read_to_string("/proc/self/stat")?;
    // The name of the program comes first, and may contain anything.
    let (_, fields) = text.rsplit_once(')').ok_or("/proc/self/stat has no name in it")?;
    let ticks = fields.split_whitespace().skip(13).take(2).map(str::parse::<f64>);
    let ticks: f64 = ticks.sum::<Result<_, _>>()?;
    Ok(ticks / TICKS_A_SECOND * 1e3)
}

/// The names of the crates that an application builds, itself left out.
fn crates(with_optlock: bool) -> Result<BTreeSet<String>> {
    let name = if with_optlock { "app_with" } else { "app_without" };
    let directory = scratch().join(name);
    let features = "\"macros\", \"runtime-tokio\", \"sqlx-sqlite\"";
    let mut dependencies =
        format!("sea-orm = {{ version = \"2\", default-features = false, features = [{features}] }}\n");
    if with_optlock {
        dependencies += &dependency_on_optlock(", features = [\"sqlx-sqlite\"]");
    }
    write_package(&directory, name, &dependencies, "")?;
    let tree = cargo(
        &directory,
        &["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"],
    )?;
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    Ok(names
        .filter(|crate_name| !crate_name.is_empty() && *crate_name != name)
        .map(str::to_owned)
        .collect())
}

fn dependency_on_optlock(rest: &str) -> String {
    format!(
        "optlock = {{ path = {:?}{rest} }}\n",
        repository().display().to_string()
    )
}

fn write_package(directory: &Path, name: &str, dependencies: &str, library: &str) -> Result<()> {
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{dependencies}"
    );
    fs::create_dir_all(directory.join("src"))?;
    fs::write(directory.join("Cargo.toml"), manifest)?;
    fs::write(directory.join("src/lib.rs"), library)?;
    // The versions that the rest of the benchmark has; cargo drops what is not needed.
    fs::write(directory.join("Cargo.lock"), include_str!("../../Cargo.lock"))?;
    Ok(())
}

fn cargo(directory: &Path, arguments: &[&str]) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(arguments)
        .arg("--offline")
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", scratch().join("target"))
        .env("CARGO_INCREMENTAL", "0");
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Kept from run to run, so that the dependencies are compiled once.
fn scratch() -> PathBuf {
    repository().join("target/bench/derive")
}
