//! `cargo xtask ci`: what continuous integration runs, cheapest check first and the tests last.

use std::fs;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::workspace::{self, cargo};
use crate::{bench, sabotage, test, tidy};

pub(crate) fn run() -> Result<ExitCode> {
    step("formatting", &mut cargo(&["fmt", "--all", "--check"]))?;
    // All that is checked of them: to compile what they compare takes longer than all the rest.
    for manifest in bench::MANIFESTS {
        let check = ["fmt", "--manifest-path", manifest, "--check"];
        step(&format!("formatting of {manifest}"), &mut cargo(&check))?;
    }
    timed("tidy", tidy::check)?;
    timed("the patch of the saboteurs", sabotage::check)?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ];
    step("clippy", &mut cargo(&clippy))?;
    let doc = ["doc", "--workspace", "--no-deps", "--all-features"];
    step("documentation", cargo(&doc).env("RUSTDOCFLAGS", "-D warnings"))?;
    // By clippy, which denies warnings without building the dependencies anew.
    let lint = |features: &[&str]| {
        let mut clippy = cargo(&["clippy", "-p", "optlock", "--no-default-features"]);
        clippy.args(features).args(["--", "-D", "warnings"]);
        clippy
    };
    step("no features", &mut lint(&[]))?;
    for feature in features(&manifest()?) {
        step(
            &format!("feature {feature} alone"),
            &mut lint(&["--features", &feature]),
        )?;
    }
    for example in ["quickstart", "inventory", "transfer", "web"] {
        step(
            &format!("example {example}"),
            &mut cargo(&["run", "--example", example]),
        )?;
    }
    let started = Instant::now();
    let report = test::run(&[]);
    print_time("tests", started.elapsed());
    Ok(report.conclude())
}

fn step(name: &str, command: &mut Command) -> Result<()> {
    timed(name, || workspace::succeed(command))
}

fn timed(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("ci: {name}");
    let started = Instant::now();
    work().map_err(|error| Error::new(format!("step `{name}` failed: {error}")))?;
    print_time(name, started.elapsed());
    Ok(())
}

fn print_time(name: &str, elapsed: Duration) {
    println!("ci: {name} took {:.1} s", elapsed.as_secs_f64());
}

fn manifest() -> Result<String> {
    fs::read_to_string(workspace::root().join("Cargo.toml")).map_err(Error::while_doing("read the manifest"))
}

/// The names in the table `[features]`, one to a line there.
fn features(manifest: &str) -> impl Iterator<Item = String> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[features]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| name != "default" && !name.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::features;

    #[test]
    fn reads_the_features_of_a_manifest() {
        let manifest = "\
[package]
name = \"optlock\"

[features]
default = [\"macros\"]
# A comment = not a feature.
macros = [\"sea-orm/macros\"]
with-uuid = []

[dependencies]
sea-orm = \"2\"
";
        assert_eq!(features(manifest).collect::<Vec<_>>(), ["macros", "with-uuid"]);
    }
}
