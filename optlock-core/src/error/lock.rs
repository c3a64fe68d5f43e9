//! Row locks and named locks that were not granted, or could not be asked for.

use std::fmt;

use sea_orm::DbErr;

use super::Operation;
use super::reason::Reason;
use crate::backend::Fault;
use crate::transaction::TransactionState;
use crate::value::RowKey;

/// A lock that was not granted, or a write that met somebody else's.
///
/// [`fault`](Self::fault) is one of these, whichever database it is and whatever its own code for it is:
///
/// | | |
/// | --- | --- |
/// | [`Fault::LockNotAvailable`] | somebody else holds the row, and the lock was not to wait (`nowait`) |
/// | [`Fault::LockTimeout`] | somebody else held the row for longer than the lock was to wait |
/// | [`Fault::Deadlock`] | this transaction and another one waited for each other, and this one was chosen to fail |
/// | [`Fault::Serialization`] | the row has changed since this transaction's snapshot |
/// | [`Fault::OutOfLocks`] | the server has no room for more locks (MySQL, MariaDB) |
///
/// [`transaction`](Self::transaction) says what is left of the transaction. The database's own error is at the end of the causes, and
/// [`as_db_err`](Self::as_db_err).
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use optlock::{Error, Fault, TransactionState};
/// use sea_orm::TransactionTrait;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let file = fixture::file().await?;
/// let (ann, bob) = (file.connect().await?.begin().await?, file.connect().await?.begin().await?);
/// product::Entity::find_by_id(7).for_update().one(&ann).await?;
/// let Err(Error::Lock(err)) = product::Entity::find_by_id(7).for_update().nowait().one(&bob).await else {
///     panic!("Ann holds it");
/// };
/// assert_eq!((err.target(), err.fault()), ("product", Fault::LockNotAvailable));
/// assert_eq!(err.transaction(), TransactionState::Usable); // on SQLite, which this example runs on
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct LockError(Box<Facts>);

#[derive(Clone, Debug)]
struct Facts {
    target: Box<str>,
    operation: Operation,
    fault: Fault,
    transaction: TransactionState,
    source: DbErr,
    /// In place of the source, where the fault is not what the database says by itself.
    reason: Option<Reason>,
}

impl std::error::Error for Facts {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match &self.reason {
            Some(reason) => reason,
            None => &self.source,
        })
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            operation,
            fault,
            transaction,
            ..
        } = self;
        let what = match fault {
            Fault::LockNotAvailable => "somebody else holds the lock",
            Fault::LockTimeout => "somebody else held the lock for too long",
            Fault::Deadlock => "a deadlock was broken",
            Fault::Serialization => "it has changed since the transaction's snapshot",
            Fault::OutOfLocks => "the server has no room for more locks",
            _ => "the lock was not granted",
        };
        write!(f, "{operation} of {target} failed: {what}; {transaction}")
    }
}

impl LockError {
    pub(crate) fn new(
        target: impl Into<Box<str>>,
        operation: Operation,
        fault: Fault,
        transaction: TransactionState,
        source: DbErr,
    ) -> Self {
        let is_plain = crate::backend::fault(&source) == fault;
        Self(Box::new(Facts {
            target: target.into(),
            operation,
            fault,
            transaction,
            reason: (!is_plain).then(|| Reason::new(fault, Some(source.clone()))),
            source,
        }))
    }

    /// The table whose row was to be locked or written, or the name of a named lock.
    pub fn target(&self) -> &str {
        &self.0.target
    }

    /// What was tried: [`Operation::Lock`], or a write to a locked row that met somebody else's lock.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// Why it failed: one of those above.
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// What is left of the transaction.
    pub fn transaction(&self) -> TransactionState {
        self.0.transaction
    }

    /// The database's own error.
    pub fn as_db_err(&self) -> &DbErr {
        &self.0.source
    }

    pub(crate) fn into_db_err(self) -> DbErr {
        self.0.source
    }
}

/// A query whose rows cannot be locked. Refused before any SQL.
///
/// What a query with `DISTINCT`, `GROUP BY`, an aggregate or a `UNION` returns are no rows of a table. PostgreSQL refuses to lock
/// them; MariaDB and MySQL accept some of them, and lock what they happen to read. Lock the rows by key, and
/// compute in a second query. [`lock_in_order`](crate::lock_in_order) cannot have one table twice: give it the keys of both in one.
/// [`all_by_key`](crate::LockSelect::all_by_key) cannot have an index hint on MySQL and MariaDB, where the index is what the order comes from.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use optlock::Error;
/// use sea_orm::{DbBackend, QuerySelect};
///
/// let distinct = product::Entity::find().distinct().for_update().build(DbBackend::MySql);
/// let Err(Error::NotLockable(err)) = distinct else { panic!("not rows of the table") };
/// assert_eq!(err.to_string(), "a locking read of product cannot have DISTINCT");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("a locking read of {table} cannot have {clause}")]
pub struct NotLockable {
    table: &'static str,
    clause: &'static str,
}

impl NotLockable {
    pub(crate) fn new(table: &'static str, clause: &'static str) -> Self {
        Self { table, clause }
    }

    /// The table that the query selects from.
    pub fn table(&self) -> &str {
        self.table
    }

    /// What the query has that rules a lock out.
    pub fn clause(&self) -> &str {
        self.clause
    }
}

/// Not all the rows that were to be locked or changed are there. Those that are there are locked, if that was to be done; none is changed.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use optlock::Error;
/// use sea_orm::TransactionTrait;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// let txn = db.begin().await?;
/// let Err(Error::MissingRows(err)) = product::Entity::lock_all(&txn, [7, 8]).await?.into_vec() else {
///     panic!("there is no 8");
/// };
/// assert_eq!((err.table(), err.found(), err.wanted()), ("product", 1, 2));
/// assert_eq!(err.missing()[0].to_string(), "8");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0)]
pub struct MissingRows(Box<Shortfall>);

#[derive(Clone, Debug)]
struct Shortfall {
    table: &'static str,
    wanted: usize,
    found: usize,
    missing: Vec<RowKey>,
}

impl MissingRows {
    pub(crate) fn new(table: &'static str, wanted: usize, found: usize, missing: Vec<RowKey>) -> Self {
        Self(Box::new(Shortfall {
            table,
            wanted,
            found,
            missing,
        }))
    }

    /// The table of the rows.
    pub fn table(&self) -> &str {
        self.0.table
    }

    /// How many rows the caller wanted.
    pub fn wanted(&self) -> usize {
        self.0.wanted
    }

    /// How many there are.
    pub fn found(&self) -> usize {
        self.0.found
    }

    /// The keys of the rows that are not there, in the caller's order. None if it was only that a key was named twice, or one
    /// too many.
    pub fn missing(&self) -> &[RowKey] {
        &self.0.missing
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            wanted,
            found,
            missing,
        } = self;
        if missing.is_empty() {
            // All are there: it is the caller who named a key twice, or one more than the array takes.
            return write!(
                f,
                "{wanted} different rows of {table} were wanted, but {found} were named"
            );
        }
        if let ([key], 1) = (&**missing, wanted) {
            return write!(f, "a row of {table} was wanted, but is not there: {key}");
        }
        let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
        write!(
            f,
            "{wanted} rows of {table} were wanted, but these are not there: {}",
            missing.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_happened_and_what_is_left() {
        for (fault, transaction, message) in [
            (
                Fault::LockNotAvailable,
                TransactionState::Usable,
                "somebody else holds the lock; the transaction can go on",
            ),
            (
                Fault::LockTimeout,
                TransactionState::Usable,
                "somebody else held the lock for too long; the transaction can go on",
            ),
            (
                Fault::Deadlock,
                TransactionState::RolledBack,
                "a deadlock was broken; the server has rolled back the whole transaction",
            ),
            (
                Fault::Serialization,
                TransactionState::RolledBack,
                "it has changed since the transaction's snapshot; the server has rolled back the whole transaction",
            ),
            (
                Fault::OutOfLocks,
                TransactionState::RolledBack,
                "the server has no room for more locks; the server has rolled back the whole transaction",
            ),
            (
                Fault::Busy,
                TransactionState::Usable,
                "the lock was not granted; the transaction can go on",
            ),
        ] {
            let err = LockError::new("account", Operation::Lock, fault, transaction, DbErr::RecordNotInserted);
            assert_eq!(err.to_string(), format!("lock of account failed: {message}"));
        }
    }

    #[test]
    fn missing_rows_are_named() {
        let keys = vec![RowKey::new([9_i32.into()]), RowKey::new([4_i32.into()])];
        let err = MissingRows::new("account", 3, 1, keys);
        assert_eq!(
            err.to_string(),
            "3 rows of account were wanted, but these are not there: 9, 4"
        );
        let err = MissingRows::new("account", 1, 0, vec![RowKey::new([9_i32.into()])]);
        assert_eq!(err.to_string(), "a row of account was wanted, but is not there: 9");
        let err = MissingRows::new("account", 2, 1, Vec::new());
        assert_eq!(
            err.to_string(),
            "2 different rows of account were wanted, but 1 were named"
        );
    }
}
