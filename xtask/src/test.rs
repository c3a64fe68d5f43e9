//! `cargo xtask test`: every test of the workspace, against every backend, and one line that counts them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use crate::control;
use crate::error::{Error, Result};
use crate::servers::Servers;
use crate::tally::Tally;
use crate::workspace;

/// How a test run went; `conclude` prints it, so that a caller can still print something before.
#[must_use]
pub(crate) struct Report {
    tally: Tally,
    outcome: Result<()>,
}

impl Report {
    /// Prints the closing line, which is the last of the output: an error goes before it.
    pub(crate) fn conclude(self) -> ExitCode {
        if let Err(error) = &self.outcome {
            error.report();
        }
        println!("{}", self.tally);
        if self.outcome.is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn run(arguments: &[&str]) -> Report {
    let mut tally = Tally::default();
    let outcome = measure(arguments, &mut tally);
    Report { tally, outcome }
}

fn measure(arguments: &[&str], tally: &mut Tally) -> Result<()> {
    let servers = Arc::new(Mutex::new(Servers::for_unset_variables()?));
    let status = cargo_test(arguments, &servers, tally)?;
    verdict(status.success(), *tally)
}

fn cargo_test(arguments: &[&str], servers: &Arc<Mutex<Servers>>, tally: &mut Tally) -> Result<ExitStatus> {
    let control = control::listen(servers)?;
    // Not `--all-targets`, which would leave the doc tests out; this builds the examples, too.
    let mut cargo = workspace::cargo(&["test", "--workspace", "--no-fail-fast"]);
    cargo
        .args(arguments)
        .env(control::VARIABLE, control)
        .stdout(Stdio::piped());
    cargo.envs(control::lock(servers).urls());
    let mut child = cargo.spawn().map_err(Error::while_doing("start cargo"))?;
    if let Some(output) = child.stdout.take() {
        let mut terminal = std::io::stdout();
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(Error::while_doing("read what cargo test prints"))?;
            tally.add(&String::from_utf8_lossy(&line));
            terminal
                .write_all(&[&line, b"\n".as_slice()].concat())
                .map_err(Error::while_doing("print what cargo test prints"))?;
        }
    }
    child.wait().map_err(Error::while_doing("wait for cargo"))
}

fn verdict(cargo_succeeded: bool, tally: Tally) -> Result<()> {
    match (cargo_succeeded, tally) {
        (_, Tally { failed, .. }) if failed > 0 => Err(Error::new("some tests failed")),
        (false, _) => Err(Error::new("cargo test failed, though no test was counted as failed")),
        (true, Tally { passed: 0, .. }) => Err(Error::new("no test ran")),
        (true, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Tally, verdict};

    #[test]
    fn passes_when_some_test_passed_and_none_failed() {
        assert!(
            verdict(
                true,
                Tally {
                    passed: 1,
                    failed: 0,
                    skipped: 0
                }
            )
            .is_ok()
        );
    }

    #[test]
    fn fails_when_a_test_failed_cargo_failed_or_nothing_ran() {
        assert!(
            verdict(
                true,
                Tally {
                    passed: 1,
                    failed: 1,
                    skipped: 0
                }
            )
            .is_err()
        );
        assert!(
            verdict(
                false,
                Tally {
                    passed: 1,
                    failed: 0,
                    skipped: 0
                }
            )
            .is_err()
        );
        assert!(
            verdict(
                true,
                Tally {
                    passed: 0,
                    failed: 0,
                    skipped: 9
                }
            )
            .is_err()
        );
    }
}
