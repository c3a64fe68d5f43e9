//! Writes that were refused.

use std::fmt;

use sea_orm::DbErr;

use crate::value::{RowKey, RowVersion};

/// What a write or a lock does, in the words of its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `insert` of one row.
    Insert,
    /// `insert_many`.
    InsertMany,
    /// `update` of one row, with or without returning it.
    Update,
    /// `update_many`.
    UpdateMany,
    /// `update_by_id`.
    UpdateById,
    /// `upsert` of one row.
    Upsert,
    /// `update_batch`.
    UpdateBatch,
    /// `delete` of one row.
    Delete,
    /// `delete_batch`.
    DeleteBatch,
    /// `touch` of one row.
    Touch,
    /// A locking read.
    Lock,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Insert => "insert",
            Self::InsertMany => "insert_many",
            Self::Update => "update",
            Self::UpdateMany => "update_many",
            Self::UpdateById => "update_by_id",
            Self::Upsert => "upsert",
            Self::UpdateBatch => "update_batch",
            Self::Delete => "delete",
            Self::DeleteBatch => "delete_batch",
            Self::Touch => "touch",
            Self::Lock => "lock",
        })
    }
}

/// A column that the write cannot do without is `NotSet`.
///
/// For the version: load the row, or put the version that the caller read it at (from a form, an `If-Match` header)
/// into the active model with `Set`. For a new row call `insert`; `save` takes a set key for an existing row.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} of {table} needs `{column}`, which is `NotSet`")]
pub struct NotSet {
    table: &'static str,
    column: &'static str,
    operation: Operation,
}

impl NotSet {
    pub(crate) fn new(table: &'static str, column: &'static str, operation: Operation) -> Self {
        Self {
            table,
            column,
            operation,
        }
    }

    /// The table of the row.
    pub fn table(&self) -> &str {
        self.table
    }

    /// The name of the column: the version's, or one of the key's.
    pub fn column(&self) -> &str {
        self.column
    }

    /// What was tried.
    pub fn operation(&self) -> Operation {
        self.operation
    }
}

/// A batch names a row twice, so that one of the two would be written over the other. Refused before any SQL, but where the
/// database takes two different keys for the same one, as a collation without case does: then after a read that shows it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} of {} names the row {} twice", .0.operation, .0.table, .0.key)]
pub struct DuplicateKey(Box<Twice>);

#[derive(Clone, Debug)]
struct Twice {
    table: &'static str,
    key: RowKey,
    operation: Operation,
}

impl DuplicateKey {
    pub(crate) fn new(table: &'static str, key: RowKey, operation: Operation) -> Self {
        Self(Box::new(Twice { table, key, operation }))
    }

    /// The table of the row.
    pub fn table(&self) -> &str {
        self.0.table
    }

    /// The key, as it was named the second time.
    pub fn key(&self) -> &RowKey {
        &self.0.key
    }

    /// What was tried.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }
}

/// An update assigns an expression to the version column.
///
/// An update by expression advances the version of every row that it touches, so that no reader of one misses the
/// change; a value of the caller's could lower it. Leave the column out, or use `update_many_unchecked`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} of {table} assigns its version column `{column}`, which optlock advances")]
pub struct VersionAssigned {
    table: &'static str,
    column: &'static str,
    operation: Operation,
}

impl VersionAssigned {
    pub(crate) fn new(table: &'static str, column: &'static str, operation: Operation) -> Self {
        Self {
            table,
            column,
            operation,
        }
    }

    /// What was tried.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The table.
    pub fn table(&self) -> &str {
        self.table
    }

    /// The version column.
    pub fn column(&self) -> &str {
        self.column
    }
}

/// The version cannot advance: it is the last one that its type, or its column, can hold. Nothing was written.
///
/// Widen the column and the field. A write to one row is refused before any SQL; a bulk update by the database, whose
/// error is then the `source()`.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct Overflow(Box<Exhausted>);

#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} of {table} cannot advance the version past {last}")]
struct Exhausted {
    table: &'static str,
    operation: Operation,
    last: RowVersion,
    #[source]
    cause: Option<DbErr>,
}

impl Overflow {
    pub(crate) fn new(table: &'static str, operation: Operation, last: RowVersion, cause: Option<DbErr>) -> Self {
        Self(Box::new(Exhausted {
            table,
            operation,
            last,
            cause,
        }))
    }

    /// The table.
    pub fn table(&self) -> &str {
        self.0.table
    }

    /// What was tried.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The version that the row is at.
    pub fn last(&self) -> &RowVersion {
        &self.0.last
    }

    pub(crate) fn cause(&self) -> Option<&DbErr> {
        self.0.cause.as_ref()
    }
}

/// The backend cannot do what was asked in a way that keeps optlock's promises.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{backend} does not support {operation}")]
pub struct Unsupported {
    backend: &'static str,
    operation: Box<str>,
}

impl Unsupported {
    pub(crate) fn new(backend: &'static str, operation: impl Into<Box<str>>) -> Self {
        Self {
            backend,
            operation: operation.into(),
        }
    }

    /// The name of the backend.
    pub fn backend(&self) -> &str {
        self.backend
    }

    /// What it cannot do.
    pub fn operation(&self) -> &str {
        &self.operation
    }
}
