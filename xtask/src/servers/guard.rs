//! The guard process: owns the servers, kills one and starts it again when its standard input says so, and stops them when that ends.

use std::io::Write as _;
use std::process::ExitCode;

use super::backend::{Backend, Server};
use super::directory::Directory;
use super::install;
use super::purpose::Purpose;
use crate::error::{Error, Result};

/// The hidden subcommand that xtask runs itself with: a purpose, and the names of the backends.
pub(crate) const COMMAND: &str = "serve";

/// What it prints when a server that it has killed is back.
pub(super) const BACK: &str = "back";

pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode> {
    let (purpose, backends) = arguments
        .split_first()
        .ok_or_else(|| Error::new("the guard needs to know what the servers are for"))?;
    let purpose = Purpose::from_name(purpose)?;
    let backends = backends
        .iter()
        .map(|name| Backend::from_name(name))
        .collect::<Result<Vec<_>>>()?;
    // Declared before the servers, hence removed after they have stopped.
    let directory = Directory::create()?;
    install::missing(&backends, &directory)?;
    let mut servers = backends
        .iter()
        .map(|backend| Ok((*backend, backend.start(purpose, &directory)?)))
        .collect::<Result<Vec<_>>>()?;
    if announce(&servers).is_ok() {
        for line in std::io::stdin().lines() {
            let line = line.map_err(Error::while_doing("wait for the end of xtask"))?;
            crash(&mut servers, &line)?;
            if answer().is_err() {
                break;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Kills the server of this name and starts it again.
fn crash(servers: &mut [(Backend, Server)], name: &str) -> Result<()> {
    let server = servers.iter_mut().find(|(backend, _)| backend.name() == name);
    let (_, server) = server.ok_or_else(|| Error::new(format!("there is no server `{name}`")))?;
    server.daemon.crash()
}

fn answer() -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{BACK}")?;
    output.flush()
}

/// Prints the URLs for xtask; fails when xtask is gone already, so that nobody is left to tell.
fn announce(servers: &[(Backend, Server)]) -> std::io::Result<()> {
    // Not `println!`, which panics then.
    let mut output = std::io::stdout().lock();
    servers
        .iter()
        .try_for_each(|(backend, server)| writeln!(output, "{}={}", backend.variable(), server.url))
}
