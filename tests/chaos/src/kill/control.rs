//! Whoever has started the servers, and can kill them: `cargo xtask`, at the other end of our output and input.

use std::io::{BufRead as _, Write as _};

use crate::Result;
use crate::backend::Backend;

/// Set by whoever listens.
const VARIABLE: &str = "OPTLOCK_CHAOS_CONTROL";

/// Whether this server can be killed.
pub(crate) fn is_there(backend: Backend) -> bool {
    std::env::var(VARIABLE).is_ok_and(|servers| servers.split(',').any(|server| server == backend.name()))
}

/// Kills a server with SIGKILL and starts it again, with what it has on its disk. Returns once it answers.
pub(super) async fn crash(backend: Backend) -> Result<()> {
    let answer = tokio::task::spawn_blocking(move || {
        let mut output = std::io::stdout().lock();
        writeln!(output, "@crash {}", backend.name())?;
        output.flush()?;
        drop(output);
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    });
    let answer = answer.await??;
    if answer.trim() == format!("back {}", backend.name()) {
        return Ok(());
    }
    Err(format!("the server is not back: {answer}").into())
}
