//! `for_update()` and its siblings: a select that locks the rows that it returns.

use std::marker::PhantomData;
use std::time::Duration;

use sea_orm::sea_query::SelectStatement;
use sea_orm::{DbBackend, QueryFilter, QueryOrder, QueryTrait, Statement};

use super::source::{LockOne, LockSource};
use crate::backend::{LockRequest, capabilities};
use crate::entity::table;
use crate::error::Error;
use crate::lock_mode::{LockStrength, LockWait};
use crate::locking_read::{rows, statement};
use crate::transaction::OpenTransaction;

/// Row locks for SeaORM's selects.
///
/// | method | PostgreSQL | MySQL, MariaDB | SQLite | lets others |
/// | --- | --- | --- | --- | --- |
/// | [`for_update`](Self::for_update) | `FOR UPDATE` | `FOR UPDATE` | write lock | read |
/// | [`for_no_key_update`](Self::for_no_key_update) | `FOR NO KEY UPDATE` | `Unsupported` | write lock | read, and insert rows that refer to these |
/// | [`for_share`](Self::for_share) | `FOR SHARE` | `LOCK IN SHARE MODE` | write lock | read, and share the lock |
/// | [`for_key_share`](Self::for_key_share) | `FOR KEY SHARE` | `Unsupported` | write lock | do all but delete the row or change its key |
///
/// SQLite has no row locks: the lock is the database's write lock, taken by a write to no row ahead of the read, or held
/// already. It is stronger than what was asked for, never weaker. A transaction that reads before it locks can find its
/// snapshot out of date: lock first, or begin with `SqliteTransactionMode::Immediate`. It is then the `BEGIN` that waits, for
/// as long as the connection is set to, and `nowait` and `wait` have nothing left to say.
///
/// Works for entities with and without a `#[version]`.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use sea_orm::TransactionTrait;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// let txn = db.begin().await?;
/// let tea = product::Entity::find_by_id(7).for_update().one(&txn).await?.ok_or("no tea")?;
/// let tea = tea.update(|tea| tea.stock -= 2).await?;
/// assert_eq!((tea.stock, tea.version), (1, 2));
/// txn.commit().await?;
/// # Ok(())
/// # }
/// ```
pub trait LockExt: LockSource + QueryTrait<QueryStatement = SelectStatement> + Sized {
    /// `FOR UPDATE`: nobody else can lock, change or delete the rows until the transaction ends.
    fn for_update(self) -> LockSelect<Self> {
        LockSelect::new(self.into_query(), LockStrength::Update)
    }

    /// `FOR NO KEY UPDATE`: as [`for_update`](Self::for_update), but rows that refer to these can still be inserted. It is the lock that an update
    /// takes which leaves the key alone. `Unsupported` on MySQL and MariaDB.
    fn for_no_key_update(self) -> LockSelect<Self> {
        LockSelect::new(self.into_query(), LockStrength::NoKeyUpdate)
    }

    /// `FOR SHARE`: nobody can change or delete the rows until the transaction ends, but others can lock them in the same
    /// way. Two who share a lock and then both write end in a deadlock: lock what is to be written `for_update`.
    fn for_share(self) -> LockSelect<Self> {
        LockSelect::new(self.into_query(), LockStrength::Share)
    }

    /// `FOR KEY SHARE`: nobody can delete the rows or change their keys until the transaction ends. `Unsupported` on MySQL and
    /// MariaDB.
    fn for_key_share(self) -> LockSelect<Self> {
        LockSelect::new(self.into_query(), LockStrength::KeyShare)
    }
}

impl<S: LockSource + QueryTrait<QueryStatement = SelectStatement>> LockExt for S {}

/// The lock that is enough for an update which leaves the key alone: the weakest one, so that rows that refer to these can still be inserted.
pub(crate) fn for_write<S>(select: S, backend: DbBackend, wait: LockWait) -> LockSelect<S, WaitSaid>
where
    S: LockSource + QueryTrait<QueryStatement = SelectStatement>,
{
    LockSelect::new(select.into_query(), capabilities(backend).locking.of_a_write).waiting(wait)
}

/// A [`LockSelect`] of which nothing is said yet about waiting.
#[derive(Clone, Copy, Debug)]
pub struct WaitUnsaid;

/// A [`LockSelect`] whose waiting is said: one of `nowait`, `skip_locked` and `wait` has been called.
#[derive(Clone, Copy, Debug)]
pub struct WaitSaid;

/// What [`LockSelect`] knows of its waiting.
#[diagnostic::on_unimplemented(
    message = "what to do about a row that is locked is said twice",
    label = "after `nowait`, `skip_locked` or `wait`",
    note = "the three exclude each other: keep one of them"
)]
pub trait SayWait: private::Sealed {}

impl SayWait for WaitUnsaid {}

mod private {
    /// Keeps [`SayWait`](super::SayWait) to this crate.
    pub trait Sealed {}
    impl Sealed for super::WaitUnsaid {}
}

/// A select that locks the rows that it returns, made by [`LockExt`].
///
/// Filters, order and limit can be set before or after. At READ COMMITTED, PostgreSQL sorts before it locks: where it had to
/// wait for a row whose sort column has changed meanwhile, the rows come in the old order.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use std::time::Duration;
///
/// use optlock::prelude::*;
/// use sea_orm::TransactionTrait;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// let txn = db.begin().await?;
/// let in_stock = product::Entity::find().filter(product::Column::Stock.gt(0));
///
/// // Wait, but not for long.
/// let rows = in_stock.clone().for_update().wait(Duration::from_millis(200)).all(&txn).await?;
/// assert_eq!(rows.len(), 1);
///
/// // Whatever is free, and no more than ten of it: the next work of a queue.
/// let rows = in_stock.for_update().skip_locked().limit(10).all(&txn).await?;
/// assert_eq!(rows[0].name, "tea");
/// txn.commit().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a locking read does nothing until it is executed"]
pub struct LockSelect<S, W = WaitUnsaid> {
    pub(super) query: SelectStatement,
    strength: LockStrength,
    wait: LockWait,
    /// Whether only rows of the first entity are locked.
    of: bool,
    types: PhantomData<(S, W)>,
}

impl<S: LockSource> LockSelect<S> {
    fn new(query: SelectStatement, strength: LockStrength) -> Self {
        Self {
            query,
            strength,
            wait: LockWait::AsSet,
            of: false,
            types: PhantomData,
        }
    }
}

impl<S: LockSource, W> LockSelect<S, W> {
    /// Fails at once if somebody else holds one of the rows, with [`Fault::LockNotAvailable`](crate::Fault::LockNotAvailable). By default, the lock is waited for.
    pub fn nowait(self) -> LockSelect<S, WaitSaid>
    where
        W: SayWait,
    {
        self.waiting(LockWait::NoWait)
    }

    /// Leaves out rows that somebody else holds: the way to take work from a queue. A row that is not returned is locked
    /// or not there; nobody can tell which. By default, the lock is waited for.
    pub fn skip_locked(self) -> LockSelect<S, WaitSaid>
    where
        W: SayWait,
    {
        self.waiting(LockWait::SkipLocked)
    }

    /// Waits for each lock for no longer than `limit`, then fails with [`Fault::LockTimeout`](crate::Fault::LockTimeout). Zero is
    /// [`nowait`](Self::nowait), and more than 24 days are 24 days. By default, the session's setting decides: without
    /// end on PostgreSQL, 50 seconds on MySQL and MariaDB, sqlx's 5 seconds on SQLite.
    ///
    /// PostgreSQL and SQLite count milliseconds, and MySQL counts them for the whole statement; MariaDB counts whole
    /// seconds, rounded up. Where it is a setting of the session, it is put back after the read.
    pub fn wait(self, limit: Duration) -> LockSelect<S, WaitSaid>
    where
        W: SayWait,
    {
        self.waiting(LockWait::at_most(limit))
    }

    /// The same, with its waiting said once and for all.
    pub(super) fn said(self) -> LockSelect<S, WaitSaid> {
        let wait = self.wait;
        self.waiting(wait)
    }

    fn waiting(self, wait: LockWait) -> LockSelect<S, WaitSaid> {
        LockSelect {
            query: self.query,
            strength: self.strength,
            wait,
            of: self.of,
            types: PhantomData,
        }
    }

    /// Locks the rows of the entity that is selected from, and leaves those alone that are joined to it. By default, the
    /// rows of every table are locked. `Unsupported` on MySQL and MariaDB; PostgreSQL needs it for outer joins.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # use fixture::product;
    /// use optlock::prelude::*;
    /// use sea_orm::DbBackend;
    ///
    /// # fn main() -> Result<(), optlock::Error> {
    /// let lock = product::Entity::find_by_id(7).for_update().of(product::Entity);
    /// let sql = lock.build(DbBackend::Postgres)?.to_string();
    /// assert!(sql.ends_with(r#"WHERE "product"."id" = 7 FOR UPDATE OF "product""#));
    /// # Ok(())
    /// # }
    /// ```
    pub fn of(self, _: S::Entity) -> LockSelect<S::OfFirst, W> {
        LockSelect {
            query: self.query,
            strength: self.strength,
            wait: self.wait,
            of: true,
            types: PhantomData,
        }
    }

    /// At most so many rows; of a `SelectTwoMany`, so many pairs of a parent and a child.
    pub fn limit(mut self, rows: u64) -> Self {
        self.query.limit(rows);
        self
    }

    /// Without the first so many rows, which may be locked all the same.
    pub fn offset(mut self, rows: u64) -> Self {
        self.query.offset(rows);
        self
    }

    /// The read that [`all`](Self::all) sends; what is sent around it to bound the wait, or to take SQLite's write lock, is in
    /// `BACKENDS.md`.
    ///
    /// # Errors
    ///
    /// [`Error::NotLockable`] and [`Error::Unsupported`].
    pub fn build(&self, backend: DbBackend) -> Result<Statement, Error> {
        statement::<S::Entity>(backend, self.query.clone(), &self.request())
    }

    /// Locks the first row and returns it; `None` if there is none, or none that is not skipped.
    ///
    /// # Errors
    ///
    /// [`Error::NotLockable`] and [`Error::Unsupported`] before any SQL; [`Error::Lock`] if the lock is not granted, which
    /// says whether the transaction can go on; [`Error::Database`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves rows locked or not; which of the two is not known until the transaction ends. A
    /// statement that waits on the server goes on waiting there until it has the lock or its time is up, and the
    /// connection is busy for so long: bound it with [`wait`](Self::wait). After it, roll back: what became of the
    /// transaction is not known, and on PostgreSQL a bounded wait may stay set for the rest of it.
    pub async fn one<T: OpenTransaction>(self, txn: &T) -> Result<Option<S::Row<'_, T>>, Error>
    where
        S: LockOne,
    {
        Ok(self.limit(1).all(txn).await?.into_iter().next())
    }

    /// Locks all rows and returns them.
    ///
    /// Two transactions that lock several rows each, in different orders, can meet in a deadlock: see
    /// [`LockRows::lock_all`](super::LockRows::lock_all).
    ///
    /// # Errors
    ///
    /// As [`one`](Self::one).
    ///
    /// # Cancel safety
    ///
    /// As [`one`](Self::one).
    pub async fn all<T: OpenTransaction>(self, txn: &T) -> Result<Vec<S::Row<'_, T>>, Error> {
        let request = self.request();
        let rows = rows::<S::Entity, T>(txn, self.query, &request).await?;
        Ok(S::rows(&rows, txn)?)
    }

    pub(super) fn request(&self) -> LockRequest {
        LockRequest {
            strength: self.strength,
            wait: self.wait,
            of: self.of.then(table::<S::Entity>),
        }
    }
}

impl<S: LockSource, W> QueryFilter for LockSelect<S, W> {
    type QueryStatement = SelectStatement;

    fn query(&mut self) -> &mut SelectStatement {
        &mut self.query
    }
}

impl<S: LockSource, W> QueryOrder for LockSelect<S, W> {
    type QueryStatement = SelectStatement;

    fn query(&mut self) -> &mut SelectStatement {
        &mut self.query
    }
}
