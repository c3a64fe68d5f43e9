//! Private database servers: started for one run, and stopped however that run ends.
//!
//! The servers belong to a second process, the guard, which lives in its own process group: neither
//! Ctrl-C nor the death of xtask reaches it. All it shares with xtask is a pipe. When xtask ends, even
//! by SIGKILL, the kernel closes the pipe, and the guard stops the servers and removes their files.

mod account;
mod backend;
mod daemon;
mod directory;
pub(crate) mod guard;
mod install;
mod log;
mod mariadb;
mod postgres;
mod programs;
mod purpose;

use std::env;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};

use crate::error::{Error, Result};
use backend::Backend;
use purpose::Purpose;

/// `cargo xtask servers`: keeps the servers running while a developer runs `cargo test` by hand.
pub(crate) fn run() -> Result<ExitCode> {
    let servers = Servers::start(Purpose::Tests, &Backend::ALL)?;
    for (variable, url) in servers.urls() {
        println!("export {variable}={url}");
    }
    eprintln!("Stop with Ctrl-C.");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())
        .map_err(Error::while_doing("wait for the end of input"))?;
    Ok(ExitCode::SUCCESS)
}

/// The guard, seen from the process that needs the servers; dropping it stops them.
pub(crate) struct Servers {
    guard: Option<Child>,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    urls: Vec<(String, String)>,
}

impl Servers {
    /// A server for each backend whose environment variable names none.
    pub(crate) fn for_unset_variables() -> Result<Self> {
        let unset = |backend: &Backend| env::var_os(backend.variable()).is_none_or(|url| url.is_empty());
        let backends: Vec<Backend> = Backend::ALL.into_iter().filter(unset).collect();
        Self::start(Purpose::Tests, &backends)
    }

    /// Servers with durable settings, whatever the environment variables name.
    pub(crate) fn durable(names: &[&str]) -> Result<Self> {
        let backends = names.iter().map(|name| Backend::from_name(name));
        Self::start(Purpose::Figures, &backends.collect::<Result<Vec<_>>>()?)
    }

    /// The environment variables that lead to the started servers.
    pub(crate) fn urls(&self) -> impl Iterator<Item = (&str, &str)> {
        self.urls
            .iter()
            .map(|(variable, url)| (variable.as_str(), url.as_str()))
    }

    /// The names of the servers that are ours to kill.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let ours = |backend: &Backend| self.urls.iter().any(|(variable, _)| variable == backend.variable());
        Backend::ALL.into_iter().filter(ours).map(Backend::name)
    }

    /// Kills a server with SIGKILL, and starts it again on its port with what it has on its disk.
    pub(crate) fn crash(&mut self, name: &str) -> Result<()> {
        if !self.names().any(|ours| ours == name) {
            return Err(Error::new(format!("`{name}` is no server of ours")));
        }
        if let Some(input) = self.guard.as_mut().and_then(|guard| guard.stdin.as_mut()) {
            writeln!(input, "{name}").map_err(Error::while_doing("tell the guard to kill a server"))?;
        }
        match self.line("wait for a server that was killed")? {
            Some(line) if line == guard::BACK => Ok(()),
            _ => Err(Error::new("a server that was killed is not back; the reason is above")),
        }
    }

    /// The next line of the guard's, if it has not ended.
    fn line(&mut self, what: &str) -> Result<Option<String>> {
        let line = self.lines.as_mut().and_then(Iterator::next);
        line.transpose().map_err(Error::while_doing(what))
    }

    fn start(purpose: Purpose, backends: &[Backend]) -> Result<Self> {
        if backends.is_empty() {
            return Ok(Self {
                guard: None,
                lines: None,
                urls: Vec::new(),
            });
        }
        let xtask = env::current_exe().map_err(Error::while_doing("find xtask's own program"))?;
        let mut guard = Command::new(xtask)
            .args([guard::COMMAND, purpose.name()])
            .args(backends.iter().map(|backend| backend.name()))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::while_doing("start the guard of the servers"))?;
        let lines = guard.stdout.take().map(|output| BufReader::new(output).lines());
        // From here on dropping `servers` stops the guard, also when this function fails.
        let mut servers = Self {
            guard: Some(guard),
            lines,
            urls: Vec::new(),
        };
        for _ in backends {
            let Some(line) = servers.line("read the URLs of the servers")? else {
                break;
            };
            let (variable, url) = line
                .split_once('=')
                .ok_or_else(|| Error::new(format!("the guard printed `{line}` instead of a URL")))?;
            servers.urls.push((variable.to_owned(), url.to_owned()));
        }
        if servers.urls.len() < backends.len() {
            return Err(Error::new("the private servers did not start; the reason is above"));
        }
        Ok(servers)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Some(guard) = &mut self.guard {
            // Closes the pipe first, which is what the guard waits for.
            let _ = guard.wait();
        }
    }
}
