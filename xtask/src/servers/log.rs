//! The file that keeps what a program prints, shown only when the program fails.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use crate::error::{Error, Result};

const TAIL_LINES: usize = 20;

#[derive(Clone)]
pub(super) struct Log {
    path: PathBuf,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Sends both output streams of `command` here, in place of what was here before.
    pub(super) fn capture(&self, command: &mut Command) -> Result<()> {
        let open = || {
            let output = File::create(&self.path)?;
            Ok((output.try_clone()?, output))
        };
        let (output, errors) = open().map_err(Error::while_doing::<std::io::Error>(format_args!(
            "write {}",
            self.path.display()
        )))?;
        command.stdout(output).stderr(errors);
        Ok(())
    }

    /// Runs `command` to its end, and fails with the end of what it printed if it fails.
    pub(super) fn run(&self, command: &mut Command) -> Result<()> {
        self.capture(command)?;
        let program = command.get_program().display().to_string();
        let status = command
            .status()
            .map_err(Error::while_doing(format_args!("start {program}")))?;
        if status.success() {
            return Ok(());
        }
        Err(self.error(&format!("{program} failed ({status})")))
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// An error that says `what` and then shows the end of the log.
    pub(super) fn error(&self, what: &str) -> Error {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        let end = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        Error::new(format!("{what}; the end of its log:\n{}", end.join("\n")))
    }

    fn text(&self) -> String {
        let bytes = fs::read(&self.path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
