//! Processes of this program that work on one database, and what they have logged.

use std::process::Stdio;

use optlock_history::{Access, Attempt, Id, Outcome};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Result;
use crate::job::Job;
use crate::workload::Rows;

/// A process that works.
pub(crate) struct Hand {
    child: Child,
    log: JoinHandle<Result<Log>>,
    /// When the last attempt ended that has been committed.
    committed: watch::Receiver<u64>,
    complaints: JoinHandle<Result<String>>,
}

/// What a process has logged.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) attempts: Vec<Attempt>,
    /// When the last one ended that has been committed.
    committed: u64,
    /// Those that had begun and not ended when it was killed.
    begun: std::collections::BTreeMap<Id, u64>,
}

impl Hand {
    pub(crate) fn start(job: &Job) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(job.arguments());
        Self::spawn(command)
    }

    /// A process of this program that something else starts.
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("a worker has no output")?;
        let mut complaints = child.stderr.take().ok_or("a worker has no output for errors")?;
        let (tell, committed) = watch::channel(0);
        Ok(Self {
            child,
            committed,
            log: tokio::spawn(async move {
                let (mut log, mut lines) = (Log::default(), BufReader::new(output).lines());
                while let Some(line) = lines.next_line().await? {
                    log.add(&line);
                    tell.send_replace(log.committed);
                }
                Ok(log)
            }),
            complaints: tokio::spawn(async move {
                let mut text = String::new();
                complaints.read_to_string(&mut text).await?;
                Ok(text)
            }),
        })
    }

    /// Waits until it has committed an attempt that ended after this, or has ended itself, of which whoever ends it is told.
    pub(crate) async fn goes_on_after(&mut self, time: u64) {
        let _ = self.committed.wait_for(|committed| *committed > time).await;
    }

    /// Waits until it has done its work.
    pub(crate) async fn done(mut self) -> Result<Log> {
        let status = self.child.wait().await?;
        let (log, complaints) = (self.log.await??, self.complaints.await??);
        if status.success() {
            Ok(log)
        } else {
            Err(format!("a worker ended with {status}: {complaints}").into())
        }
    }

    /// Kills it, wherever it is.
    pub(crate) async fn kill(mut self) -> Result<Log> {
        if let Some(status) = self.child.try_wait()? {
            let complaints = self.complaints.await??;
            return Err(format!("a worker ended by itself with {status}: {complaints}").into());
        }
        self.child.kill().await?;
        self.log.await?
    }
}

impl Log {
    fn add(&mut self, line: &str) {
        if let Some(begun) = line.strip_prefix("begun ") {
            let numbers = begun.split_once(' ');
            if let Some((Ok(id), Ok(start))) = numbers.map(|(id, start)| (id.parse(), start.parse())) {
                self.begun.insert(Id(id), start);
            }
        } else if let Ok(attempt) = line.parse::<Attempt>() {
            self.begun.remove(&attempt.id);
            if attempt.outcome == Outcome::Committed {
                self.committed = self.committed.max(attempt.end);
            }
            self.attempts.push(attempt);
        }
        // Any other line is the last one of a process that was killed.
    }

    /// All attempts. Of those that had not ended nobody knows the outcome, nor which of these rows they were for.
    pub(crate) fn into_attempts(self, rows: &Rows) -> Vec<Attempt> {
        let mut attempts = self.attempts;
        attempts.extend(self.begun.into_iter().map(|(id, start)| Attempt {
            id,
            start,
            end: u64::MAX,
            outcome: Outcome::Unknown,
            accesses: rows.keys().copied().map(Access::blind).collect(),
        }));
        attempts
    }
}
