//! A port at which tests have servers killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::servers::Servers;

/// Tells the tests where the port is, and which servers can be killed.
pub(crate) const VARIABLE: &str = "OPTLOCK_CHAOS_CONTROL";

/// Listens until the process ends. Returns the value of the variable.
pub(crate) fn listen(servers: &Arc<Mutex<Servers>>) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::while_doing("listen for the tests"))?;
    let address = listener
        .local_addr()
        .map_err(Error::while_doing("listen for the tests"))?;
    let names: Vec<_> = lock(servers).names().collect();
    // Not as one of those who keep them: whoever drops them waits until they have stopped.
    let servers = Arc::downgrade(servers);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let Some(servers) = servers.upgrade() else { break };
            if let Err(error) = serve(connection, &servers) {
                error.report();
            }
        }
    });
    Ok(format!("{address}/{}", names.join(",")))
}

/// `crash NAME`, answered by `back` or by what is wrong.
fn serve(mut connection: TcpStream, servers: &Mutex<Servers>) -> Result<()> {
    let mut line = String::new();
    let doing = || Error::while_doing("listen to a test");
    let mut reader = BufReader::new(connection.try_clone().map_err(doing())?);
    reader.read_line(&mut line).map_err(doing())?;
    let outcome = match line.trim().split_once(' ') {
        Some(("crash", name)) => lock(servers).crash(name),
        _ => Err(Error::new(format!("`{line}` is no request"))),
    };
    let answer = outcome.map_or_else(|error| error.to_string(), |()| "back".to_owned());
    writeln!(connection, "{answer}").map_err(doing())
}

/// The servers, for a moment.
pub(crate) fn lock(servers: &Mutex<Servers>) -> MutexGuard<'_, Servers> {
    servers.lock().unwrap_or_else(PoisonError::into_inner)
}
