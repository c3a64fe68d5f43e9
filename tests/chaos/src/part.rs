//! One thing that is shown, and for how long.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::Result;
use crate::backend::Backend;
use crate::kill;
use crate::stage::Stage;
use crate::tally::Tally;

/// The one part that needs whoever has started the servers.
pub(crate) const KILLS_SERVERS: &str = "kill-server";

pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) backends: &'static [Backend],
    /// For how long in the short form.
    pub(crate) short: Duration,
    /// Its share of the time of a full run; none for what ends by itself.
    pub(crate) share: u32,
    pub(crate) run: for<'a> fn(&'a Stage) -> Run<'a>,
}

impl Part {
    /// Whether there is such a server, and somebody who can kill it if that is needed.
    pub(crate) fn is_possible(&self, backend: Backend) -> bool {
        backend.is_there() && (self.name != KILLS_SERVERS || kill::is_control_there(backend))
    }
}

pub(crate) type Run<'a> = Pin<Box<dyn Future<Output = Result<Tally>> + Send + 'a>>;

/// A part that runs on every backend, or on those that are named last.
macro_rules! part {
    ($name:literal, $run:path, seconds: $short:literal, share: $share:literal) => {
        $crate::part::part!($name, $run, seconds: $short, share: $share, on: &$crate::backend::Backend::ALL)
    };
    ($name:literal, $run:path, seconds: $short:literal, share: $share:literal, on: $backends:expr) => {
        $crate::part::Part {
            name: $name,
            backends: $backends,
            short: std::time::Duration::from_secs($short),
            share: $share,
            run: |stage| Box::pin($run(stage)),
        }
    };
}
pub(crate) use part;
