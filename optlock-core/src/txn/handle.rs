//! The handle that the closure of a transaction has.

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult,
    Statement, TransactionError, TransactionOptions, TransactionSession, TransactionTrait,
};

use super::savepoints::OpenSavepoint;
use super::shared::Shared;
use crate::backend::capabilities;
use crate::error::{Error, Unsupported};
use crate::transaction::OpenTransaction;

/// The transaction of [`transaction`](crate::transaction()), for as long as its closure runs.
///
/// Queries and row locks take `&txn`, as they take SeaORM's transaction. It begins and ends with the closure: there is nothing to commit. An
/// `Err` rolls it back. `txn.begin()` is a savepoint.
///
/// It is owned, so that the closure's future can be sent to other threads, and it cannot be cloned. Whoever keeps it for longer than the
/// closure runs gets [`Error::Escaped`](crate::Error::Escaped), and the transaction is rolled back. Results are collected
/// (`one`, `all`), not streamed.
///
/// Helpers that are to take it, too, say `C: ConnectionTrait` for queries and writes, `T: OpenTransaction` for locks, and
/// [`C: ModifyIn`](crate::ModifyIn) for [`Modify`](crate::Modify).
pub struct Txn {
    slot: Arc<Slot>,
    /// Keeps the handle out of what a closure returns: see [`TransactionOutput`].
    _pinned: PhantomPinned,
}

/// What the handles of a transaction hold: as long as somebody has it, there is a handle.
pub(super) struct Slot {
    pub(super) shared: Shared,
    after_commit: Mutex<Vec<AfterCommit>>,
}

pub(crate) type AfterCommit = Box<dyn FnOnce() + Send>;

impl Slot {
    pub(super) fn new(txn: DatabaseTransaction) -> Arc<Self> {
        Arc::new(Self {
            shared: Shared::new(txn),
            after_commit: Mutex::default(),
        })
    }

    pub(super) fn take_after_commit(&self) -> Vec<AfterCommit> {
        std::mem::take(&mut *self.after_commit.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Txn {
    pub(super) fn new(slot: &Arc<Slot>) -> Self {
        Self {
            slot: Arc::clone(slot),
            _pinned: PhantomPinned,
        }
    }

    /// Calls this once the transaction is committed: after the attempt that counts, in the order of the calls, and never for one that
    /// is rolled back or whose outcome is unknown. A savepoint that is rolled back takes no call along. If one panics, the others are made, and then the
    /// panic goes on to the caller of the transaction, which is stored.
    ///
    /// The call is lost if the process ends between the commit and it. What must not be lost belongs into a table, in the transaction.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # use fixture::product;
    /// use std::sync::mpsc;
    ///
    /// use optlock::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, _) = fixture::shop().await?;
    /// let (sender, receiver) = mpsc::channel();
    /// let stock = optlock::transaction(&db, |txn| {
    ///     let sender = sender.clone();
    ///     async move {
    ///         let tea = product::Entity::modify(&txn, 7, |tea| tea.stock -= 1).await?;
    ///         txn.after_commit(move || drop(sender.send("sold")));
    ///         Ok::<_, optlock::Error>(tea.stock)
    ///     }
    /// })
    /// .await?;
    /// assert_eq!((stock, receiver.recv()?), (2, "sold"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn after_commit(&self, call: impl FnOnce() + Send + 'static) {
        let mut calls = self.slot.after_commit.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(Box::new(call));
    }
}

#[diagnostic::do_not_recommend]
impl OpenTransaction for Txn {}

/// A savepoint of a [`Txn`], or of another savepoint: `txn.begin()`.
///
/// Rolled back when it is dropped, ahead of whatever comes next. After an error that has ended the whole transaction on the server, it can only be
/// let go: the error comes back from whatever is tried next, and from the transaction itself. When it ends, so do the savepoints within it.
pub struct Savepoint {
    open: OpenSavepoint,
    slot: Arc<Slot>,
    _pinned: PhantomPinned,
}

/// What the closure of a transaction can return: any [`Unpin`] type, which is everything but futures and the handle itself, or what has it inside. Generic
/// code says `T: Unpin`.
///
/// A handle that is hidden in a box, or put somewhere else, is found when the closure ends: [`Error::Escaped`](crate::Error::Escaped).
#[diagnostic::on_unimplemented(
    message = "a transaction cannot return `{Self}`",
    label = "has the handle of the transaction in it, or a future",
    note = "the handle is of no use after the transaction: return what was read or written, such as a model"
)]
pub trait TransactionOutput {}

#[diagnostic::do_not_recommend]
impl<T: Unpin> TransactionOutput for T {}

impl Savepoint {
    async fn begin_in(slot: &Arc<Slot>, parent: Option<u64>, options: TransactionOptions) -> Result<Self, DbErr> {
        if options.isolation_level.is_some() || options.access_mode.is_some() {
            // Servers differ: refused by some, ignored by others.
            let backend = capabilities(slot.shared.backend()).name;
            let what = "an isolation level or an access mode of a savepoint";
            return Err(Error::from(Unsupported::new(backend, what)).into());
        }
        Ok(Self {
            open: slot.shared.begin_savepoint(parent).await?,
            slot: Arc::clone(slot),
            _pinned: PhantomPinned,
        })
    }

    /// Keeps what was done since the savepoint, as part of the transaction.
    ///
    /// # Errors
    ///
    /// [`Error::TransactionFailed`] in the `DbErr` if the transaction has failed, [`Error::Escaped`] if a savepoint within this one is still there; the
    /// server's.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future keeps it or rolls it back. After it, roll back the transaction: what became of it is not known.
    pub async fn commit(self) -> Result<(), DbErr> {
        let Self { open, slot, .. } = self;
        slot.shared.commit_savepoint(open).await
    }

    /// Undoes what was done since the savepoint. `Ok` also if the server has undone all of the transaction.
    ///
    /// # Errors
    ///
    /// The server's.
    ///
    /// # Cancel safety
    ///
    /// As [`commit`](Self::commit).
    pub async fn rollback(self) -> Result<(), DbErr> {
        let Self { open, slot, .. } = self;
        slot.shared.roll_back_savepoint(open).await
    }
}

/// What both handles do, by the savepoint that they send through.
macro_rules! impl_connection {
    ($handle:ty, $savepoint:expr) => {
        impl $handle {
            /// Begins a savepoint.
            ///
            /// # Errors
            ///
            /// The server's; what the handle has failed with before.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future leaves no savepoint that anybody has.
            pub async fn begin(&self) -> Result<Savepoint, DbErr> {
                self.begin_with_options(TransactionOptions::default()).await
            }
        }

        #[async_trait::async_trait]
        impl ConnectionTrait for $handle {
            fn get_database_backend(&self) -> DbBackend {
                self.slot.shared.backend()
            }

            async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
                if (capabilities(self.slot.shared.backend()).transactions.is_setting)(&statement.sql) {
                    return send!(self, send_setting(), execute_raw(statement));
                }
                send!(self, $savepoint, execute_raw(statement))
            }

            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                let sql = sql.to_owned();
                send!(self, $savepoint, execute_unprepared(&sql))
            }

            async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
                send!(self, $savepoint, query_one_raw(statement))
            }

            async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
                send!(self, $savepoint, query_all_raw(statement))
            }
        }

        #[async_trait::async_trait]
        impl TransactionTrait for $handle {
            type Transaction = Savepoint;

            async fn begin(&self) -> Result<Savepoint, DbErr> {
                self.begin().await
            }

            async fn begin_with_config(
                &self,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<Savepoint, DbErr> {
                let options = TransactionOptions {
                    isolation_level,
                    access_mode,
                    sqlite_transaction_mode: None,
                };
                self.begin_with_options(options).await
            }

            async fn begin_with_options(&self, options: TransactionOptions) -> Result<Savepoint, DbErr> {
                let savepoint: fn(&Self) -> Option<u64> = $savepoint;
                Savepoint::begin_in(&self.slot, savepoint(self), options).await
            }

            async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(&'c Savepoint) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
                T: Send,
                E: fmt::Display + fmt::Debug + Send,
            {
                self.transaction_with_config(callback, None, None).await
            }

            async fn transaction_with_config<F, T, E>(
                &self,
                callback: F,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(&'c Savepoint) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
                T: Send,
                E: fmt::Display + fmt::Debug + Send,
            {
                let begun = self.begin_with_config(isolation_level, access_mode).await;
                let savepoint = begun.map_err(TransactionError::Connection)?;
                match callback(&savepoint).await {
                    Ok(output) => {
                        savepoint.commit().await.map_err(TransactionError::Connection)?;
                        Ok(output)
                    }
                    Err(err) => {
                        // The callback's error is the first one; that of a rollback says only that there is nothing left.
                        let _ = savepoint.rollback().await;
                        Err(TransactionError::Transaction(err))
                    }
                }
            }
        }

        impl fmt::Debug for $handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($handle)).finish_non_exhaustive()
            }
        }
    };
}

/// One statement through the line.
macro_rules! send {
    ($self:ident, send_setting(), $method:ident($($argument:tt)*)) => {
        $self.slot.shared.send_setting(send!($method($($argument)*))).await
    };
    ($self:ident, $savepoint:expr, $method:ident($($argument:tt)*)) => {{
        let savepoint: fn(&Self) -> Option<u64> = $savepoint;
        $self.slot.shared.send(savepoint($self), send!($method($($argument)*))).await
    }};
    ($method:ident($($argument:tt)*)) => {
        |line| async move {
            let outcome = match line.txn() {
                Ok(txn) => txn.$method($($argument)*).await,
                Err(err) => Err(err),
            };
            (line, outcome)
        }
    };
}

impl_connection!(Txn, |_| None);
impl_connection!(Savepoint, |savepoint| Some(savepoint.open.number()));

#[async_trait::async_trait]
impl TransactionSession for Savepoint {
    async fn commit(self) -> Result<(), DbErr> {
        self.commit().await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        self.rollback().await
    }
}
