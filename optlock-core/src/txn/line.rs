//! The one way by which statements reach a transaction, and what they have left of it.

use std::future::Future;
use std::sync::{Arc, PoisonError};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::to_its_end::to_its_end;
use crate::backend::{Fault, capabilities, fault};
use crate::error::{Error, Escaped, TransactionFailed};
use crate::transaction::TransactionState;

/// A transaction that its runner shares with the handle that the closure has, and with the handle's savepoints.
#[derive(Clone)]
pub(super) struct Shared {
    backend: DbBackend,
    abandoned: Abandoned,
    root: Arc<Mutex<Root>>,
}

/// Savepoints that were dropped while a statement was in flight, which SeaORM answers with a panic: whoever has the line next drops them.
type Abandoned = Arc<std::sync::Mutex<Vec<Arc<DatabaseTransaction>>>>;

struct Root {
    /// `None` once the runner has taken it to end it.
    txn: Option<DatabaseTransaction>,
    /// What the server has ended the transaction with, or aborted it until a rollback, if it has.
    failure: Option<DbErr>,
    /// Whether nothing may be sent any more: it would be committed on its own.
    has_ended: bool,
    /// Whether any statement has failed.
    has_failed: bool,
}

/// The transaction, for one statement.
pub(super) struct Line {
    // Dropped before the guard: who waits for that finds the savepoint unused.
    savepoint: Option<Arc<DatabaseTransaction>>,
    backend: DbBackend,
    abandoned: Abandoned,
    root: OwnedMutexGuard<Root>,
}

impl Shared {
    pub(super) fn new(txn: DatabaseTransaction) -> Self {
        Self {
            backend: txn.get_database_backend(),
            abandoned: Abandoned::default(),
            root: Arc::new(Mutex::new(Root {
                txn: Some(txn),
                failure: None,
                has_ended: false,
                has_failed: false,
            })),
        }
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Sends a statement through the transaction, or through a savepoint of it, unless the transaction has ended.
    pub(super) async fn send<R, W, F>(&self, savepoint: Option<&Arc<DatabaseTransaction>>, work: W) -> Result<R, DbErr>
    where
        R: Send + 'static,
        W: FnOnce(Line) -> F,
        F: Future<Output = (Line, Result<R, DbErr>)> + Send + 'static,
    {
        let line = Line {
            root: Arc::clone(&self.root).lock_owned().await,
            savepoint: savepoint.map(Arc::clone),
            backend: self.backend,
            abandoned: Arc::clone(&self.abandoned),
        };
        forget(&line.abandoned);
        line.root.refusal()?;
        let work = work(line);
        self.finish(async move {
            let (mut line, outcome) = work.await;
            match outcome {
                Ok(output) => {
                    // It would have been refused otherwise.
                    line.root.failure = None;
                    Ok(output)
                }
                Err(err) => Err(line.failed(err).await),
            }
        })
        .await
    }

    /// Runs what must not be cut short while it is in flight.
    pub(super) async fn finish<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        to_its_end(capabilities(self.backend).transactions.finishes_statements, work).await
    }

    /// Waits until no statement is in flight, and takes the transaction away from all handles.
    pub(super) async fn take(&self) -> Option<Taken> {
        let mut root = self.root.lock().await;
        forget(&self.abandoned);
        Some(Taken {
            txn: root.txn.take()?,
            failure: root.failure.take(),
            has_ended: root.has_ended,
            has_failed: root.has_failed,
        })
    }

    /// Waits until no statement is in flight, and ends a savepoint of this transaction, unless that is over with all of it.
    pub(super) async fn end_savepoint(
        &self,
        savepoint: Option<Arc<DatabaseTransaction>>,
        commits: bool,
    ) -> Result<(), DbErr> {
        let mut root = Arc::clone(&self.root).lock_owned().await;
        forget(&self.abandoned);
        if let Err(refused) = root.refusal() {
            // Its server has forgotten it. To roll back is then what has happened; the error that counts is the first one.
            return if commits { Err(refused) } else { Ok(()) };
        }
        // Whatever else had it has dropped it ahead of the lock.
        let Some(savepoint) = savepoint.and_then(Arc::into_inner) else {
            return Err(Error::from(Escaped::new()).into());
        };
        self.finish(async move {
            if commits {
                return savepoint.commit().await.map_err(|err| root.explained(err));
            }
            savepoint.rollback().await?;
            // What was wrong since the savepoint is undone.
            root.failure = None;
            Ok(())
        })
        .await
    }

    /// Drops a savepoint that was not ended, which queues its rollback.
    pub(super) fn abandon_savepoint(&self, savepoint: Arc<DatabaseTransaction>) {
        let line = self.root.try_lock();
        if line.is_ok() {
            drop(savepoint);
        } else {
            self.abandoned
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(savepoint);
        }
    }
}

/// For whoever has the line: nothing is in flight then.
fn forget(abandoned: &Abandoned) {
    // The last one first: it is the innermost.
    let mut abandoned = abandoned.lock().unwrap_or_else(PoisonError::into_inner);
    while abandoned.pop().is_some() {}
}

impl Root {
    /// Refuses whatever comes after the end.
    fn refusal(&self) -> Result<(), DbErr> {
        if self.txn.is_none() {
            return Err(Error::from(Escaped::new()).into());
        }
        match &self.failure {
            Some(failure) if self.has_ended => Err(failed_with(failure.clone())),
            _ => Ok(()),
        }
    }

    /// An error that only says that there was another one before becomes that one.
    fn explained(&self, err: DbErr) -> DbErr {
        match &self.failure {
            Some(failure) if fault(&err) == Fault::Aborted => failed_with(failure.clone()),
            _ => err,
        }
    }
}

fn failed_with(failure: DbErr) -> DbErr {
    Error::from(TransactionFailed::new(failure)).into()
}

impl Line {
    pub(super) fn txn(&self) -> Result<&DatabaseTransaction, DbErr> {
        match (&self.savepoint, &self.root.txn) {
            (Some(savepoint), _) => Ok(savepoint),
            (None, Some(txn)) => Ok(txn),
            (None, None) => Err(Error::from(Escaped::new()).into()),
        }
    }

    /// Remembers what an error has left of the transaction, and returns it.
    async fn failed(&mut self, err: DbErr) -> DbErr {
        self.root.has_failed = true;
        let explained = self.root.explained(err);
        let meaning = fault(&explained);
        if self.has_ended(meaning).await {
            self.root.has_ended = true;
            self.root.failure = Some(explained.clone());
        } else if capabilities(self.backend).transactions.aborted_probe.is_some() {
            self.root.failure.get_or_insert_with(|| explained.clone());
        }
        explained
    }

    /// Whether nothing is left of the transaction on the server after this. Where that cannot be asked, the worse is assumed.
    async fn has_ended(&self, fault: Fault) -> bool {
        let capabilities = capabilities(self.backend);
        let Ok(txn) = self.txn() else {
            return true;
        };
        if fault == Fault::ConnectionLost || (capabilities.locking.aftermath)(fault) == TransactionState::RolledBack {
            return true;
        }
        if fault == Fault::LockTimeout
            && let Some(question) = capabilities.locking.timeout_rolls_back
        {
            let statement = Statement::from_string(self.backend, question);
            let answer = txn.query_one_raw(statement).await;
            return !matches!(answer, Ok(Some(row)) if row.try_get_by_index::<i64>(0).is_ok_and(|answer| answer == 0));
        }
        match capabilities.transactions.ended_probe {
            Some(probe) => txn.execute_unprepared(probe).await.is_ok(),
            None => false,
        }
    }
}

/// A transaction that no handle can reach any more.
pub(super) struct Taken {
    pub(super) txn: DatabaseTransaction,
    failure: Option<DbErr>,
    has_ended: bool,
    has_failed: bool,
}

impl Taken {
    /// Whether a commit would store what was done.
    pub(super) async fn can_commit(&self) -> Result<(), TransactionFailed> {
        if let (true, Some(failure)) = (self.has_ended, &self.failure) {
            return Err(TransactionFailed::new(failure.clone()));
        }
        let probe = capabilities(self.txn.get_database_backend()).transactions.aborted_probe;
        if let (true, Some(probe)) = (self.has_failed, probe)
            && let Err(err) = self.txn.execute_unprepared(probe).await
        {
            return Err(TransactionFailed::new(self.failure.clone().unwrap_or(err)));
        }
        Ok(())
    }
}
