//! SQLite.

use std::time::Duration;

use sea_orm::sea_query::{ExprTrait, Func, SimpleExpr};
use sea_orm::{DbBackend, Statement};

use super::locking::{Attempt, LockUnit, Locking, OuterJoinLocks, Quotes, WaitSetting};
use super::transactions::{Transactions, with_write_lock};
use super::{Capabilities, Confirming, Fault, Returning, batch};
use crate::lock_mode::{LockStrength, LockWait, millis};
use crate::transaction::TransactionState;

pub(super) const CAPABILITIES: Capabilities = Capabilities {
    name: "SQLite",
    // A plain UPDATE is cheaper and, in autocommit, lets the database checkpoint its WAL.
    returning: Returning::OnRequest,
    // A write that matched no row has taken the write lock, so a plain read in the same transaction is current.
    conflict_read: None,
    // A transaction that has only read sees its snapshot, whatever has been committed since.
    confirming_read: Confirming::AfterWriteLock,
    counts_from_zero: false,
    u32_limit: u32::MAX as u64,
    u64_limit: None,
    fail_on,
    fail_on_fault: Fault::Other,
    // Timestamps are text, and SQLite's date functions stop at milliseconds.
    advance_timestamp: None,
    compound: None,
    batching: batch::SQLITE,
    locking: Locking {
        // There are no row locks: a write to no row has locked the database before this is sent.
        read: |query, _| Ok(DbBackend::Sqlite.build(&query)),
        of_a_write: LockStrength::Update,
        unit: LockUnit::Database,
        quotes: Quotes::Doubled,
        outer_joins: OuterJoinLocks::Always,
        wait_setting: Some(BUSY_TIMEOUT),
        in_key_order: |_| {},
        locks_as_sorted: true,
        max_parameters: 32_766,
        lock_fault,
        aftermath,
        timeout_rolls_back: None,
        seal: None,
    },
    transactions: Transactions {
        aborted_probe: None,
        // `RAISE(ROLLBACK)`, `ON CONFLICT ROLLBACK`, a full disk, an interrupt.
        ended_probe: Some("BEGIN"),
        // Fails within a transaction. sqlx's own name for the first nested one; a savepoint outside of a transaction begins one, which its release commits.
        empty: Some("BEGIN; ROLLBACK; SAVEPOINT _sqlx_savepoint_1"),
        finishes_statements: false,
        finishes_begin: false,
        is_setting: |sql| sql.starts_with("PRAGMA busy_timeout"),
        options: with_write_lock,
    },
    // A named lock of the database file would be the write lock under another name.
    advisory: None,
};

const BUSY_TIMEOUT: WaitSetting = WaitSetting {
    value: |wait| match wait {
        LockWait::NoWait => Some("0".to_owned()),
        LockWait::AtMost(limit) => Some(millis(limit).to_string()),
        // All rows are locked or none is, so there is none to skip: what is waited for is the database.
        LockWait::AsSet | LockWait::SkipLocked => None,
    },
    read: |_| Statement::from_string(DbBackend::Sqlite, "PRAGMA busy_timeout"),
    set: |value| Statement::from_string(DbBackend::Sqlite, format!("PRAGMA busy_timeout = {value}")),
    read_sets: false,
    time: |value| value.parse().ok().map(Duration::from_millis),
    // It is the connection's.
    outlives_transaction: true,
};

/// `SQLITE_BUSY` comes after the busy timeout, or at once: where the transaction has read already and somebody else is
/// writing, each would wait for the other, so SQLite does not begin to (<https://www.sqlite.org/c3ref/busy_handler.html>).
fn lock_fault(fault: Fault, attempt: &Attempt) -> Option<Fault> {
    match fault {
        Fault::Busy if attempt.wait == LockWait::NoWait => Some(Fault::LockNotAvailable),
        Fault::Busy if attempt.waited_in_full() => Some(Fault::LockTimeout),
        Fault::Busy => Some(Fault::Deadlock),
        Fault::Serialization => Some(fault),
        _ => None,
    }
}

/// A snapshot that is out of date, or will be once the rival commits, can never be written from.
fn aftermath(fault: Fault) -> TransactionState {
    match fault {
        Fault::Serialization | Fault::Deadlock => TransactionState::MustRollBack,
        _ => TransactionState::Usable,
    }
}

/// `abs(column - column - 9223372036854775807 - 1)`: the one integer whose absolute value SQLite refuses to compute.
/// The column is in it so that SQLite does not evaluate it once, ahead of all rows.
fn fail_on(column: SimpleExpr) -> SimpleExpr {
    Func::abs(column.clone().sub(column).sub(i64::MAX).sub(1)).into()
}

/// Extended result codes: <https://www.sqlite.org/rescode.html>. The low byte is the primary code.
#[cfg(feature = "sqlx-sqlite")]
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const INTERRUPT: i32 = 9;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const BUSY_SNAPSHOT: i32 = 517;
    pub(super) const CONSTRAINT_CHECK: i32 = 275;
    pub(super) const CONSTRAINT_FOREIGNKEY: i32 = 787;
    pub(super) const CONSTRAINT_NOTNULL: i32 = 1299;
    pub(super) const CONSTRAINT_PRIMARYKEY: i32 = 1555;
    pub(super) const CONSTRAINT_TRIGGER: i32 = 1811;
    pub(super) const CONSTRAINT_UNIQUE: i32 = 2067;
    pub(super) const CONSTRAINT_ROWID: i32 = 2579;
    /// The part of an extended code that names its family.
    pub(super) const PRIMARY: i32 = 0xff;
}

#[cfg(feature = "sqlx-sqlite")]
pub(super) fn fault(err: &(dyn sea_orm::sqlx::error::DatabaseError + 'static)) -> Option<Fault> {
    err.try_downcast_ref::<sea_orm::SqlxSqliteError>()?;
    Some(meaning(err.code()?.parse().ok()?))
}

#[cfg(feature = "sqlx-sqlite")]
fn meaning(extended: i32) -> Fault {
    match extended {
        code::BUSY_SNAPSHOT => Fault::Serialization,
        code::CONSTRAINT_PRIMARYKEY | code::CONSTRAINT_UNIQUE | code::CONSTRAINT_ROWID => Fault::Unique,
        code::CONSTRAINT_FOREIGNKEY => Fault::ForeignKey,
        code::CONSTRAINT_NOTNULL => Fault::NotNull,
        code::CONSTRAINT_CHECK => Fault::Check,
        code::CONSTRAINT_TRIGGER => Fault::Raised,
        _ => match extended & code::PRIMARY {
            code::BUSY | code::LOCKED => Fault::Busy,
            code::READONLY => Fault::ReadOnly,
            code::INTERRUPT => Fault::Cancelled,
            code::IOERR => Fault::ConnectionLost,
            code::CANTOPEN => Fault::Unavailable,
            _ => Fault::Other,
        },
    }
}

#[cfg(all(test, feature = "sqlx-sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn extended_codes_have_their_meaning() {
        let table = [
            (5, Fault::Busy),
            (6, Fault::Busy),
            (261, Fault::Busy),
            (262, Fault::Busy),
            (773, Fault::Busy),
            (517, Fault::Serialization),
            (1555, Fault::Unique),
            (2067, Fault::Unique),
            (787, Fault::ForeignKey),
            (1299, Fault::NotNull),
            (275, Fault::Check),
            (1811, Fault::Raised),
            (8, Fault::ReadOnly),
            (1032, Fault::ReadOnly),
            (9, Fault::Cancelled),
            (10, Fault::ConnectionLost),
            (266, Fault::ConnectionLost),
            (14, Fault::Unavailable),
            (1, Fault::Other),
            (13, Fault::Other),
        ];
        for (extended, fault) in table {
            assert_eq!(meaning(extended), fault, "{extended}");
        }
    }
}
