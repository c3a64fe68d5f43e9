//! The one way by which statements reach a transaction, for all who have a handle to it.

use std::future::Future;
use std::sync::{Arc, PoisonError};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};
use tokio::sync::Mutex;

use super::line::{Line, Root, Taken};
use super::savepoints::Savepoints;
use super::to_its_end::to_its_end;
use crate::backend::capabilities;
use crate::error::{Error, Escaped};

/// A transaction that its runner shares with the handle that the closure has, and with the handle's savepoints.
#[derive(Clone)]
pub(super) struct Shared {
    backend: DbBackend,
    /// The savepoints that were dropped. Whoever has the line next rolls them back.
    dropped: Dropped,
    root: Arc<Mutex<Root>>,
}

type Dropped = Arc<std::sync::Mutex<Vec<u64>>>;

impl Shared {
    pub(super) fn new(txn: DatabaseTransaction) -> Self {
        Self {
            backend: txn.get_database_backend(),
            dropped: Arc::default(),
            root: Arc::new(Mutex::new(Root::new(txn))),
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
        let line = Line::new(self.backend, root);
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
        // Its server has forgotten it. The error that counts is the first one, which somebody has.
        let Ok(mut line) = self.line().await else {
            return Ok(());
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
        self.root.lock().await.take()
    }
}

fn first(dropped: &Dropped) -> Option<u64> {
    dropped.lock().unwrap_or_else(PoisonError::into_inner).first().copied()
}

fn forget(dropped: &Dropped, savepoint: u64) {
    let mut dropped = dropped.lock().unwrap_or_else(PoisonError::into_inner);
    dropped.retain(|other| *other != savepoint);
}
