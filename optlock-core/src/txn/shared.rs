//! The one way by which statements reach a transaction, for all who have a handle to it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};
use tokio::sync::Mutex;

use super::line::{Line, Root, Taken};
use super::savepoints::{Dropped, OpenSavepoint, Savepoints};
use crate::backend::capabilities;
use crate::error::{Error, Escaped};
use crate::to_its_end::to_its_end;

/// A transaction that its runner shares with the handle that the closure has, and with the handle's savepoints.
#[derive(Clone)]
pub(super) struct Shared {
    backend: DbBackend,
    dropped: Dropped,
    /// Whether the runner has gone on without a handle that somebody keeps.
    is_closed: Arc<AtomicBool>,
    root: Arc<Mutex<Root>>,
}

impl Shared {
    pub(super) fn new(txn: DatabaseTransaction) -> Self {
        Self {
            backend: txn.get_database_backend(),
            dropped: Dropped::default(),
            is_closed: Arc::default(),
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
        let line = self.line().await?;
        let goes_on = capabilities(self.backend).transactions.finishes_statements;
        run(line, savepoint, goes_on, work).await
    }

    /// Sends a statement that changes nothing that a transaction could commit, without a look at what has become of the transaction: at the first
    /// poll, if nobody else has the line. Whoever polls a future once, in a drop, counts on it.
    pub(super) async fn send_setting<R, W, F>(&self, work: W) -> Result<R, DbErr>
    where
        W: FnOnce(Line) -> F,
        F: Future<Output = (Line, Result<R, DbErr>)>,
    {
        let (_, outcome) = work(self.lock().await?).await;
        outcome
    }

    /// The line, once nobody else has it, and once what was dropped is undone.
    async fn line(&self) -> Result<Line, DbErr> {
        let line = self.lock().await?;
        if !line.root.is_in_flight && self.dropped.first().is_none() {
            return Ok(line);
        }
        let dropped = self.dropped.clone();
        // To its end on every database: what is half asked or half undone would be taken for the worse.
        to_its_end(true, async move {
            let mut line = line;
            line.look_after_a_dropped_statement().await?;
            while let Some(savepoint) = dropped.first() {
                line.roll_back_to(savepoint).await?;
                // Not ahead of it: an error leaves it to nobody else, for it ends the transaction.
                dropped.forget(savepoint);
            }
            Ok(line)
        })
        .await
    }

    async fn lock(&self) -> Result<Line, DbErr> {
        // Tried first, which takes nothing out of the task's budget and so is sure of its first poll.
        let root = match Arc::clone(&self.root).try_lock_owned() {
            Ok(root) => root,
            Err(_) => Arc::clone(&self.root).lock_owned().await,
        };
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Error::from(Escaped::new()).into());
        }
        root.refusal()?;
        Ok(Line::new(self.backend, root))
    }

    /// Begins a savepoint.
    pub(super) async fn begin_savepoint(&self, parent: Option<u64>) -> Result<OpenSavepoint, DbErr> {
        let dropped = self.dropped.clone();
        let work = |mut line: Line| async move {
            let savepoint = line.root.savepoints.next();
            let begun = line.execute(&Savepoints::begin(savepoint)).await;
            if begun.is_ok() {
                line.root.savepoints.push(savepoint);
            }
            // Made here, so that it is rolled back if the future that wanted it is dropped.
            (line, begun.map(|()| OpenSavepoint::new(savepoint, dropped)))
        };
        run(self.line().await?, parent, true, work).await
    }

    /// Keeps what was done since a savepoint, as part of what is around it.
    pub(super) async fn commit_savepoint(&self, savepoint: OpenSavepoint) -> Result<(), DbErr> {
        let number = savepoint.number();
        let work = move |mut line: Line| async move {
            if !line.root.savepoints.is_innermost(number) {
                // Of one within it, nobody has said that it is to be kept.
                return (line, Err(Error::from(Escaped::new()).into()));
            }
            let released = line.execute(&Savepoints::release(number)).await;
            match &released {
                Ok(()) => {
                    line.root.savepoints.close(number);
                    savepoint.has_ended();
                }
                // The server does not know it any more, and so not the transaction either.
                Err(err) if !line.aborts() => line.root.end(err.clone()),
                Err(_) => {}
            }
            (line, released)
        };
        run(self.line().await?, Some(number), true, work).await
    }

    /// Undoes what was done since a savepoint. `Ok` also if all of the transaction is undone.
    pub(super) async fn roll_back_savepoint(&self, savepoint: OpenSavepoint) -> Result<(), DbErr> {
        // Its server has forgotten it. The error that counts is the first one, which somebody has.
        let Ok(mut line) = self.line().await else {
            return Ok(());
        };
        if !line.root.savepoints.is_open(savepoint.number()) {
            return Err(Error::from(Escaped::new()).into());
        }
        to_its_end(true, async move {
            line.roll_back_to(savepoint.number()).await?;
            savepoint.has_ended();
            Ok(())
        })
        .await
    }

    /// Waits until no statement is in flight, undoes what was dropped, and takes the transaction away from all handles.
    pub(super) async fn take(&self) -> Option<Taken> {
        // Its error is in what is taken.
        drop(self.line().await);
        self.root.lock().await.take()
    }

    /// Takes the transaction away from a handle that somebody keeps. A statement of that handle may be in flight, and nobody may be waiting for
    /// it: then it is left to whoever drops the handle.
    pub(super) fn take_from_its_keeper(&self) -> Option<Taken> {
        self.is_closed.store(true, Ordering::Release);
        self.root.try_lock().ok()?.take()
    }
}

/// Runs a statement, and remembers what it has left of the transaction.
async fn run<R, W, F>(mut line: Line, savepoint: Option<u64>, goes_on: bool, work: W) -> Result<R, DbErr>
where
    R: Send + 'static,
    W: FnOnce(Line) -> F,
    F: Future<Output = (Line, Result<R, DbErr>)> + Send + 'static,
{
    if savepoint.is_some_and(|savepoint| !line.root.savepoints.is_open(savepoint)) {
        return Err(Error::from(Escaped::new()).into());
    }
    line.root.is_in_flight = true;
    let work = work(line);
    let (outcome, line) = to_its_end(goes_on, async move {
        let (mut line, outcome) = work.await;
        let outcome = line.done(outcome).await;
        line.root.is_in_flight = false;
        // In this order: an outcome that nobody waits for is dropped while the line is held, so that a savepoint is marked ahead of what comes next.
        (outcome, line)
    })
    .await;
    drop(line);
    outcome
}
