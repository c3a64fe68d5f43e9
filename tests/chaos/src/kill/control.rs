//! Whoever has started the servers, and can kill them: `cargo xtask`, which listens on a port of its own.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::Result;
use crate::backend::Backend;

/// The address of whoever listens, and which servers are his.
const VARIABLE: &str = "OPTLOCK_CHAOS_CONTROL";

/// Whether this server can be killed.
pub(crate) fn is_there(backend: Backend) -> bool {
    address(backend).is_some()
}

fn address(backend: Backend) -> Option<String> {
    let control = std::env::var(VARIABLE).ok()?;
    let (address, servers) = control.split_once('/')?;
    let is_his = servers.split(',').any(|server| server == backend.name());
    is_his.then(|| address.to_owned())
}

/// Kills a server with SIGKILL and starts it again, with what it has on its disk. Returns once it answers.
pub(super) async fn crash(backend: Backend) -> Result<()> {
    let address = address(backend).ok_or("nobody can kill this server")?;
    let mut control = TcpStream::connect(address).await?;
    control
        .write_all(format!("crash {}\n", backend.name()).as_bytes())
        .await?;
    let mut answer = String::new();
    BufReader::new(control).read_line(&mut answer).await?;
    if answer.trim() == "back" {
        return Ok(());
    }
    Err(format!("the server is not back: {answer}").into())
}
