//! Numbers that make no sense.

use std::time::Duration;

/// A number that a policy cannot have.
///
/// ```
/// use std::time::Duration;
///
/// use optlock::{Backoff, Jitter, Policy};
///
/// assert_eq!(Policy::new().try_attempts(0).unwrap_err().to_string(), "a policy needs at least one attempt");
/// let backwards = Backoff::try_new(Jitter::Full, Duration::from_secs(2), Duration::from_secs(1));
/// assert_eq!(backwards.unwrap_err().to_string(), "the first delay, 2s, is longer than the longest one, 1s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPolicy {
    /// No attempt at all.
    #[error("a policy needs at least one attempt")]
    NoAttempts,
    /// No time at all.
    #[error("a deadline of zero leaves no time for a second attempt; say one attempt instead")]
    NoTime,
    /// A delay that doubles and never grows: a busy loop.
    #[error("a delay that starts at zero never grows; say `Backoff::none()` if that is meant")]
    NoDelay,
    /// The base is above the cap.
    #[error("the first delay, {base:?}, is longer than the longest one, {cap:?}")]
    Backwards {
        /// The first delay.
        base: Duration,
        /// The longest delay.
        cap: Duration,
    },
}
