//! Named locks that belong to a transaction and to no row.

use std::fmt;
use std::ops::Deref;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait};

use crate::backend::{Advisory, Session, capabilities};
use crate::error::{Error, Operation, Unsupported};
use crate::lock_mode::LockWait;
use crate::locking_read::{failure, waiting};

/// A transaction that holds a named lock from its beginning until after its commit: what one process at a time may
/// do, and has no row to lock.
///
/// Whoever asks for the same name in the same database waits. Names are any text, case counts, and nothing has to be
/// created. It derefs to SeaORM's transaction: pass `&*txn` to queries. On PostgreSQL it is always at READ COMMITTED, so that it sees
/// what the holder before it has committed.
///
/// | PostgreSQL | MySQL, MariaDB | SQLite |
/// | --- | --- | --- |
/// | `pg_advisory_xact_lock`, on a hash of the name | `GET_LOCK`, on a hash of the database and the name | [`Error::Unsupported`] |
///
/// On MySQL and MariaDB the lock belongs to the session and outlives its transactions. So it is taken on a connection of
/// its own, beside the pool and set up like the pool's, given up there after the commit, and the connection is closed: no
/// leftover lock can get into a pool, whatever is dropped or fails. Each holder and each waiter is one more connection to
/// the server, which the size of the pool does not bound, and SeaORM's metric callback does not see its statements.
///
/// Hold one name at a time. Two who each hold the name that the other one waits for are two sessions each, so no server
/// sees the deadlock: only [`begin_within`](Self::begin_within) ends it.
///
/// ```
/// use optlock::{AdvisoryTransaction, Error};
/// use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
///
/// async fn nightly_report(db: &DatabaseConnection) -> Result<(), Error> {
///     let Some(txn) = AdvisoryTransaction::try_begin(db, "nightly-report").await? else {
///         return Ok(()); // somebody else is at it
///     };
///     txn.execute_unprepared("INSERT INTO report …").await?;
///     txn.commit().await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // This example runs on SQLite, which has no named locks.
/// let db = Database::connect("sqlite::memory:").await?;
/// assert!(matches!(nightly_report(&db).await, Err(Error::Unsupported(_))));
/// # Ok(())
/// # }
/// ```
#[must_use = "the lock is held until the transaction ends"]
pub struct AdvisoryTransaction {
    // Fields are dropped in this order: the session is ended before the transaction gives its connection back.
    /// The session that holds the lock, where that is not the pool's, and how it gives it up.
    session: Option<(Session, &'static str)>,
    txn: DatabaseTransaction,
}

impl AdvisoryTransaction {
    /// Begins a transaction as soon as it has the lock, however long that takes. On MySQL and MariaDB, who waits asks anew
    /// every five seconds, so that their place in the queue is not for good.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] on SQLite; [`Error::Lock`] if the session has a `lock_timeout` of its own on PostgreSQL, which
    /// runs out; [`Error::Database`], also if somebody cancels the wait on the server.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the lock, or the place in the queue for it: within five seconds on MySQL and MariaDB. On
    /// PostgreSQL, the pool's connection goes on waiting on the server until it has the lock, and gives it up then: bound the
    /// wait with [`begin_within`](Self::begin_within).
    pub async fn begin(db: &DatabaseConnection, name: &str) -> Result<Self, Error> {
        Self::take(db, name, LockWait::AsSet).await?.ok_or_else(|| lost(name))
    }

    /// Begins a transaction if the lock is free; `None` if somebody else holds it.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    ///
    /// # Cancel safety
    ///
    /// As [`begin`](Self::begin).
    pub async fn try_begin(db: &DatabaseConnection, name: &str) -> Result<Option<Self>, Error> {
        Self::take(db, name, LockWait::NoWait).await
    }

    /// Begins a transaction if it gets the lock within `limit`; `None` if somebody else holds it for longer. Milliseconds count
    /// on PostgreSQL, whole seconds, rounded up, on MySQL and MariaDB. Zero is [`try_begin`](Self::try_begin).
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    ///
    /// # Cancel safety
    ///
    /// As [`begin`](Self::begin).
    pub async fn begin_within(db: &DatabaseConnection, name: &str, limit: Duration) -> Result<Option<Self>, Error> {
        Self::take(db, name, LockWait::at_most(limit)).await
    }

    async fn take(db: &DatabaseConnection, name: &str, wait: LockWait) -> Result<Option<Self>, Error> {
        let capabilities = capabilities(db.get_database_backend());
        let Some(advisory) = capabilities.advisory else {
            return Err(Unsupported::new(capabilities.name, "a named lock").into());
        };
        let session = match advisory.release {
            Some(release) => Some((Session::beside(db)?, release)),
            None => None,
        };
        let connection = session.as_ref().map_or(db, |(session, _)| session.connection());
        let txn = connection.begin_with_config(advisory.isolation_level, None).await?;
        // Ahead of the wait, so that dropping the future ends the session.
        let ours = Self { session, txn };
        match ours.wait(name, wait, &advisory).await {
            Ok(true) => Ok(Some(ours)),
            Ok(false) => ours.rollback().await.map(|()| None),
            Err(err) => Err(err),
        }
    }

    /// Whether the lock was granted, by as many statements as it takes to wait for it.
    async fn wait(&self, name: &str, wait: LockWait, advisory: &Advisory) -> Result<bool, Error> {
        let started = Instant::now();
        loop {
            let (piece, is_last) = match (wait, advisory.longest_wait) {
                (LockWait::AsSet, Some(longest)) => (LockWait::AtMost(longest), false),
                (LockWait::AtMost(limit), Some(longest)) => {
                    let left = limit.saturating_sub(started.elapsed());
                    (LockWait::at_most(left.min(longest)), left <= longest)
                }
                _ => (wait, true),
            };
            let statement = (advisory.take)(name, piece);
            match waiting(&self.txn, piece, self.txn.query_one_raw(statement)).await {
                Ok(row) => match row
                    .map(|row| row.try_get_by_index::<Option<i64>>(0))
                    .transpose()?
                    .flatten()
                {
                    Some(1) => return Ok(true),
                    Some(_) if is_last => return Ok(false),
                    Some(_) => {}
                    // Neither the lock nor the end of the time: somebody has cancelled the wait on the server.
                    None => return Err(lost(name)),
                },
                Err((err, attempt)) => {
                    let err = failure(&self.txn, name, Operation::Lock, err, &attempt).await;
                    // A session whose own setting is shorter than for ever is none that was asked for a limit.
                    return if wait != LockWait::AsSet && err.is_lock_unavailable() {
                        Ok(false)
                    } else {
                        Err(err)
                    };
                }
            }
        }
    }

    /// Commits, then gives up the lock: the next holder sees what was written.
    ///
    /// As with any transaction, an error before it that was not acted upon may have undone the work, and the commit of a transaction
    /// that the server has rolled back is `Ok`: see [`TransactionState::RolledBack`](crate::TransactionState::RolledBack).
    ///
    /// # Errors
    ///
    /// [`Error::Database`] from the commit. The lock is given up all the same.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the transaction committed or rolled back, and the lock free.
    pub async fn commit(self) -> Result<(), Error> {
        let Self { session, txn } = self;
        let outcome = txn.commit().await;
        close(session, outcome).await
    }

    /// Rolls back, then gives up the lock. Dropping the transaction does the same, a little later: once the server has done
    /// with the statement that is in flight, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] from the rollback. The lock is given up all the same.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the transaction rolled back and the lock free.
    pub async fn rollback(self) -> Result<(), Error> {
        let Self { session, txn } = self;
        let outcome = txn.rollback().await;
        close(session, outcome).await
    }
}

/// Gives up the lock and ends its session, after its transaction, whose outcome is the one that counts.
async fn close(session: Option<(Session, &'static str)>, outcome: Result<(), DbErr>) -> Result<(), Error> {
    // After an error, dropping the session ends it.
    outcome?;
    if let Some((session, release)) = session {
        session.close(release).await;
    }
    Ok(())
}

/// The server has ended a wait for the lock without the lock, and without an error of its own.
fn lost(name: &str) -> Error {
    DbErr::Custom(format!("the named lock `{name}` was not granted")).into()
}

impl Deref for AdvisoryTransaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.txn
    }
}

impl fmt::Debug for AdvisoryTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdvisoryTransaction").finish_non_exhaustive()
    }
}
