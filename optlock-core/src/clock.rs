//! Time, as retries see it.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// What [`Clock::sleep`] returns.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a [`Policy`](crate::Policy) gets the time from, and what it waits with.
///
/// The default is Tokio's timer, which the runtime must have enabled (`enable_time`); `tokio::time::pause` works in tests. Implement it for another runtime, or for tests that are not to wait:
///
/// ```
/// use std::sync::Mutex;
/// use std::time::{Duration, Instant};
///
/// use optlock::{Clock, Sleep};
///
/// /// Time that passes only when somebody sleeps.
/// struct Hourglass(Mutex<Instant>);
///
/// impl Clock for Hourglass {
///     fn now(&self) -> Instant {
///         *self.0.lock().unwrap()
///     }
///
///     fn sleep(&self, duration: Duration) -> Option<Sleep> {
///         *self.0.lock().unwrap() += duration;
///         Some(Box::pin(std::future::ready(())))
///     }
/// }
/// ```
pub trait Clock: Send + Sync {
    /// The time now; never earlier than it was.
    fn now(&self) -> Instant;

    /// Becomes ready after that time. `None` if there is nothing here to wait with: the policy then gives up with
    /// [`Stop::NoTimer`](crate::Stop::NoTimer) instead of trying again at once.
    fn sleep(&self, duration: Duration) -> Option<Sleep>;
}

/// Tokio's timer.
pub(crate) static TOKIO_CLOCK: TokioClock = TokioClock;

pub(crate) struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        // Outside of a runtime this is the system's clock.
        tokio::time::Instant::now().into_std()
    }

    fn sleep(&self, duration: Duration) -> Option<Sleep> {
        // Without a runtime, Tokio's sleep would panic.
        tokio::runtime::Handle::try_current().ok()?;
        // So it would in one whose timer is off, which cannot be asked.
        let sleep = std::panic::catch_unwind(|| tokio::time::sleep(duration)).ok()?;
        Some(Box::pin(sleep))
    }
}
