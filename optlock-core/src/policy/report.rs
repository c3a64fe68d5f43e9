//! What became of the attempts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::backend::Fault;

/// One failure that is answered by another attempt, as the hook of [`Policy::on_retry`](super::Policy::on_retry) sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    pub(super) attempt: u32,
    pub(super) delay: Duration,
    pub(super) fault: Fault,
    pub(super) elapsed: Duration,
}

impl Retry {
    /// The attempt that failed: 1 for the first.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The time until the next one.
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// What it failed with.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// The time since the first attempt began.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// Why there was no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stop {
    /// The error is none that another attempt would help with, or none that the policy allows one for.
    Fault,
    /// The attempts are used up: those of the policy, or those for faults of this kind.
    Attempts,
    /// The next delay would have passed the deadline.
    Deadline,
    /// The budget that is shared with others is used up.
    Budget,
    /// The iterator of delays has ended.
    Delays,
    /// There is no timer here to wait with: see [`Clock`](crate::Clock).
    NoTimer,
}

/// How a run went: the attempts, the time, the last fault, and why it ended. Given to a policy for one run, it can be read
/// at any time, also from within the work, and the error stays what it was.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// use optlock::{Error, Fault, Policy, Report, Stop};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, stale) = fixture::stale().await?;
/// let report = Report::new();
/// let policy = Policy::new().attempts(3).report(&report);
/// let err = policy.retry(|| stale.clone().update(&db)).await.unwrap_err();
///
/// assert!(matches!(err, Error::Conflict(_)), "the last error, as it was");
/// assert_eq!((report.attempts(), report.fault()), (3, Some(Fault::Stale)));
/// assert_eq!(report.stop(), Some(Stop::Attempts));
/// println!("gave up after {} attempts and {:?}", report.attempts(), report.elapsed());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Report {
    summary: Mutex<Summary>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    pub(super) attempts: u32,
    pub(super) elapsed: Duration,
    pub(super) fault: Option<Fault>,
    pub(super) stop: Option<Stop>,
}

impl Summary {
    const EMPTY: Self = Self {
        attempts: 0,
        elapsed: Duration::ZERO,
        fault: None,
        stop: None,
    };
}

impl Default for Summary {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Report {
    /// A report of nothing yet.
    pub const fn new() -> Self {
        Self {
            summary: Mutex::new(Summary::EMPTY),
        }
    }

    /// How many attempts have begun.
    pub fn attempts(&self) -> u32 {
        self.summary().attempts
    }

    /// The time from the beginning of the first attempt to the end of the last one so far.
    pub fn elapsed(&self) -> Duration {
        self.summary().elapsed
    }

    /// What the last failed attempt failed with.
    pub fn fault(&self) -> Option<Fault> {
        self.summary().fault
    }

    /// Why there was no further attempt; `None` after a success, and before the end.
    pub fn stop(&self) -> Option<Stop> {
        self.summary().stop
    }

    pub(super) fn set(&self, summary: Summary) {
        *self.summary() = summary;
    }

    fn summary(&self) -> MutexGuard<'_, Summary> {
        // Plain numbers: there is no state in between.
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
