//! A transaction that begins and ends under control, and the handle to it.

mod ending;
mod handle;
mod line;
mod savepoints;
mod shared;

use std::future::Future;
use std::sync::Arc;

use sea_orm::{DatabaseConnection, DbErr, TransactionOptions, TransactionTrait};

pub use handle::{Savepoint, TransactionOutput, Txn};

pub(crate) use handle::AfterCommit;

use handle::Slot;
use line::Taken;

use crate::backend::{capabilities, pool};
use crate::error::{Escaped, TransactionFailed};
use crate::to_its_end::to_its_end;

/// The runner's half of a transaction whose handle the closure has.
pub(crate) struct OwnedTransaction {
    slot: Arc<Slot>,
    /// What an empty transaction is begun with, where this one must be ended by SQL of ours.
    empty: Option<&'static str>,
}

/// A transaction whose handle is gone.
pub(crate) struct Ended {
    taken: Taken,
    finishes: bool,
    empty: Option<&'static str>,
    after_commit: Vec<AfterCommit>,
}

impl OwnedTransaction {
    /// Begins a transaction on a connection of the pool.
    pub(crate) async fn begin(db: &DatabaseConnection, options: TransactionOptions) -> Result<Self, DbErr> {
        let transactions = capabilities(db.get_database_backend()).transactions;
        let finishes = transactions.finishes_begin;
        // It is the driver with a pool that loses count.
        let empty = transactions.empty.filter(|_| pool(db).is_some());
        let db = db.clone();
        let txn = to_its_end(finishes, async move { db.begin_with_options(options).await }).await?;
        Ok(Self {
            slot: Slot::new(txn),
            empty,
        })
    }

    /// The handle for the closure.
    pub(crate) fn handle(&self) -> Txn {
        Txn::new(&self.slot)
    }

    /// Takes the transaction away from its handle, which should be gone. If somebody has kept it, the transaction is rolled back.
    pub(crate) async fn end(self) -> Result<Ended, Escaped> {
        // Statements that were dropped and go on to their end do not count: they hold less than the slot.
        let has_escaped = Arc::strong_count(&self.slot) > 1;
        let taken = if has_escaped {
            self.slot.shared.take_from_its_keeper()
        } else {
            self.slot.shared.take().await
        };
        let Some(taken) = taken else {
            return Err(Escaped::new());
        };
        let ended = Ended {
            finishes: capabilities(self.slot.shared.backend())
                .transactions
                .finishes_statements,
            empty: self.empty,
            after_commit: self.slot.take_after_commit(),
            taken,
        };
        if has_escaped {
            ended.rollback().await;
            return Err(Escaped::new());
        }
        Ok(ended)
    }
}

impl Drop for OwnedTransaction {
    fn drop(&mut self) {
        // They may hold the handle, which holds them.
        drop(self.slot.take_after_commit());
        if let Some(empty) = self.empty
            && let Some(taken) = self.slot.shared.take_from_its_keeper()
        {
            // In a task of its own.
            drop(to_its_end(true, ending::rollback(taken.txn, empty)));
        }
    }
}

impl Ended {
    /// Whether a commit would store what was done.
    pub(crate) fn can_commit(&self) -> impl Future<Output = Result<(), TransactionFailed>> {
        // Not an async function: its future would hold the calls, which cannot be shared.
        self.taken.can_commit()
    }

    /// Whether it is this transaction whose connection was lost.
    pub(crate) fn has_lost_its_connection(&self) -> bool {
        self.taken.has_lost_its_connection()
    }

    /// Commits. Returns what is to be called after it.
    pub(crate) async fn commit(self) -> (Result<(), DbErr>, Vec<AfterCommit>) {
        let txn = self.taken.txn;
        let outcome = match self.empty {
            Some(empty) => to_its_end(true, ending::commit(txn, empty)).await,
            None => to_its_end(self.finishes, async move { txn.commit().await }).await,
        };
        (outcome, self.after_commit)
    }

    /// Rolls back. If that fails, the connection has, and the server does it.
    pub(crate) async fn rollback(self) {
        let txn = self.taken.txn;
        let outcome = match self.empty {
            Some(empty) => to_its_end(true, ending::rollback(txn, empty)).await,
            None => to_its_end(self.finishes, async move { txn.rollback().await }).await,
        };
        if let Err(err) = outcome {
            tracing::debug!(error = %err, "a rollback failed");
        }
    }
}
