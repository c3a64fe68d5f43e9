//! A private `PostgreSQL` server.

use std::fs;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::backend::Server;
use super::daemon::{Daemon, StopSignal};
use super::log::Log;
use super::programs;
use super::purpose::Purpose;
use crate::error::{Error, Result};

const NAMES: [&str; 3] = ["initdb", "postgres", "psql"];
/// Debian keeps one directory per major version here, none of them in `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";

pub(super) struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
    psql: PathBuf,
}

impl Programs {
    /// All from one directory, so that they are of one version.
    pub(super) fn find() -> Option<Self> {
        let directory = programs::directory_of(&NAMES).or_else(newest_of_debian)?;
        let [initdb, postgres, psql] = NAMES.map(|name| directory.join(name));
        Some(Self { initdb, postgres, psql })
    }
}

fn newest_of_debian() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).ok()?.flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    versions
        .filter(|(_, bin)| programs::holds(bin, &NAMES))
        .max()
        .map(|(_, bin)| bin)
}

/// Starts a server that keeps everything in `home`.
pub(super) fn start(purpose: Purpose, home: &Path, account: &Account) -> Result<Server> {
    let programs = Programs::find().ok_or_else(|| Error::new("PostgreSQL is not installed"))?;
    let data = home.join("data");
    let log = Log::new(home.join("log"));
    let mut initdb = account.command(&programs.initdb, home);
    initdb.args([
        "--no-sync",
        "--auth=trust",
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C",
    ]);
    log.run(initdb.arg("--pgdata").arg(&data))?;

    let own = (account.clone(), home.to_path_buf(), programs.postgres.clone());
    let server = move |port: u16| {
        let (account, home, postgres) = &own;
        let mut server = account.command(postgres, home);
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        let settings = [
            "listen_addresses=127.0.0.1",
            &format!("unix_socket_directories={}", home.display()),
            "max_connections=200",
        ];
        let of_purpose: &[&str] = match purpose {
            // The tests provoke deadlocks, and nobody should wait a second for each. The data lives no longer than the run.
            Purpose::Tests => &["deadlock_timeout=200ms", "fsync=off"],
            // The server's defaults, said aloud.
            Purpose::Figures => &["fsync=on", "synchronous_commit=on"],
        };
        for setting in settings.iter().chain(of_purpose) {
            server.args(["-c", setting]);
        }
        server
    };
    let own = (account.clone(), home.to_path_buf(), programs.psql);
    let psql = move |port: u16, sql: &str| {
        let (account, home, psql) = &own;
        let mut psql = account.command(psql, home);
        psql.args(["--no-psqlrc", "--username=postgres", "--dbname=postgres", "--host"])
            .arg(home);
        psql.args(["--port", &port.to_string(), "--command", sql]);
        psql
    };
    let probe = psql.clone();
    let daemon = Daemon::start(StopSignal::Interrupt, &log, server, move |port| probe(port, "SELECT 1"))?;
    // A log of its own: the server writes to the other one.
    Log::new(home.join("setup-log")).run(&mut psql(daemon.port(), "CREATE DATABASE optlock"))?;
    Ok(Server {
        url: format!("postgres://postgres@127.0.0.1:{}/optlock", daemon.port()),
        daemon,
    })
}
