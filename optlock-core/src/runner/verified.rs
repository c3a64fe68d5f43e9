//! A transaction whose owner can find out whether a lost commit was done.

use std::future::Future;

use sea_orm::DatabaseConnection;
use tracing::Instrument;

use super::attempt::{attempt, call};
use crate::backend::Fault;
use crate::error::{Classify, Error};
use crate::policy::{Policy, Run, Undone};
use crate::txn::{TransactionOutput, Txn};

impl Policy<'_> {
    /// [`transaction`](Self::transaction), with a way to find out whether a commit whose answer was lost has been done.
    ///
    /// After a lost answer, `verify` gets the pool and must say whether what the transaction writes is there. `true` is the success of that
    /// attempt, with what its work returned; `false` is another attempt. If it fails, it is asked again within the policy's limits, and in the end
    /// the outcome stays unknown.
    ///
    /// A commit that was lost on its way may still arrive. So have the transaction insert a row with a unique key that is the same in every attempt
    /// (an order number, an idempotency key), and let `verify` look for that: should an attempt then fail on that key, `verify` is
    /// asked once more.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # use fixture::product;
    /// use optlock::prelude::*;
    /// use optlock::{Error, Policy};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, _) = fixture::shop().await?;
    /// let is_there = |db: DatabaseConnection| async move {
    ///     Ok::<_, Error>(product::Entity::find_by_id(8).one(&db).await?.is_some())
    /// };
    /// Policy::new()
    ///     .transaction_verified(&db, is_there, |txn| async move {
    ///         let mug = product::ActiveModel { id: Set(8), name: Set("mug".to_owned()), stock: Set(1), ..Default::default() };
    ///         mug.insert(&txn).await
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`transaction`](Self::transaction); [`Error::OutcomeUnknown`] if `verify` has not found out, or if it has said no and no further attempt was
    /// a success or met an error that counts, since the lost commit may still arrive.
    ///
    /// # Cancel safety
    ///
    /// As [`transaction`](Self::transaction).
    pub async fn transaction_verified<T, E, V, VFut, F, Fut, Kind>(
        self,
        db: &DatabaseConnection,
        mut verify: V,
        mut work: F,
    ) -> Result<T, E>
    where
        V: FnMut(DatabaseConnection) -> VFut,
        VFut: Future<Output = Result<bool, E>>,
        F: FnMut(Txn) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        T: TransactionOutput,
        E: Classify<Kind> + From<Error>,
    {
        let mut run = Run::start(&self);
        let attempts = async {
            // The last commit whose answer was lost. It may arrive late, so it is asked for after every further failure.
            let mut lost = None;
            loop {
                let mut asks = run.begin_in_span();
                let mut failed = match attempt(&self, db, &E::classify, &mut work)
                    .instrument(asks.clone())
                    .await
                {
                    Ok(output) => {
                        run.succeeded();
                        return Ok(output);
                    }
                    Err(failed) => failed,
                };
                let is_lost = failed.lost.is_some();
                if is_lost {
                    lost = failed.lost.take();
                }
                while lost.is_some() {
                    match verify(db.clone()).instrument(asks.clone()).await {
                        Ok(true) => {
                            if let Some(commit) = lost.take() {
                                run.succeeded();
                                call(commit.calls);
                                return Ok(commit.output);
                            }
                        }
                        Ok(false) => break,
                        Err(err) => {
                            if run.failed(err.classify(), Undone::Known).await.is_err() {
                                tracing::warn!(fault = ?err.classify(), "whether a commit was done could not be found out");
                                return Err(match lost.take() {
                                    Some(commit) => E::from(commit.unknown.into()),
                                    None => failed.error,
                                });
                            }
                            // To ask again is an attempt, too.
                            asks = run.begin_in_span();
                        }
                    }
                }
                // Of the lost commit it is known by now that it was not done.
                let (fault, undone) = if is_lost {
                    (Fault::ConnectionLost, Undone::Known)
                } else {
                    (failed.fault, failed.undone)
                };
                if run.failed(fault, undone).await.is_err() {
                    return Err(match lost {
                        Some(commit) if !is_decided(fault) => {
                            tracing::warn!(%fault, "the attempts have ended, and an earlier commit may still arrive");
                            E::from(commit.unknown.into())
                        }
                        _ => failed.error,
                    });
                }
            }
        };
        attempts.instrument(tracing::debug_span!("optlock.transaction")).await
    }
}

/// Whether it is the work, or the schema, that does not want what was to be done. Any other fault is one of the circumstances, and says nothing of a
/// commit that was lost before.
fn is_decided(fault: Fault) -> bool {
    fault.is_constraint() || matches!(fault, Fault::Blocked | Fault::Raised | Fault::Other)
}
