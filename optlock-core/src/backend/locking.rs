//! What backends need for a row lock: facts and SQL, filled in by each backend's own file.

use std::time::Duration;

use sea_orm::Statement;
use sea_orm::sea_query::SelectStatement;

use super::Fault;
use crate::lock_mode::{LockStrength, LockWait};
use crate::transaction::TransactionState;

/// What a locking read asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockRequest {
    pub(crate) strength: LockStrength,
    pub(crate) wait: LockWait,
    /// The one table to lock rows of, where the query has several.
    pub(crate) of: Option<&'static str>,
}

/// How one backend locks rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Locking {
    /// The locking read, or what it is that the backend cannot do.
    pub(crate) read: fn(SelectStatement, &LockRequest) -> Result<Statement, String>,
    /// The strength of the lock that an update takes which leaves the key alone.
    pub(crate) of_a_write: LockStrength,
    /// What is locked by a locking read.
    pub(crate) unit: LockUnit,
    /// How text is written in SQL.
    pub(crate) quotes: Quotes,
    /// Whether rows can be locked that an outer join may leave out.
    pub(crate) outer_joins: OuterJoinLocks,
    /// The setting that bounds a wait, where a statement cannot say it itself.
    pub(crate) wait_setting: Option<WaitSetting>,
    /// How a locking read of many keys is made to lock them in the order of the key.
    pub(crate) in_key_order: fn(&mut SelectStatement),
    /// Whether rows are locked as an `ORDER BY` sorts them, and not as an index yields them.
    pub(crate) locks_as_sorted: bool,
    /// How many parameters a locking read of many keys can have.
    pub(crate) max_parameters: usize,
    /// What the error of a statement that may wait for a lock means, by its fault, if it is about a lock at all.
    pub(crate) lock_fault: fn(Fault, &Attempt) -> Option<Fault>,
    /// What an error leaves of the transaction.
    pub(crate) aftermath: fn(Fault) -> TransactionState,
    /// Asks whether a lock timeout ends the whole transaction here, where that is a setting of the server.
    pub(crate) timeout_rolls_back: Option<&'static str>,
    /// Makes a session, whose transaction the server has ended, refuse further writes.
    pub(crate) seal: Option<&'static str>,
}

/// What a locking read locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockUnit {
    /// The rows that it returns.
    Row,
    /// The whole database: by a write to no row, ahead of the read.
    Database,
}

/// Locks on rows that an outer join may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OuterJoinLocks {
    /// The server refuses them.
    Never,
    /// They are taken, but a row that is skipped comes back as one that is not there.
    UnlessSkipping,
    /// No row can be locked or skipped alone.
    Always,
}

/// How a quote within a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// Twice.
    Doubled,
    /// Behind a backslash.
    Backslash,
}

/// A setting of the session that says how long a statement waits for a lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitSetting {
    /// The value for a wait; `None` where the setting has no part in it.
    pub(crate) value: fn(LockWait) -> Option<String>,
    /// Reads the setting, as the only column or the first one. Sets it to a value, too, if [`Self::set`] is not needed
    /// for that.
    pub(crate) read: fn(&str) -> Statement,
    /// Sets it to a value.
    pub(crate) set: fn(&str) -> Statement,
    /// Whether `read` has set it.
    pub(crate) read_sets: bool,
    /// The time for which a statement waits at that value.
    pub(crate) time: fn(&str) -> Option<Duration>,
    /// Whether the value outlives the transaction, so that it must be put back whatever happens.
    pub(crate) outlives_transaction: bool,
}

/// How a statement that may have waited for a lock went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) wait: LockWait,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// How long the session would have let it wait, where that is known.
    pub(crate) patience: Option<Duration>,
}

impl Attempt {
    /// Whether the statement had the time that it was to wait, so that it can have failed for want of time.
    pub(crate) fn waited_in_full(&self) -> bool {
        let limit = match self.wait {
            LockWait::AtMost(limit) => Some(limit),
            LockWait::AsSet | LockWait::NoWait | LockWait::SkipLocked => self.patience,
        };
        limit.is_none_or(|limit| self.elapsed >= limit)
    }
}
