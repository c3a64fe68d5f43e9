//! A private `MariaDB` server.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use super::backend::Server;
use super::daemon::{Daemon, StopSignal};
use super::log::Log;
use super::programs;
use super::purpose::Purpose;
use crate::error::{Error, Result};

/// The tests create databases of their own, hence the rights on all of them. The address is spelled
/// out because an anonymous local user would win over `%`.
/// Repeatable, because it also serves to ask whether the server is ready.
const SETUP: &str = "\
CREATE DATABASE IF NOT EXISTS optlock;
CREATE USER IF NOT EXISTS optlock@127.0.0.1 IDENTIFIED BY 'optlock';
GRANT ALL ON *.* TO optlock@127.0.0.1";

pub(super) struct Programs {
    install: PathBuf,
    server: PathBuf,
    client: PathBuf,
}

impl Programs {
    pub(super) fn find() -> Option<Self> {
        Some(Self {
            install: programs::find("mariadb-install-db")?,
            server: programs::find("mariadbd")?,
            client: programs::find("mariadb")?,
        })
    }
}

/// Starts a server that keeps everything in `home`.
pub(super) fn start(purpose: Purpose, home: &Path, account: &Account) -> Result<Server> {
    let programs = Programs::find().ok_or_else(|| Error::new("MariaDB is not installed"))?;
    let data = home.join("data");
    let log = Log::new(home.join("log"));
    let socket = home.join("socket");
    // Every program is told first to leave the machine's own configuration alone.
    let own = (account.clone(), home.to_path_buf());
    let command = move |program: &Path| {
        let (account, home) = &own;
        let mut command = account.command(program, home);
        command.arg("--no-defaults");
        command
    };

    let mut install = command(&programs.install);
    install.args([
        "--skip-test-db",
        "--skip-name-resolve",
        "--auth-root-authentication-method=normal",
    ]);
    option(&mut install, "datadir", &data);
    log.run(&mut install)?;

    let own = (command.clone(), socket.clone(), home.to_path_buf());
    let server = move |port: u16| {
        let (command, socket, home) = &own;
        let mut server = command(&programs.server);
        option(&mut server, "datadir", &data);
        option(&mut server, "socket", socket);
        option(&mut server, "pid-file", &home.join("pid"));
        option(&mut server, "tmpdir", home);
        server.arg(format!("--port={port}"));
        server.args([
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--max-connections=300",
        ]);
        server.args(match purpose {
            Purpose::Tests => ["--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=2"],
            // The server's defaults, said aloud.
            Purpose::Figures => ["--innodb-buffer-pool-size=128M", "--innodb-flush-log-at-trx-commit=1"],
        });
        server
    };
    let daemon = Daemon::start(StopSignal::Terminate, &log, server, move |_| {
        let mut client = command(&programs.client);
        option(&mut client, "socket", &socket);
        client.args(["--user=root", "--execute", SETUP]);
        client
    })?;
    Ok(Server {
        url: format!("mysql://optlock:optlock@127.0.0.1:{}/optlock", daemon.port()),
        daemon,
    })
}

fn option(command: &mut Command, name: &str, path: &Path) {
    command.arg(format!("--{name}={}", path.display()));
}
