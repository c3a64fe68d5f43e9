//! `cargo xtask chaos`: workloads, faults and interleavings for some time, and a report.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use crate::control;
use crate::error::{Error, Result};
use crate::servers::Servers;
use crate::workspace;

pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode> {
    let servers = Arc::new(Mutex::new(Servers::for_unset_variables()?));
    let control = control::listen(&servers)?;
    // With the features of all tests, so that what these have built is used.
    let mut cargo = workspace::cargo(&["test", "--workspace", "--test", "chaos", "--", "run"]);
    cargo.args(arguments).env(control::VARIABLE, control);
    cargo.envs(control::lock(&servers).urls());
    let status = cargo.status().map_err(Error::while_doing("start cargo"))?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
