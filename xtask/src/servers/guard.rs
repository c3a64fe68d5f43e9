//! The guard process: owns the servers, and stops them when its standard input ends.

use std::io::Write as _;
use std::process::ExitCode;

use super::backend::{Backend, Server};
use super::directory::Directory;
use super::install;
use super::purpose::Purpose;
use crate::error::{Error, Result};

/// The hidden subcommand that xtask runs itself with: a purpose, and the names of the backends.
pub(crate) const COMMAND: &str = "serve";

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
    let servers = backends
        .iter()
        .map(|backend| Ok((backend.variable(), backend.start(purpose, &directory)?)))
        .collect::<Result<Vec<_>>>()?;
    if announce(&servers).is_ok() {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink())
            .map_err(Error::while_doing("wait for the end of xtask"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the URLs for xtask; fails when xtask is gone already, so that nobody is left to tell.
fn announce(servers: &[(&str, Server)]) -> std::io::Result<()> {
    // Not `println!`, which panics then.
    let mut output = std::io::stdout().lock();
    servers
        .iter()
        .try_for_each(|(variable, server)| writeln!(output, "{variable}={}", server.url))
}
