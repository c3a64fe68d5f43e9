//! A transaction for the time of one statement, and what that has left of it.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};
use tokio::sync::OwnedMutexGuard;

use super::savepoints::{Savepoints, rollback_to};
use crate::backend::{Fault, capabilities, fault};
use crate::error::{Error, Escaped, TransactionFailed};
use crate::transaction::TransactionState;

/// What is known of a transaction.
pub(super) struct Root {
    /// `None` once the runner has taken it to end it.
    txn: Option<DatabaseTransaction>,
    pub(super) savepoints: Savepoints,
    /// What the server has ended the transaction with, or aborted it until a rollback, if it has.
    failure: Option<DbErr>,
    /// Whether nothing may be sent any more: it would be committed on its own.
    has_ended: bool,
    /// Whether any statement has failed, or may have.
    has_failed: bool,
    /// Whether a statement was sent whose answer has not been looked at: its future was dropped.
    pub(super) is_in_flight: bool,
}

/// The transaction, for one statement.
pub(super) struct Line {
    backend: DbBackend,
    pub(super) root: OwnedMutexGuard<Root>,
}

impl Root {
    pub(super) fn new(txn: DatabaseTransaction) -> Self {
        Self {
            txn: Some(txn),
            savepoints: Savepoints::default(),
            failure: None,
            has_ended: false,
            has_failed: false,
            is_in_flight: false,
        }
    }

    /// Takes the transaction away from all handles.
    pub(super) fn take(&mut self) -> Option<Taken> {
        Some(Taken {
            txn: self.txn.take()?,
            failure: self.failure.take(),
            has_ended: self.has_ended,
            has_failed: self.has_failed,
        })
    }

    /// Refuses whatever comes after the end.
    pub(super) fn refusal(&self) -> Result<(), DbErr> {
        match &self.failure {
            Some(failure) if self.has_ended => Err(failed_with(failure.clone())),
            _ => Ok(()),
        }
    }

    /// Nothing may be sent any more.
    pub(super) fn end(&mut self, failure: DbErr) {
        self.has_ended = true;
        self.failure = Some(failure);
    }
}

fn failed_with(failure: DbErr) -> DbErr {
    Error::from(TransactionFailed::new(failure)).into()
}

impl Line {
    pub(super) fn new(backend: DbBackend, root: OwnedMutexGuard<Root>) -> Self {
        Self { backend, root }
    }

    pub(super) fn txn(&self) -> Result<&DatabaseTransaction, DbErr> {
        let txn = self.root.txn.as_ref();
        txn.ok_or_else(|| Error::from(Escaped::new()).into())
    }

    pub(super) async fn execute(&self, sql: &str) -> Result<(), DbErr> {
        self.txn()?.execute_unprepared(sql).await.map(drop)
    }

    /// What became of a statement, with what it has left of the transaction remembered.
    pub(super) async fn done<R>(&mut self, outcome: Result<R, DbErr>) -> Result<R, DbErr> {
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
    pub(super) fn aborts(&self) -> bool {
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
    pub(super) async fn look_after_a_dropped_statement(&mut self) -> Result<(), DbErr> {
        if !std::mem::replace(&mut self.root.is_in_flight, false) {
            return Ok(());
        }
        self.root.has_failed = true;
        let Some(probe) = capabilities(self.backend).transactions.ended_probe else {
            return Ok(());
        };
        if self.execute(probe).await.is_ok() {
            let unseen = "a statement whose future was dropped has ended the transaction";
            self.root.end(DbErr::Custom(unseen.to_owned()));
        }
        self.root.refusal()
    }

    /// Undoes what was done since a savepoint, if it is still there.
    pub(super) async fn roll_back_to(&mut self, savepoint: u64) -> Result<(), DbErr> {
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
