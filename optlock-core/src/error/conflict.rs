//! A version check that failed.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use sea_orm::DbErr;

use super::Operation;
use super::reason::Reason;
use crate::backend::{Fault, fault};
use crate::value::{RowKey, RowVersion};

/// A write that was not done because the row is not, or may not be, as the caller read it.
///
/// It says what was tried ([`operation`](Self::operation), [`table`](Self::table), [`key`](Self::key),
/// [`expected`](Self::expected)), what was found instead ([`found`](Self::found)), and hands over the row that won
/// ([`current`](Self::current)). Its message shows the key and the versions and no other column.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::{Error, Found, Operation};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, stale) = fixture::stale().await?;
/// let Err(Error::Conflict(conflict)) = stale.update(&db).await else { panic!("a conflict") };
/// assert_eq!((conflict.table(), conflict.key().to_string()), ("product", "7".to_owned()));
/// assert_eq!(conflict.operation(), Operation::Update);
/// assert_eq!(conflict.expected().get::<i64>(), Some(1));
/// match conflict.found() {
///     Found::Changed { version } => assert_eq!(version.get::<i64>(), Some(2)),
///     Found::Deleted | Found::Blocked | Found::Unknown => unreachable!(),
/// }
/// let row = conflict.current::<product::Model>().expect("the row that won");
/// assert_eq!(row.version, 2);
/// # Ok(())
/// # }
/// ```
// The facts sit behind an `Arc`: errors stay small, and cloning one through `DbErr` keeps its identity.
#[derive(Clone)]
pub struct Conflict(Arc<Facts>);

/// The facts of a conflict.
pub(crate) struct Loss {
    pub(crate) table: &'static str,
    pub(crate) key: RowKey,
    pub(crate) operation: Operation,
    pub(crate) expected: RowVersion,
    pub(crate) found: Found,
    /// The model of the row that won.
    pub(crate) current: Option<Box<dyn Any + Send + Sync>>,
    /// The error that reported the conflict, or kept the database from saying what it found.
    pub(crate) cause: Option<DbErr>,
}

/// The facts, and what they mean.
struct Facts {
    loss: Loss,
    reason: Reason,
}

/// What the database held instead of the row that the caller had read.
///
/// Not `non_exhaustive`: a row that a write did not reach is at another version, is gone, is at the same version, or
/// could not be looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The row is there at another version: somebody changed it.
    Changed {
        /// The version that it is at now.
        version: RowVersion,
    },
    /// The row is not there: somebody deleted it, or it never existed.
    Deleted,
    /// The row is there at the expected version, but the write did not reach it: a trigger or a row-level policy held
    /// it back, or a filter that the caller added does not match. Repeating the write will hardly help: only if a rival
    /// has inserted the row between the write and the question.
    Blocked,
    /// The database could not be asked. Either it ended the transaction because a rival had committed a change that
    /// the transaction's snapshot does not show (above READ COMMITTED), or the row could not be read after the check
    /// had failed. [`Error::fault`](crate::Error::fault) and `source()` say which. Redo the whole transaction: in either
    /// case the database may have ended it.
    Unknown,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { version } => write!(f, "the row is at version {version}"),
            Self::Deleted => f.write_str("the row is not there"),
            Self::Blocked => {
                f.write_str("the row is at that version, but a trigger, a policy or a filter held the write back")
            }
            Self::Unknown => f.write_str("what the row is now could not be read"),
        }
    }
}

impl Conflict {
    pub(crate) fn new(loss: Loss) -> Self {
        let fault = match (&loss.found, loss.cause.as_ref().map(fault)) {
            (Found::Blocked, _) => Fault::Blocked,
            // The row could not be asked for: what kept it from being asked decides.
            (Found::Unknown, Some(fault @ (Fault::Serialization | Fault::Deadlock | Fault::ConnectionLost))) => fault,
            (Found::Changed { .. } | Found::Deleted | Found::Unknown, _) => Fault::Stale,
        };
        let reason = Reason::new(fault, loss.cause.clone());
        Self(Arc::new(Facts { loss, reason }))
    }

    /// The table of the row.
    pub fn table(&self) -> &str {
        self.0.loss.table
    }

    /// The primary key of the row.
    pub fn key(&self) -> &RowKey {
        &self.0.loss.key
    }

    /// What was tried.
    pub fn operation(&self) -> Operation {
        self.0.loss.operation
    }

    /// The version at which the caller had read the row; a `NULL` of its type for an `upsert` without a version, which expects no row.
    pub fn expected(&self) -> &RowVersion {
        &self.0.loss.expected
    }

    /// What the database held instead.
    pub fn found(&self) -> &Found {
        &self.0.loss.found
    }

    /// The row that won, read on the caller's connection after the check failed: with [`Found::Changed`] and
    /// [`Found::Blocked`]. `None` without a row, and for any `M` but the entity's `Model`.
    pub fn current<M: 'static>(&self) -> Option<&M> {
        self.0.loss.current.as_deref()?.downcast_ref()
    }

    /// What it means.
    pub(crate) fn fault(&self) -> Fault {
        self.0.reason.fault()
    }

    /// The database error behind [`Found::Unknown`].
    pub(crate) fn cause(&self) -> Option<&DbErr> {
        self.0.loss.cause.as_ref()
    }

    /// Whether both are clones of one conflict.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Loss {
            table,
            key,
            operation,
            expected,
            found,
            ..
        } = &self.0.loss;
        if expected.is_null() {
            return write!(
                f,
                "{operation} of {table} {key}, which was expected not to be there, conflicts: {found}"
            );
        }
        write!(
            f,
            "{operation} of {table} {key} at version {expected} conflicts: {found}"
        )
    }
}

impl std::error::Error for Conflict {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match &self.0.loss.cause {
            // It says the same by itself.
            Some(cause) if self.fault() == fault(cause) => cause,
            _ => &self.0.reason,
        })
    }
}

/// Shows no column but the key and the versions, like the message.
impl fmt::Debug for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflict")
            .field("table", &self.0.loss.table)
            .field("key", &self.0.loss.key)
            .field("operation", &self.0.loss.operation)
            .field("expected", &self.0.loss.expected)
            .field("found", &self.0.loss.found)
            .field("cause", &self.0.loss.cause)
            .finish_non_exhaustive()
    }
}
