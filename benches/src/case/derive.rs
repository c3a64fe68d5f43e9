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
    let each: Vec<f64> = plain
        .iter()
        .zip(&versioned)
        .map(|(plain, versioned)| (versioned - plain) / as_f64(entities))
        .collect();
    let each = Spread::of(&each);

    let mut table = Table::new(
        format!("`cargo check` of {entities} entities with six columns, {repetitions} repetitions"),
        ["entities", "ms, median", "p10–p90"],
    );
    for (name, times) in [("plain SeaORM", &plain), ("with `Versioned`", &versioned)] {
        let spread = Spread::of(times);
        table
            .rows
            .push(vec![name.to_owned(), figure(spread.median), spread.range()]);
    }
    table.rows.push(vec![
        "the derive, for each entity".to_owned(),
        figure(each.median),
        each.range(),
    ]);

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
                each.median,
            )
            .with_range(each.range()),
            Goal::new(
                "crates that a SeaORM application does not build already",
                Bound::AtMost(3.0),
                as_f64(added.len()),
            ),
        ],
        plots: Vec::new(),
    })
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

    /// Milliseconds of a check of this package alone, if its dependencies are checked already.
    fn check(&self) -> Result<f64> {
        let library = self.directory.join("src/lib.rs");
        let text = fs::read_to_string(&library)?;
        // A new time of modification is all that cargo looks at.
        fs::write(&library, text)?;
        let started = Instant::now();
        cargo(&self.directory, &["check", "--quiet"])?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
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
