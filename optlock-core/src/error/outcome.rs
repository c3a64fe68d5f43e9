//! Writes that happened, but not as they should have.

use sea_orm::DbErr;

use super::Operation;
use super::reason::Reason;
use crate::backend::Fault;
use crate::value::{RowKey, RowVersion};

/// A write to one row reached several, because the entity's key does not identify a row of the table.
///
/// The rows were written: roll back if you are in a transaction, and give the entity a unique key.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} of {} {} reached {} rows, not one", .0.operation, .0.table, .0.key, .0.rows)]
pub struct TooManyRows(Box<Several>);

#[derive(Clone, Debug)]
struct Several {
    table: &'static str,
    key: RowKey,
    operation: Operation,
    rows: u64,
}

impl TooManyRows {
    pub(crate) fn new(table: &'static str, key: RowKey, operation: Operation, rows: u64) -> Self {
        Self(Box::new(Several {
            table,
            key,
            operation,
            rows,
        }))
    }

    /// The table of the rows.
    pub fn table(&self) -> &str {
        self.0.table
    }

    /// The key that they share.
    pub fn key(&self) -> &RowKey {
        &self.0.key
    }

    /// What was done to them.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// How many there are.
    pub fn rows(&self) -> u64 {
        self.0.rows
    }
}

/// The row was written, but what the database stored could not be read back.
///
/// Only where a write cannot return its row: on MySQL and MariaDB, and on SQLite without SeaORM's default feature
/// `sqlite-use-returning-for-3_35`. Between the write and the read another writer changed the row, which cannot happen in a
/// transaction, and the row has columns that the database fills (`#[generated]`, a default), that the caller left `NotSet`
/// or that were loaded with another row or version; or the read failed, and `source()` says why. The write stands: do not
/// repeat it. `update_without_returning` never reports this.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unread(Box<Written>);

#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} of {table} {key} was done at version {version}, but the row could not be read back")]
struct Written {
    table: &'static str,
    key: RowKey,
    operation: Operation,
    version: RowVersion,
    /// A reason of its own, so that nobody takes what kept the row from being read for a reason to write it again.
    source: Option<Reason>,
}

impl Unread {
    pub(crate) fn new(
        table: &'static str,
        key: RowKey,
        operation: Operation,
        version: RowVersion,
        cause: Option<DbErr>,
    ) -> Self {
        Self(Box::new(Written {
            table,
            key,
            operation,
            version,
            source: cause.map(|cause| Reason::new(Fault::Other, Some(cause))),
        }))
    }

    /// The table of the row.
    pub fn table(&self) -> &str {
        self.0.table
    }

    /// The primary key of the row.
    pub fn key(&self) -> &RowKey {
        &self.0.key
    }

    /// What was done.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The version that the row was given; `NULL` if only the database knows it, after an `update_by_id`.
    pub fn version(&self) -> &RowVersion {
        &self.0.version
    }

    pub(crate) fn cause(&self) -> Option<&DbErr> {
        self.0.source.as_ref()?.cause()
    }
}

/// The row was written, but its version column stored another version than the one sent.
///
/// The column is coarser than the field's [`Precision`](crate::Precision), or a trigger writes it. Two writes could
/// then carry the same version, which would hide a lost update: widen the column (`DATETIME(6)`, `TIMESTAMP(6)`), or
/// say `#[version(precision = N)]`. Roll back if you are in a transaction.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} of {} {} sent version {}, but the column stored {}", .0.operation, .0.table, .0.key, .0.sent, .0.stored)]
pub struct Imprecise(Box<Rounded>);

#[derive(Clone, Debug)]
struct Rounded {
    table: &'static str,
    key: RowKey,
    operation: Operation,
    sent: RowVersion,
    stored: RowVersion,
}

impl Imprecise {
    pub(crate) fn new(
        table: &'static str,
        key: RowKey,
        operation: Operation,
        sent: RowVersion,
        stored: RowVersion,
    ) -> Self {
        Self(Box::new(Rounded {
            table,
            key,
            operation,
            sent,
            stored,
        }))
    }

    /// The table of the row.
    pub fn table(&self) -> &str {
        self.0.table
    }

    /// The primary key of the row.
    pub fn key(&self) -> &RowKey {
        &self.0.key
    }

    /// What was done.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The version that was sent.
    pub fn sent(&self) -> &RowVersion {
        &self.0.sent
    }

    /// The version that the column holds.
    pub fn stored(&self) -> &RowVersion {
        &self.0.stored
    }
}
