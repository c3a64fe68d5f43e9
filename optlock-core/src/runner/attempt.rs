//! One attempt at a transaction.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use sea_orm::{DatabaseConnection, DbErr};

use crate::backend::{Fault, capabilities, fault, may_have_committed};
use crate::error::{Error, OutcomeUnknown, Unsupported};
use crate::policy::{Policy, Undone};
use crate::txn::{AfterCommit, Ended, OwnedTransaction, Txn};

/// A commit whose answer was lost.
pub(super) struct Commit<T> {
    pub(super) output: T,
    pub(super) calls: Vec<AfterCommit>,
    pub(super) unknown: OutcomeUnknown,
}

/// An attempt that did not succeed.
pub(crate) struct Failed<T, E> {
    pub(crate) error: E,
    pub(crate) fault: Fault,
    pub(crate) undone: Undone,
    pub(super) lost: Option<Commit<T>>,
}

impl<T, E: From<Error>> Failed<T, E> {
    /// Of an attempt that is rolled back, or was not begun.
    fn new(error: impl Into<Error>, fault: Fault) -> Self {
        Self {
            error: E::from(error.into()),
            fault,
            undone: Undone::Known,
            lost: None,
        }
    }

    fn database(err: DbErr) -> Self {
        let fault = fault(&err);
        Self::new(err, fault)
    }
}

/// One attempt, in a transaction of its own.
pub(crate) async fn attempt<T, E, F, Fut>(
    policy: &Policy<'_>,
    db: &DatabaseConnection,
    classify: &impl Fn(&E) -> Fault,
    work: F,
) -> Result<T, Failed<T, E>>
where
    F: FnOnce(Txn) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: From<Error>,
{
    let capabilities = capabilities(db.get_database_backend());
    let (isolation_level, access_mode) = policy.options();
    let options = (capabilities.transactions.options)(isolation_level, access_mode)
        .map_err(|what| Failed::new(Unsupported::new(capabilities.name, what), Fault::Other))?;
    let txn = OwnedTransaction::begin(db, options).await.map_err(Failed::database)?;
    let outcome = work(txn.handle()).await;
    let ended = txn.end().await;
    match (outcome, ended) {
        (Ok(output), Ok(ended)) => commit(ended, output).await,
        (Ok(_), Err(escaped)) => Err(Failed::new(escaped, Fault::Other)),
        (Err(error), ended) => {
            let fault = classify(&error);
            let mut undone = Undone::by(fault);
            if let Ok(ended) = ended {
                // A connection of this transaction has taken it along. Any other one is not ours to judge.
                if fault == Fault::ConnectionLost && ended.has_lost_its_connection() {
                    undone = Undone::Known;
                }
                ended.rollback().await;
            }
            Err(Failed {
                error,
                fault,
                undone,
                lost: None,
            })
        }
    }
}

async fn commit<T, E: From<Error>>(ended: Ended, output: T) -> Result<T, Failed<T, E>> {
    if let Err(failed) = ended.can_commit().await {
        ended.rollback().await;
        let fault = failed.fault();
        return Err(Failed::new(failed, fault));
    }
    let (outcome, after_commit) = ended.commit().await;
    match outcome {
        Ok(()) => {
            call(after_commit);
            Ok(output)
        }
        Err(err) if may_have_committed(&err) => {
            tracing::warn!(error = %err, "the answer to a commit was lost");
            let unknown = OutcomeUnknown::new(err);
            Err(Failed {
                undone: Undone::Unknown,
                lost: Some(Commit {
                    output,
                    calls: after_commit,
                    unknown: unknown.clone(),
                }),
                ..Failed::new(unknown, Fault::OutcomeUnknown)
            })
        }
        Err(err) => Err(Failed::database(err)),
    }
}

/// Makes the calls that were asked for. One that panics does not keep the others from being made.
pub(super) fn call(after_commit: Vec<AfterCommit>) {
    let mut panic = None;
    for call in after_commit {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
            panic.get_or_insert(payload);
        }
    }
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
}
