//! `cargo xtask bench`: the benchmark, against durable servers that are started for it.

use std::process::{Command, ExitCode};

use crate::error::{Error, Result};
use crate::servers::Servers;
use crate::workspace;

/// The two packages, neither of which is a member of the workspace.
pub(crate) const MANIFESTS: [&str; 2] = ["benches/Cargo.toml", "benches/toasty-sqlite/Cargo.toml"];

/// Their own, so that neither builds anew what the other had.
const TARGET: &str = "target/bench";

/// Where the benchmark looks for the second program.
const TOASTY_VARIABLE: &str = "OPTLOCK_BENCH_TOASTY_SQLITE";

pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode> {
    let target = workspace::root().join(TARGET);
    for manifest in MANIFESTS {
        let build = ["build", "--release", "--locked", "--bins", "--manifest-path", manifest];
        let mut build = workspace::cargo(&build);
        build.env("CARGO_TARGET_DIR", &target);
        // What cargo says about xtask to xtask. Build scripts watch it: with it, they and all above them would run again after each
        // build by hand.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                build.env_remove(&name);
            }
        }
        workspace::succeed(&mut build)?;
    }
    // Alive until the benchmark has ended.
    let servers = Servers::durable(&needed(arguments))?;
    let programs = target.join("release");
    let mut bench = Command::new(programs.join("optlock-bench"));
    bench
        .args(arguments)
        .current_dir(workspace::root())
        .env(TOASTY_VARIABLE, programs.join("toasty-sqlite"))
        .envs(servers.urls());
    let status = bench.status().map_err(Error::while_doing("start the benchmark"))?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The servers that a benchmark with these options asks for.
fn needed(arguments: &[&str]) -> Vec<&'static str> {
    const SERVERS: [&str; 2] = ["postgres", "mariadb"];
    const WITHOUT: [&str; 3] = ["wal", "own-cost", "derive"];
    let value = |option: &str| {
        let place = arguments.iter().position(|argument| *argument == option)?;
        arguments.get(place + 1).copied()
    };
    let runs_nothing = ["--list", "--help", "-h", "--report"]
        .iter()
        .any(|option| arguments.contains(option));
    let needs_none = value("--case").is_some_and(|case| WITHOUT.contains(&case));
    match value("--backend") {
        _ if runs_nothing || needs_none => Vec::new(),
        None | Some("all") => SERVERS.to_vec(),
        Some(backend) => SERVERS.into_iter().filter(|server| *server == backend).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn starts_the_servers_that_the_options_ask_for() {
        assert_eq!(needed(&[]), ["postgres", "mariadb"]);
        assert_eq!(
            needed(&["--backend", "all", "--case", "batch"]),
            ["postgres", "mariadb"]
        );
        assert_eq!(needed(&["--backend", "mariadb"]), ["mariadb"]);
        for none in [["--backend", "sqlite"], ["--case", "derive"], ["--list", ""]] {
            assert!(needed(&none).is_empty(), "{none:?}");
        }
    }
}
