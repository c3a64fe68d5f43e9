//! The workspace that xtask works on: where it is, and the cargo that builds it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// The directory of the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// A command that runs at the root and reads nothing from the terminal.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that started xtask, so that a `+toolchain` on the command line holds for every step.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    command(&cargo, arguments)
}

/// Runs a command that must succeed.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .map_err(Error::while_doing(format_args!("start {command:?}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!("{command:?} failed: {status}")))
}
