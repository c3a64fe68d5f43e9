//! How often, and how fast, faults of one kind are answered by another attempt.

use std::time::Duration;

use crate::backend::Fault;
use crate::backoff::Backoff;
use crate::budget::BudgetAccount;

/// Faults that are answered alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// The winner has committed: there is nothing to wait for.
    Stale,
    Serialization,
    /// The other one of the two is still running.
    Deadlock,
    /// The time for the lock has been waited already.
    Lock,
    /// SQLite. Also what else the caller adds.
    Busy,
    Connection,
    /// The server, the node or the pool has no room yet.
    Outage,
}

impl Group {
    pub(super) const COUNT: usize = 7;

    pub(super) const fn of(fault: Fault) -> Self {
        match fault {
            Fault::Stale => Self::Stale,
            Fault::Serialization => Self::Serialization,
            Fault::Deadlock => Self::Deadlock,
            Fault::LockNotAvailable | Fault::LockTimeout => Self::Lock,
            Fault::ConnectionLost | Fault::OutcomeUnknown => Self::Connection,
            Fault::Unavailable | Fault::ReadOnly | Fault::PoolTimeout => Self::Outage,
            _ => Self::Busy,
        }
    }

    pub(super) const fn account(self) -> BudgetAccount {
        match self {
            Self::Connection | Self::Outage => BudgetAccount::Infrastructure,
            Self::Stale | Self::Serialization | Self::Deadlock | Self::Lock | Self::Busy => BudgetAccount::Conflicts,
        }
    }
}

/// The delays after faults of a group, and the attempts that may end in one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace<'a> {
    pub(super) backoff: Backoff<'a>,
    pub(super) attempts: Limit,
}

/// A number of attempts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// Of the default policy: it goes with the number of attempts that this has.
    Default(u32),
    /// The caller's.
    Said(u32),
    None,
}

/// In the order of [`Group`]. Bases are near the time that the winner still needs; caps are where more waiting helped nobody in
/// measurements with 64 rivals.
pub(super) const DEFAULTS: [Pace<'static>; Group::COUNT] = [
    Pace {
        backoff: jittered(2, 100).first_at_once(),
        attempts: Limit::None,
    },
    Pace {
        backoff: jittered(5, 250),
        attempts: Limit::Default(8),
    },
    Pace {
        backoff: jittered(10, 500),
        attempts: Limit::Default(5),
    },
    Pace {
        backoff: jittered(10, 500),
        attempts: Limit::Default(3),
    },
    Pace {
        backoff: jittered(5, 200),
        attempts: Limit::Default(5),
    },
    Pace {
        backoff: jittered(50, 2_000),
        attempts: Limit::Default(3),
    },
    Pace {
        backoff: jittered(250, 5_000),
        attempts: Limit::None,
    },
];

const fn jittered(base: u64, cap: u64) -> Backoff<'static> {
    Backoff::full_jitter(Duration::from_millis(base), Duration::from_millis(cap))
}

/// A set of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Faults(u32);

impl Faults {
    pub(super) const fn of(faults: &[Fault]) -> Self {
        let mut set = Self(0);
        let mut i = 0;
        while i < faults.len() {
            set = set.with(faults[i]);
            i += 1;
        }
        set
    }

    pub(super) const fn with(self, fault: Fault) -> Self {
        Self(self.0 | 1 << fault as u32)
    }

    pub(super) const fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u32))
    }

    pub(super) const fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u32) != 0
    }
}
