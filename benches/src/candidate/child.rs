//! toasty on SQLite, in its own process: two versions of libsqlite3-sys do not link into one program.

use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::{Candidate, Pick, Share};
use crate::Result;

/// Where `cargo xtask bench` says that the program is.
const PROGRAM: &str = "OPTLOCK_BENCH_TOASTY_SQLITE";

pub(super) struct Child {
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// Killed when dropped.
    _process: tokio::process::Child,
}

impl Child {
    pub(super) async fn new(share: &Share<'_>) -> Result<Self> {
        let program =
            std::env::var_os(PROGRAM).ok_or_else(|| format!("{PROGRAM} is not set; `cargo xtask bench` sets it"))?;
        let ids: Vec<_> = share.rows.iter().map(|row| row.id.to_string()).collect();
        let mut process = Command::new(program)
            .arg(share.target.path(&share.file))
            .arg(ids.join(","))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let requests = process.stdin.take().ok_or("the child has no input")?;
        let answers = process.stdout.take().ok_or("the child has no output")?;
        let mut child = Self {
            requests,
            answers: BufReader::new(answers).lines(),
            _process: process,
        };
        match child.answer().await?.as_str() {
            "ready" => Ok(child),
            other => Err(format!("toasty's process began with `{other}`").into()),
        }
    }

    async fn answer(&mut self) -> Result<String> {
        let line = self.answers.next_line().await?;
        line.ok_or_else(|| "toasty's process has ended; what it said is above".into())
    }
}

#[async_trait]
impl Candidate for Child {
    /// One line there, `slot:stock` for each update, and the nanoseconds back.
    async fn round(&mut self, picks: &[Pick]) -> Result<Duration> {
        let picks: Vec<_> = picks
            .iter()
            .map(|pick| format!("{}:{}", pick.slot, pick.stock))
            .collect();
        self.requests.write_all((picks.join(" ") + "\n").as_bytes()).await?;
        self.requests.flush().await?;
        Ok(Duration::from_nanos(self.answer().await?.parse()?))
    }
}
