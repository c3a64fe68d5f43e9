//! How strong a row lock is, and what a locking read does while somebody else holds a row.

use std::fmt;
use std::time::Duration;

/// How strong a row lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockStrength {
    Update,
    NoKeyUpdate,
    Share,
    KeyShare,
}

impl fmt::Display for LockStrength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Update => "FOR UPDATE",
            Self::NoKeyUpdate => "FOR NO KEY UPDATE",
            Self::Share => "FOR SHARE",
            Self::KeyShare => "FOR KEY SHARE",
        })
    }
}

/// What a locking read does about a row that somebody else has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockWait {
    /// Waits as long as the session is set to.
    AsSet,
    /// Fails at once.
    NoWait,
    /// Leaves the row out.
    SkipLocked,
    /// Waits, but no longer than this. Never zero, which is [`Self::NoWait`].
    AtMost(Duration),
}

impl LockWait {
    /// PostgreSQL counts the milliseconds of a timeout in 31 bits, which is 24 days.
    const LONGEST: Duration = Duration::from_millis(i32::MAX.unsigned_abs() as u64);

    /// Waits for no longer than `limit`, and not at all if it is zero. Zero means "for ever" to PostgreSQL.
    pub(crate) fn at_most(limit: Duration) -> Self {
        if limit.is_zero() {
            Self::NoWait
        } else {
            Self::AtMost(limit.min(Self::LONGEST))
        }
    }
}

/// A time limit in whole milliseconds, rounded up: a wait is never shorter than what was asked for.
pub(crate) fn millis(limit: Duration) -> u128 {
    limit.as_nanos().div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_at_all_is_no_wait() {
        assert_eq!(LockWait::at_most(Duration::ZERO), LockWait::NoWait);
        assert_eq!(
            LockWait::at_most(Duration::MAX),
            LockWait::AtMost(Duration::from_millis(2_147_483_647))
        );
    }

    #[test]
    fn milliseconds_are_rounded_up() {
        assert_eq!(millis(Duration::from_nanos(1)), 1);
        assert_eq!(millis(Duration::from_millis(7)), 7);
        assert_eq!(millis(Duration::from_micros(7_001)), 8);
    }
}
