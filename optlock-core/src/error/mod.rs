//! The typed error of every checked write.

mod classify;
mod conflict;
mod conflicts;
mod database;
mod find;
mod lock;
mod outcome;
mod reason;
mod refusal;
mod refused;
#[cfg(test)]
mod tests;
mod transaction;

use std::sync::Arc;

use sea_orm::{DbErr, SqlErr};

pub use classify::{ByBox, ByError, ByReference, Classify};
pub use conflict::{Conflict, Found};
pub use conflicts::Conflicts;
pub use database::DatabaseError;
pub use find::fault;
pub use lock::{LockError, MissingRows, NotLockable};
pub use outcome::{Imprecise, TooManyRows, Unread};
pub use refusal::{DuplicateKey, NotSet, Operation, Overflow, Unsupported, VersionAssigned};
pub use refused::Refused;
pub use transaction::{Escaped, OutcomeUnknown, TransactionFailed};

pub(crate) use conflict::Loss;

use crate::backend::Fault;

/// Why a checked write did not do what it was asked to.
///
/// | variant | was anything written? | what to do |
/// | --- | --- | --- |
/// | [`Conflict`](Error::Conflict) | no | read the row again and decide again |
/// | [`Refused`](Error::Refused) | no | decide with the row as it is: its condition did not hold |
/// | [`Conflicts`](Error::Conflicts) | no, as its docs say | the same, for the rows that it names |
/// | [`NotSet`](Error::NotSet), [`DuplicateKey`](Error::DuplicateKey), [`VersionAssigned`](Error::VersionAssigned), [`Overflow`](Error::Overflow), [`Unsupported`](Error::Unsupported) | no; no SQL was sent, unless their docs say so | mend the call |
/// | [`Lock`](Error::Lock) | no; what came before in the transaction may be undone, too: [`LockError::transaction`] | redo the whole transaction, or go on if it can |
/// | [`NotLockable`](Error::NotLockable) | no; no SQL was sent | lock by key, then compute |
/// | [`MissingRows`](Error::MissingRows) | no; the rows that are there are locked | decide without them |
/// | [`TooManyRows`](Error::TooManyRows), [`Imprecise`](Error::Imprecise) | yes | mend the schema |
/// | [`Unread`](Error::Unread) | yes | read the row if you need it |
/// | [`TransactionFailed`](Error::TransactionFailed), [`Escaped`](Error::Escaped) | no; the whole transaction is rolled back | redo it; let go of the handle |
/// | [`OutcomeUnknown`](Error::OutcomeUnknown) | nobody knows | look before you redo it |
/// | [`Database`](Error::Database) | see [`Fault`] | as with any error of SeaORM |
///
/// # To and from `DbErr`
///
/// `?` converts both ways and loses nothing, so functions that return [`DbErr`] keep compiling, and a conflict that
/// crossed one, or one of SeaORM's nested saves, comes back as the same [`Conflict`]:
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::Error;
/// use sea_orm::{DatabaseConnection, DbErr};
///
/// async fn rename(db: &DatabaseConnection, stale: product::ActiveModel) -> Result<(), DbErr> {
///     stale.update(db).await?;
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, stale) = fixture::stale().await?;
/// let err = Error::from(rename(&db, stale).await.unwrap_err());
/// assert!(matches!(err, Error::Conflict(_)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The row is not, or may not be, as the caller read it. Nothing was written.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The row is there, and the condition of the write did not hold. Nothing was written.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Rows of a batch are not as the caller read them. None of the batch was written.
    #[error(transparent)]
    Conflicts(#[from] Conflicts),
    /// The version or the key that the write needs is `NotSet`. Refused before any SQL.
    #[error(transparent)]
    NotSet(#[from] NotSet),
    /// A batch names a row twice. Nothing was written.
    #[error(transparent)]
    DuplicateKey(#[from] DuplicateKey),
    /// An update assigns an expression to the version column, which optlock advances. Refused before any SQL.
    #[error(transparent)]
    VersionAssigned(#[from] VersionAssigned),
    /// The version is the last one of its type. Nothing was written.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// The database cannot do this in a way that keeps optlock's promises. Refused before any SQL.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// A write to one row reached several.
    #[error(transparent)]
    TooManyRows(#[from] TooManyRows),
    /// The row was written, but changed again before the columns that the database fills could be read.
    #[error(transparent)]
    Unread(#[from] Unread),
    /// The row was written, but its column stored another version than the one sent.
    #[error(transparent)]
    Imprecise(#[from] Imprecise),
    /// A lock was not granted, or a write to a locked row met the lock of somebody else.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The query has something that rules a lock out. Refused before any SQL.
    #[error(transparent)]
    NotLockable(#[from] NotLockable),
    /// Not all the rows that were to be locked or changed are there.
    #[error(transparent)]
    MissingRows(#[from] MissingRows),
    /// The transaction had failed before this, and nothing of it is stored.
    #[error(transparent)]
    TransactionFailed(#[from] TransactionFailed),
    /// A handle was kept for longer than its transaction, which is rolled back, or than its savepoint.
    #[error(transparent)]
    Escaped(#[from] Escaped),
    /// Whether the transaction was committed is not known.
    #[error(transparent)]
    OutcomeUnknown(#[from] OutcomeUnknown),
    /// Any other error of SeaORM, the driver or the server.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Error {
    /// Whether a rival got in the way, so that the same work is likely to succeed once it is redone from a fresh read:
    /// a [`Conflict`], [`Conflicts`], or a [`Fault::Serialization`] of a lock or of a write that is not tied to one row.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, stale) = fixture::stale().await?;
    /// let err = stale.update(&db).await.unwrap_err();
    /// assert!(err.is_conflict());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Conflict(_) | Self::Conflicts(_) => true,
            Self::Database(err) => err.fault() == Fault::Serialization,
            Self::Lock(err) => err.fault() == Fault::Serialization,
            _ => false,
        }
    }

    /// Whether the row is known to have been deleted.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, stale) = fixture::stale().await?;
    /// let err = stale.update(&db).await.unwrap_err();
    /// assert!(!err.is_gone(), "it was changed, not deleted");
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Conflict(conflict) if *conflict.found() == Found::Deleted)
    }

    /// The conflict, if this is one.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, stale) = fixture::stale().await?;
    /// let err = stale.update(&db).await.unwrap_err();
    /// let conflict = err.conflict().expect("a conflict");
    /// assert_eq!(conflict.to_string(), "update of product 7 at version 1 conflicts: the row is at version 2");
    /// # Ok(())
    /// # }
    /// ```
    pub fn conflict(&self) -> Option<&Conflict> {
        match self {
            Self::Conflict(conflict) => Some(conflict),
            _ => None,
        }
    }

    /// The conflicts of a batch, if this is them.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # use fixture::product;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, stale) = fixture::stale().await?;
    /// let err = product::Entity::update_batch([stale]).exec(&db).await.unwrap_err();
    /// assert_eq!(err.conflicts().map(|conflicts| conflicts.len()), Some(1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn conflicts(&self) -> Option<&Conflicts> {
        match self {
            Self::Conflicts(conflicts) => Some(conflicts),
            _ => None,
        }
    }

    /// Whether somebody else holds a lock that was asked for, so that the lock was not granted at once (`nowait`) or in
    /// time: [`Fault::LockNotAvailable`], [`Fault::LockTimeout`], and [`Fault::Busy`] of a statement of SQLite that is no lock of
    /// optlock's, such as `BEGIN IMMEDIATE`. [`LockError::transaction`] says whether the transaction can go on.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # use fixture::product;
    /// use optlock::prelude::*;
    /// use sea_orm::TransactionTrait;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let file = fixture::file().await?;
    /// let (ann, bob) = (file.connect().await?.begin().await?, file.connect().await?.begin().await?);
    /// product::Entity::find_by_id(7).for_update().one(&ann).await?;
    /// let err = product::Entity::find_by_id(7).for_update().nowait().one(&bob).await.unwrap_err();
    /// assert!(err.is_lock_unavailable());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_lock_unavailable(&self) -> bool {
        matches!(
            self.fault(),
            Some(Fault::LockNotAvailable | Fault::LockTimeout | Fault::Busy)
        )
    }

    /// What the database reported, if it reported an error: not what may be done again, which is [`fault`](crate::fault()) of the whole error. In the sense of [`LockError::fault`] where it is about a lock: for [`Error::Database`], and for errors that have a
    /// database error as their cause.
    ///
    /// ```
    /// use optlock::{Error, Fault};
    /// use sea_orm::{ConnAcquireErr, DbErr};
    ///
    /// let err = Error::from(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
    /// assert_eq!(err.fault(), Some(Fault::PoolTimeout));
    /// ```
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Database(err) => Some(err.fault()),
            Self::Lock(err) => Some(err.fault()),
            Self::TransactionFailed(err) => Some(err.fault()),
            Self::OutcomeUnknown(_) => Some(Fault::OutcomeUnknown),
            Self::Conflict(conflict) => conflict.cause().map(crate::backend::fault),
            Self::Refused(refused) => refused.cause().map(crate::backend::fault),
            Self::Overflow(overflow) => overflow.cause().map(crate::backend::fault),
            Self::Unread(unread) => unread.cause().map(crate::backend::fault),
            _ => None,
        }
    }

    /// SeaORM's view of a constraint that refused the write; the same as [`DbErr::sql_err`].
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, stale) = fixture::stale().await?;
    /// let err = stale.update(&db).await.unwrap_err();
    /// assert_eq!(err.sql_err(), None, "a conflict breaks no constraint");
    /// # Ok(())
    /// # }
    /// ```
    pub fn sql_err(&self) -> Option<SqlErr> {
        match self {
            Self::Database(err) => err.as_db_err().sql_err(),
            _ => None,
        }
    }
}

/// An error of SeaORM. One that carries an [`Error`] of ours becomes that error again.
impl From<DbErr> for Error {
    fn from(err: DbErr) -> Self {
        if let DbErr::TryIntoErr { source, .. } = &err
            && let Some(ours) = source.downcast_ref::<Self>()
        {
            return ours.clone();
        }
        Self::Database(DatabaseError::new(err))
    }
}

/// SeaORM's own errors become what they were. Ours travel inside [`DbErr::TryIntoErr`], the one variant that carries
/// an error of any type; its own words about a failed conversion are SeaORM's and cannot be helped.
impl From<Error> for DbErr {
    fn from(err: Error) -> Self {
        match err {
            Error::Database(err) => err.into_db_err(),
            ours => Self::TryIntoErr {
                from: "optlock::Error",
                into: "sea_orm::DbErr",
                source: Arc::new(ours),
            },
        }
    }
}
