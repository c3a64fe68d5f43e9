//! A batch on a connection, and in a transaction of the caller's.

use std::future::Future;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tracing::{Instrument, Span};

use crate::backend::{Fault, capabilities};
use crate::error::{Error, fault};
use crate::lock_mode::LockWait;
use crate::place::{ModifyIn, Place};
use crate::policy::{Policy, Run, Undone};
use crate::runner::attempt;
use crate::transaction::OpenTransaction;
use crate::txn::Txn;

/// Writes to many rows.
pub(super) trait Batch: Sync {
    type Output: Send;

    /// Writes all rows without a look at them. `None` if some of them were not as expected; which ones is then not known, and what was written must be
    /// rolled back.
    fn at_once<T: OpenTransaction>(
        &self,
        txn: &T,
        wait: LockWait,
    ) -> impl Future<Output = Result<Option<Self::Output>, Error>> + Send;

    /// Locks all rows in the order of their keys, looks at them, and writes those that are as expected.
    fn under_locks<T: OpenTransaction>(
        &self,
        txn: &T,
        wait: LockWait,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;
}

/// Why an attempt did not succeed.
enum Failure {
    /// Some rows were not as expected.
    Short,
    Error(Error),
}

impl From<Error> for Failure {
    fn from(err: Error) -> Self {
        Self::Error(err)
    }
}

impl Failure {
    fn fault(&self) -> Fault {
        match self {
            Self::Short => Fault::Other,
            Self::Error(err) => fault(err),
        }
    }
}

pub(super) async fn run<B: Batch, C: ModifyIn>(
    policy: &Policy<'_>,
    db: &C,
    batch: &B,
    span: Span,
) -> Result<B::Output, Error> {
    let work = async {
        match db.place() {
            Place::Connection(db) => on_connection(policy, db, batch).await,
            // What was written could not be undone alone.
            Place::Transaction(txn) => batch.under_locks(txn, LockWait::AsSet).await,
        }
    };
    work.instrument(span).await
}

/// In a transaction of its own. After anything but a success, the next attempt looks first: that finds out what is wrong, and locks in the order of the keys, so
/// that two batches that met in a deadlock do not meet again.
async fn on_connection<B: Batch>(policy: &Policy<'_>, db: &DatabaseConnection, batch: &B) -> Result<B::Output, Error> {
    // A row that is not as expected is an answer, however often it is asked for. And after a commit of which nobody knows what became, the rows may be at the
    // versions that the batch gave them: written again, they would look like a rival's.
    let policy = &policy
        .stop_on(Fault::Stale)
        .stop_on(Fault::Blocked)
        .stop_on(Fault::OutcomeUnknown);
    let mut run = Run::start(policy);
    // Only a locking read waits for no longer than it is told.
    let mut looks_first = policy.lock_waits() != LockWait::AsSet;
    loop {
        let span = run.begin_in_span();
        let outcome = async {
            if !looks_first && let Some(output) = at_once(policy, db, batch).await? {
                return Ok(output);
            }
            under_locks(policy, db, batch).await
        };
        let lost: Lost = match outcome.instrument(span).await {
            Ok(output) => {
                run.succeeded();
                return Ok(output);
            }
            Err(lost) => lost,
        };
        looks_first = true;
        if run.failed(lost.fault, lost.undone).await.is_err() {
            return Err(lost.error);
        }
    }
}

/// An attempt that ended in an error.
struct Lost {
    error: Error,
    fault: Fault,
    undone: Undone,
}

/// `None` if rows were not as expected, or somebody held one of them, and nothing is written.
async fn at_once<B: Batch>(policy: &Policy<'_>, db: &DatabaseConnection, batch: &B) -> Result<Option<B::Output>, Lost> {
    let wait = policy.lock_waits();
    let impatience = capabilities(db.get_database_backend()).batching.impatience;
    let work = |txn: Txn| async move {
        if let Some(impatience) = impatience {
            txn.execute_unprepared(impatience).await.map_err(Error::from)?;
        }
        batch.at_once(&txn, wait).await?.ok_or(Failure::Short)
    };
    let failed = match attempt(policy, db, &Failure::fault, work).await {
        Ok(output) => return Ok(Some(output)),
        Err(failed) => failed,
    };
    match failed.error {
        Failure::Short => Ok(None),
        // It was not to wait for whoever holds a row. In the order of the keys it can.
        Failure::Error(_) if impatience.is_some() && is_held(failed.fault) => Ok(None),
        Failure::Error(error) => Err(Lost {
            error,
            fault: failed.fault,
            undone: failed.undone,
        }),
    }
}

fn is_held(fault: Fault) -> bool {
    matches!(fault, Fault::LockNotAvailable | Fault::LockTimeout)
}

async fn under_locks<B: Batch>(policy: &Policy<'_>, db: &DatabaseConnection, batch: &B) -> Result<B::Output, Lost> {
    let wait = policy.lock_waits();
    let work = |txn: Txn| async move { batch.under_locks(&txn, wait).await };
    let meaning = |err: &Error| fault(err);
    attempt(policy, db, &meaning, work).await.map_err(|failed| Lost {
        error: failed.error,
        fault: failed.fault,
        undone: failed.undone,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not held would only meet the same error under locks.
    #[test]
    fn only_a_row_that_somebody_holds_is_waited_for_in_order() {
        for fault in [Fault::LockNotAvailable, Fault::LockTimeout] {
            assert!(is_held(fault), "{fault}");
        }
        for fault in [
            Fault::Stale,
            Fault::Serialization,
            Fault::Deadlock,
            Fault::Busy,
            Fault::Unique,
            Fault::Cancelled,
            Fault::ConnectionLost,
            Fault::OutcomeUnknown,
            Fault::Other,
        ] {
            assert!(!is_held(fault), "{fault}");
        }
    }
}
