//! The one way by which statements reach a transaction, and what they have left of it.

use std::future::Future;
use std::sync::{Arc, PoisonError};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::savepoints::{Savepoints, rollback_to};
use super::to_its_end::to_its_end;
use crate::backend::{Fault, capabilities, fault};
use crate::error::{Error, Escaped, TransactionFailed};
use crate::transaction::TransactionState;

/// A transaction that its runner shares with the handle that the closure has, and with the handle's savepoints.
#[derive(Clone)]
pub(super) struct Shared {
    backend: DbBackend,
    /// The savepoints that were dropped. Whoever has the line next rolls them back.
    dropped: Dropped,
    root: Arc<Mutex<Root>>,
}

type Dropped = Arc<std::sync::Mutex<Vec<u64>>>;

struct Root {
    /// `None` once the runner has taken it to end it.
    txn: Option<DatabaseTransaction>,
    savepoints: Savepoints,
    /// What the server has ended the transaction with, or aborted it until a rollback, if it has.
    failure: Option<DbErr>,
    /// Whether nothing may be sent any more: it would be committed on its own.
    has_ended: bool,
    /// Whether any statement has failed, or may have.
    has_failed: bool,
    /// Whether a statement was sent whose answer has not been looked at: its future was dropped.
    is_in_flight: bool,
}

/// The transaction, for one statement.
pub(super) struct Line {
    backend: DbBackend,
    root: OwnedMutexGuard<Root>,
}

impl Shared {
    pub(super) fn new(txn: DatabaseTransaction) -> Self {
        Self {
            backend: txn.get_database_backend(),
            dropped: Arc::default(),
            root: Arc::new(Mutex::new(Root {
                txn: Some(txn),
                savepoints: Savepoints::default(),
                failure: None,
                has_ended: false,
                has_failed: false,
                is_in_flight: false,
            })),
        }
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Sends a statement through the transaction, or through a savepoint of it, unless that has ended.
    pub(super) async fn send<R, W, F>(&self, savepoint: Option<u64>, work: W) -> Result<R, DbErr>
    where
        R: Send + 'static,
        W: FnOnce(Line) -> F,
        F: Future<Output = (Line, Result<R, DbErr>)> + Send + 'static,
    {
        let mut line = self.line().await?;
        if savepoint.is_some_and(|savepoint| !line.root.savepoints.is_open(savepoint)) {
            return Err(Error::from(Escaped::new()).into());
        }
        line.root.is_in_flight = true;
        let work = work(line);
        self.finish(async move {
            let (mut line, outcome) = work.await;
            let outcome = line.done(outcome).await;
            line.root.is_in_flight = false;
            outcome
        })
        .await
    }

    /// The line, once nobody else has it, and once what was dropped is undone.
    async fn line(&self) -> Result<Line, DbErr> {
        // Tried first, which takes nothing out of the task's budget: somebody who polls a future once, in a drop, counts on it.
        let root = match Arc::clone(&self.root).try_lock_owned() {
            Ok(root) => root,
            Err(_) => Arc::clone(&self.root).lock_owned().await,
        };
        let line = Line {
            backend: self.backend,
            root,
        };
        line.root.refusal()?;
        if !line.root.is_in_flight && first(&self.dropped).is_none() {
            return Ok(line);
        }
        let dropped = Arc::clone(&self.dropped);
        self.finish(async move {
            let mut line = line;
            line.look_after_a_dropped_statement().await?;
            while let Some(savepoint) = first(&dropped) {
                line.roll_back_to(savepoint).await?;
                // Not ahead of it: whoever drops this future leaves it to the next one.
                forget(&dropped, savepoint);
            }
            Ok(line)
        })
        .await
    }

    /// Runs what must not be cut short while it is in flight.
    async fn finish<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        to_its_end(capabilities(self.backend).transactions.finishes_statements, work).await
    }

    /// Begins a savepoint.
    pub(super) async fn begin_savepoint(&self, parent: Option<u64>) -> Result<u64, DbErr> {
        self.send(parent, |mut line| async move {
            let savepoint = line.root.savepoints.next();
            let begun = line.execute(&Savepoints::begin(savepoint)).await;
            if begun.is_ok() {
                line.root.savepoints.push(savepoint);
            }
            (line, begun.map(|()| savepoint))
        })
        .await
    }

    /// Keeps what was done since a savepoint, as part of what is around it.
    pub(super) async fn commit_savepoint(&self, savepoint: u64) -> Result<(), DbErr> {
        self.send(Some(savepoint), move |mut line| async move {
            if !line.root.savepoints.is_innermost(savepoint) {
                // Of one within it, nobody has said that it is to be kept.
                return (line, Err(Error::from(Escaped::new()).into()));
            }
            let released = line.execute(&Savepoints::release(savepoint)).await;
            match &released {
                Ok(()) => line.root.savepoints.close(savepoint),
                // The server does not know it any more, and so not the transaction either.
                Err(err) if !line.aborts() => line.root.end(err.clone()),
                Err(_) => {}
            }
            (line, released)
        })
        .await
    }

    /// Undoes what was done since a savepoint. `Ok` also if all of the transaction is undone.
    pub(super) async fn roll_back_savepoint(&self, savepoint: u64) -> Result<(), DbErr> {
        let mut line = match self.line().await {
            Ok(line) => line,
            // Its server has forgotten it. The error that counts is the first one, which somebody has.
            Err(_) => return Ok(()),
        };
        if !line.root.savepoints.is_open(savepoint) {
            return Err(Error::from(Escaped::new()).into());
        }
        self.finish(async move { line.roll_back_to(savepoint).await }).await
    }

    /// Marks a savepoint that was dropped.
    pub(super) fn drop_savepoint(&self, savepoint: u64) {
        self.dropped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(savepoint);
    }

    /// Waits until no statement is in flight, undoes what was dropped, and takes the transaction away from all handles.
    pub(super) async fn take(&self) -> Option<Taken> {
        // Its error is in what is taken.
        drop(self.line().await);
        let mut root = self.root.lock().await;
        Some(Taken {
            txn: root.txn.take()?,
            failure: root.failure.take(),
            has_ended: root.has_ended,
            has_failed: root.has_failed,
        })
    }
}

fn first(dropped: &Dropped) -> Option<u64> {
    dropped.lock().unwrap_or_else(PoisonError::into_inner).first().copied()
}

fn forget(dropped: &Dropped, savepoint: u64) {
    let mut dropped = dropped.lock().unwrap_or_else(PoisonError::into_inner);
    dropped.retain(|other| *other != savepoint);
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

    /// Nothing may be sent any more.
    fn end(&mut self, failure: DbErr) {
        self.has_ended = true;
        self.failure = Some(failure);
    }
}

fn failed_with(failure: DbErr) -> DbErr {
    Error::from(TransactionFailed::new(failure)).into()
}

impl Line {
    pub(super) fn txn(&self) -> Result<&DatabaseTransaction, DbErr> {
        let txn = self.root.txn.as_ref();
        txn.ok_or_else(|| Error::from(Escaped::new()).into())
    }

    async fn execute(&self, sql: &str) -> Result<(), DbErr> {
        self.txn()?.execute_unprepared(sql).await.map(drop)
    }

    /// What became of a statement, with what it has left of the transaction remembered.
    async fn done<R>(&mut self, outcome: Result<R, DbErr>) -> Result<R, DbErr> {
        match outcome {
            Ok(output) => {
                // It would have been refused otherwise.
                self.root.failure = None;
                Ok(output)
            }
            Err(err) => Err(self.failed(err).await),
        }
    }

    async fn failed(&mut self, err: DbErr) -> DbErr {
        self.root.has_failed = true;
        if self.root.has_ended {
            return err;
        }
        let meaning = fault(&err);
        // An error that only says that there was another one before is that one.
        let err = match &self.root.failure {
            Some(failure) if meaning == Fault::Aborted => return failed_with(failure.clone()),
            _ => err,
        };
        // Ahead of the question whether that is so: whoever drops the question is not to go on.
        let before = self.root.failure.replace(err.clone());
        self.root.has_ended = true;
        self.root.has_ended = self.has_ended(meaning).await;
        if !self.root.has_ended {
            self.root.failure = before.or_else(|| self.aborts().then(|| err.clone()));
        }
        err
    }

    /// Whether every error ends a transaction here, until it is rolled back.
    fn aborts(&self) -> bool {
        capabilities(self.backend).transactions.aborted_probe.is_some()
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

    /// A statement whose future was dropped may have failed, and nobody has seen it.
    async fn look_after_a_dropped_statement(&mut self) -> Result<(), DbErr> {
        if !std::mem::replace(&mut self.root.is_in_flight, false) {
            return Ok(());
        }
        self.root.has_failed = true;
        let Some(probe) = capabilities(self.backend).transactions.ended_probe else {
            return Ok(());
        };
        let unseen = DbErr::Custom("a statement whose future was dropped has ended the transaction".to_owned());
        // Ahead of the question, which may be dropped, too.
        self.root.end(unseen);
        if self.execute(probe).await.is_ok() {
            return self.root.refusal();
        }
        self.root.has_ended = false;
        self.root.failure = None;
        Ok(())
    }

    /// Undoes what was done since a savepoint, if it is still there.
    async fn roll_back_to(&mut self, savepoint: u64) -> Result<(), DbErr> {
        if !self.root.savepoints.is_open(savepoint) {
            return Ok(());
        }
        self.root.is_in_flight = true;
        let undone = self.execute(&rollback_to(savepoint)).await;
        self.root.is_in_flight = false;
        if let Err(err) = undone {
            // What was to be undone is still there, so nothing may be committed.
            self.root.end(err.clone());
            return Err(err);
        }
        self.root.savepoints.close(savepoint);
        // What was wrong since then is undone.
        self.root.failure = None;
        Ok(())
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
    pub(super) fn has_lost_its_connection(&self) -> bool {
        self.has_ended
            && self
                .failure
                .as_ref()
                .is_some_and(|err| fault(err) == Fault::ConnectionLost)
    }

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
