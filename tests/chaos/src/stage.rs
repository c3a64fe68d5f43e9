//! What a part runs on.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tempfile::TempDir;

use crate::Result;
use crate::address::Address;
use crate::backend::Backend;

/// A backend, for some time, and the seed of all that is left to chance.
pub(crate) struct Stage {
    pub(crate) backend: Backend,
    /// For how long a part goes on that could go on for ever.
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    /// Whether it is the short form.
    pub(crate) is_short: bool,
    /// Holds the files of SQLite's databases.
    directory: TempDir,
}

impl Stage {
    pub(crate) fn new(backend: Backend, time: Duration, seed: u64, is_short: bool) -> Result<Self> {
        Ok(Self {
            backend,
            time,
            seed,
            is_short,
            directory: tempfile::tempdir()?,
        })
    }

    /// An empty database.
    pub(crate) async fn database(&self) -> Result<Address> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Process ids come back, and a server may have been there for longer.
        let started = std::time::UNIX_EPOCH.elapsed()?.as_secs() % 100_000;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("chaos_{}_{started}_{number}", std::process::id());
        Address::create(self.backend, &name, self.directory.path()).await
    }

    /// A source of chance of its own for each of those who need one, the same for the same seed.
    pub(crate) fn random(&self, stream: u64) -> Rng {
        Rng::with_seed(self.seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}
