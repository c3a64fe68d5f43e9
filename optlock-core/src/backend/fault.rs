//! What went wrong in a database, in words that mean the same for every backend.

use std::fmt;

/// The meaning of a database error.
///
/// Read from the driver's error code: never from the text of a message, and never from the variant of `DbErr`, which
/// depends on the call and not on the cause. Reading codes needs the driver's feature (`sqlx-sqlite`, `sqlx-postgres`,
/// `sqlx-mysql`) on `optlock`; without it the fault is [`Fault::Unclassified`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The row is at another version than the one that the write expected, or gone. Nothing was written. Read it again and decide again.
    Stale,
    /// The row is there, and at the version that was expected, if any was, but a trigger, a policy, or a filter of the caller's held the write back.
    Blocked,
    /// The transaction's snapshot is older than a change that a rival has committed (PostgreSQL 40001, MariaDB 1020,
    /// SQLite 517), or a cluster could not certify the transaction (TiDB 9007, 8022, 8002, 8028; group replication 3101). The whole transaction must be redone.
    Serialization,
    /// Two transactions waited for each other, and the server ended this one (PostgreSQL 40P01, MariaDB 1213).
    Deadlock,
    /// A lock was held by somebody else and the statement was not to wait (PostgreSQL 55P03, MySQL 3572).
    /// PostgreSQL reports the end of its `lock_timeout` in the same way; MariaDB reports `NOWAIT` as
    /// [`Fault::LockTimeout`].
    LockNotAvailable,
    /// The wait for a lock took too long (MariaDB and MySQL 1205; for a row lock of optlock, also PostgreSQL 55P03 and SQLite 5).
    LockTimeout,
    /// The server has no room for more locks, and has rolled back the transaction (MariaDB and MySQL 1206). Lock fewer rows.
    OutOfLocks,
    /// Another connection is writing to the SQLite database.
    Busy,
    /// A unique or exclusion constraint refused the write.
    Unique,
    /// A foreign key refused the write.
    ForeignKey,
    /// A column that must not be null would be.
    NotNull,
    /// A check constraint refused the write.
    Check,
    /// A number does not fit its column.
    OutOfRange,
    /// A trigger or a procedure raised an error of its own.
    Raised,
    /// The server or the transaction accepts no writes.
    ReadOnly,
    /// The statement was cancelled, or ran into a time limit for statements.
    Cancelled,
    /// The transaction had failed before this statement (PostgreSQL 25P02): the first error is the one that counts.
    Aborted,
    /// The connection is gone, or the server cannot be reached. What was sent last may or may not have happened.
    ConnectionLost,
    /// The server is there and does not take work yet, or no more of it: it is starting up, has no connection left, or its node has
    /// lost the cluster (PostgreSQL 57P03 and 53300, MariaDB and MySQL 1040 and 1203, Galera 1047, TiDB 9001 to 9005, SQLite 14).
    /// The statement was not done.
    Unavailable,
    /// Whether the transaction was committed is not known: the answer to its `COMMIT` was lost, or the server says that it does not know
    /// (CockroachDB and YugabyteDB 40003, MariaDB 1180). Look before you redo it.
    OutcomeUnknown,
    /// The pool had no connection to give. Nothing was sent.
    PoolTimeout,
    /// The code cannot be read: the feature of the driver that it is from is not turned on for `optlock`, or there is
    /// no code. Turn on the same driver features as for `sea-orm`.
    Unclassified,
    /// None of these.
    Other,
}

/// What must be done again after a [`Fault`], if anything may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Redo {
    /// The statement: nothing was sent.
    Statement,
    /// The whole transaction, from its first read on. A savepoint is not enough: what the transaction has read is out of date,
    /// or it holds locks that somebody waits for.
    Transaction,
    /// Nothing. The same work would meet the same error, or it needs a decision.
    Never,
    /// Nothing, before it is known whether the work was done. Inside a transaction that has not sent its `COMMIT` it was not.
    Unknown,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Fault {
    /// A name in lower case with underscores, for labels of metrics: it stays as it is.
    ///
    /// ```
    /// assert_eq!(optlock::Fault::LockTimeout.name(), "lock_timeout");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Blocked => "blocked",
            Self::Serialization => "serialization",
            Self::Deadlock => "deadlock",
            Self::LockNotAvailable => "lock_not_available",
            Self::LockTimeout => "lock_timeout",
            Self::OutOfLocks => "out_of_locks",
            Self::Busy => "busy",
            Self::Unique => "unique",
            Self::ForeignKey => "foreign_key",
            Self::NotNull => "not_null",
            Self::Check => "check",
            Self::OutOfRange => "out_of_range",
            Self::Raised => "raised",
            Self::ReadOnly => "read_only",
            Self::Cancelled => "cancelled",
            Self::Aborted => "aborted",
            Self::ConnectionLost => "connection_lost",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::PoolTimeout => "pool_timeout",
            Self::Unclassified => "unclassified",
            Self::Other => "other",
        }
    }

    /// What must be done again. [`Policy`](crate::Policy) acts on it, and knows more than the fault alone does: whether a
    /// lost connection had sent its `COMMIT`, and what its owner has allowed.
    ///
    /// ```
    /// use optlock::{Fault, Redo};
    ///
    /// assert_eq!(Fault::Deadlock.redo(), Redo::Transaction);
    /// assert_eq!(Fault::Unique.redo(), Redo::Never);
    /// assert_eq!(Fault::ConnectionLost.redo(), Redo::Unknown);
    /// ```
    pub const fn redo(self) -> Redo {
        match self {
            Self::Stale
            | Self::Serialization
            | Self::Deadlock
            | Self::LockNotAvailable
            | Self::LockTimeout
            | Self::Busy
            | Self::Unavailable => Redo::Transaction,
            Self::PoolTimeout => Redo::Statement,
            Self::ConnectionLost | Self::OutcomeUnknown => Redo::Unknown,
            Self::Blocked
            | Self::OutOfLocks
            | Self::Unique
            | Self::ForeignKey
            | Self::NotNull
            | Self::Check
            | Self::OutOfRange
            | Self::Raised
            | Self::ReadOnly
            | Self::Cancelled
            | Self::Aborted
            | Self::Unclassified
            | Self::Other => Redo::Never,
        }
    }

    /// Whether a rival was faster: [`Stale`](Self::Stale) or [`Serialization`](Self::Serialization).
    pub const fn is_conflict(self) -> bool {
        matches!(self, Self::Stale | Self::Serialization)
    }

    /// Whether the schema refused the write: a unique, foreign, `NOT NULL` or check constraint, or the range of a number.
    pub const fn is_constraint(self) -> bool {
        matches!(
            self,
            Self::Unique | Self::ForeignKey | Self::NotNull | Self::Check | Self::OutOfRange
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faster_rival_is_a_conflict_and_nothing_else_is() {
        for fault in [Fault::Stale, Fault::Serialization] {
            assert!(fault.is_conflict(), "{fault}");
        }
        for fault in [
            Fault::Blocked,
            Fault::Deadlock,
            Fault::Busy,
            Fault::LockTimeout,
            Fault::Unique,
        ] {
            assert!(!fault.is_conflict(), "{fault}");
        }
    }
}
