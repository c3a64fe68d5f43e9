//! A server process of ours: started on a free port, waited for, and stopped.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::log::Log;
use crate::error::{Error, Result};

const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);
const PORT_ATTEMPTS: u32 = 5;
/// What both servers log when somebody else took the port between our choice and their start.
const PORT_TAKEN: &str = "Address already in use";

/// How to ask a server to stop at once but in good order.
#[derive(Clone, Copy, Debug)]
pub(super) enum StopSignal {
    Interrupt,
    Terminate,
}

/// How a program is started for a port.
type Recipe = Box<dyn Fn(u16) -> Command>;

/// Stopped when dropped.
pub(super) struct Daemon {
    child: Child,
    stop_signal: StopSignal,
    port: u16,
    log: Log,
    server: Recipe,
    probe: Recipe,
}

impl Daemon {
    /// Starts the server that `server` describes for a port, with its output in `log`, and waits until
    /// `probe` succeeds.
    pub(super) fn start(
        stop_signal: StopSignal,
        log: &Log,
        server: impl Fn(u16) -> Command + 'static,
        probe: impl Fn(u16) -> Command + 'static,
    ) -> Result<Self> {
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            let mut child = spawn(log, &mut server(port))?;
            match answers(&mut child, log, || probe(port)) {
                Ok(true) => {
                    return Ok(Self {
                        child,
                        stop_signal,
                        port,
                        log: log.clone(),
                        server: Box::new(server),
                        probe: Box::new(probe),
                    });
                }
                Ok(false) if log.contains(PORT_TAKEN) => {}
                Ok(false) => return Err(log.error("a server ended before it was ready")),
                Err(error) => {
                    kill(&mut child);
                    return Err(error);
                }
            }
        }
        Err(log.error(&format!("a server found its port taken {PORT_ATTEMPTS} times")))
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server with SIGKILL, and starts it again on its port, with what it has on its disk.
    pub(super) fn crash(&mut self) -> Result<()> {
        kill(&mut self.child);
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            self.child = spawn(&self.log, &mut (self.server)(self.port))?;
            if answers(&mut self.child, &self.log, || (self.probe)(self.port))? {
                return Ok(());
            }
            // What is left of the killed one, its children, has gone on for a moment.
            sleep(PAUSE);
        }
        Err(self.log.error("a server that was killed did not come back"))
    }

    fn has_ended_by(&mut self, deadline: Instant) -> bool {
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            sleep(PAUSE);
        }
        false
    }
}

fn spawn(log: &Log, server: &mut Command) -> Result<Child> {
    log.capture(server)?;
    let child = server.process_group(0).spawn();
    let program = server.get_program().display();
    child.map_err(Error::while_doing(format_args!("start {program}")))
}

fn kill(child: &mut Child) {
    // It fails only where the child has ended.
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether the server came up; false when it ended instead.
fn answers(child: &mut Child, log: &Log, probe: impl Fn() -> Command) -> Result<bool> {
    let deadline = Instant::now() + START_LIMIT;
    while Instant::now() < deadline {
        // Asked through the private socket, so a stranger on our port cannot answer in its place.
        let answered = probe().stdout(Stdio::null()).stderr(Stdio::null()).status();
        let answered = answered
            .map_err(Error::while_doing("ask whether a server is ready"))?
            .success();
        let ended = child
            .try_wait()
            .map_err(Error::while_doing("watch a server"))?
            .is_some();
        if answered || ended {
            return Ok(answered && !ended);
        }
        sleep(PAUSE);
    }
    Err(log.error(&format!(
        "a server was not ready after {} seconds",
        START_LIMIT.as_secs()
    )))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // The child has not been waited for, so its id cannot belong to anybody else.
        signal(self.stop_signal, self.child.id());
        if !self.has_ended_by(Instant::now() + STOP_LIMIT) {
            kill(&mut self.child);
        }
    }
}

/// Through the shell's own `kill`: std sends only SIGKILL, and a minimal system has no program `kill`.
fn signal(signal: StopSignal, id: u32) {
    let name = match signal {
        StopSignal::Interrupt => "INT",
        StopSignal::Terminate => "TERM",
    };
    let _ = Command::new("sh")
        .arg("-c")
        .arg(format!("kill -{name} {id}"))
        .stderr(Stdio::null())
        .status();
}

fn free_port() -> Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(Error::while_doing("find a free port"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::process::Command;

    use super::{Daemon, Log, StopSignal};
    use crate::error::{Error, Result};
    use crate::servers::directory::Directory;

    /// Starts a server made of shell scripts: the n-th attempt runs the n-th script, and the probe succeeds.
    fn start(scripts: &'static [&str]) -> Result<Daemon> {
        let directory = Directory::create()?;
        let attempt = Cell::new(0);
        let server = move |_| shell(scripts[attempt.replace(attempt.get() + 1).min(scripts.len() - 1)]);
        // Gives a server that ends at once the time to do so.
        let probe = |_| shell("sleep 0.2");
        let log = Log::new(directory.path().join("log"));
        Daemon::start(StopSignal::Terminate, &log, server, probe)
    }

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    }

    fn error_of(result: Result<Daemon>) -> String {
        result.err().as_ref().map(Error::to_string).unwrap_or_default()
    }

    #[test]
    fn drop_stops_the_server() -> Result<()> {
        let daemon = start(&["exec sleep 60"])?;
        let is_alive = format!("kill -0 {} 2>/dev/null", daemon.child.id());
        let check = || {
            shell(&is_alive)
                .status()
                .map_err(Error::while_doing("look for a process"))
        };
        assert!(check()?.success());
        drop(daemon);
        assert!(!check()?.success());
        Ok(())
    }

    #[test]
    fn a_server_that_is_killed_comes_back() -> Result<()> {
        let mut daemon = start(&["exec sleep 60"])?;
        let (before, port) = (daemon.child.id(), daemon.port());
        // What it says goes to a file, whose folder is gone with the start.
        daemon.log = Log::new(std::path::PathBuf::from("/dev/null"));
        daemon.crash()?;
        assert_ne!(daemon.child.id(), before);
        assert_eq!(daemon.port(), port);
        Ok(())
    }

    #[test]
    fn another_port_is_tried_when_one_was_taken() {
        assert!(start(&["echo Address already in use >&2; exit 1", "exec sleep 60"]).is_ok());
        let error = error_of(start(&["echo Address already in use >&2; exit 1"]));
        assert!(error.starts_with("a server found its port taken 5 times"), "{error}");
    }

    #[test]
    fn the_end_of_the_log_tells_why_a_server_ended() {
        let error = error_of(start(&["seq 100; echo no such directory >&2; exit 1"]));
        assert!(
            error.starts_with("a server ended before it was ready; the end of its log:\n82\n"),
            "{error}"
        );
        assert!(error.ends_with("100\nno such directory"), "{error}");
    }
}
