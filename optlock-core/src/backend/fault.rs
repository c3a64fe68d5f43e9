//! What went wrong in a database, in words that mean the same for every backend.

/// The meaning of a database error.
///
/// Read from the driver's error code: never from the text of a message, and never from the variant of `DbErr`, which
/// depends on the call and not on the cause. Reading codes needs the driver's feature (`sqlx-sqlite`, `sqlx-postgres`,
/// `sqlx-mysql`) on `optlock`; without it the fault is [`Fault::Unclassified`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The transaction's snapshot is older than a change that a rival has committed (PostgreSQL 40001, MariaDB 1020,
    /// SQLite 517). The whole transaction must be redone.
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
    /// The pool had no connection to give. Nothing was sent.
    PoolTimeout,
    /// The code cannot be read: the feature of the driver that it is from is not turned on for `optlock`, or there is
    /// no code. Turn on the same driver features as for `sea-orm`.
    Unclassified,
    /// None of these.
    Other,
}
