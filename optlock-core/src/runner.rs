//! A whole transaction, until it is committed or the policy stops.

use std::future::Future;

use sea_orm::{DatabaseConnection, DbErr};
use tracing::Instrument;

use crate::backend::{Fault, capabilities, fault, may_have_committed};
use crate::error::{Classify, Error, OutcomeUnknown, Unsupported};
use crate::policy::{Policy, Run, Undone};
use crate::txn::{AfterCommit, Ended, OwnedTransaction, TransactionOutput, Txn};

/// [`Policy::transaction`] with the default policy.
///
/// # Errors
///
/// As [`Policy::transaction`].
///
/// # Cancel safety
///
/// As [`Policy::transaction`].
pub async fn transaction<T, E, F, Fut, Kind>(db: &DatabaseConnection, work: F) -> Result<T, E>
where
    F: FnMut(Txn) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    T: TransactionOutput,
    E: Classify<Kind> + From<Error>,
{
    Policy::new().transaction(db, work).await
}

impl Policy<'_> {
    /// Runs `work` in a transaction and commits it; after a fault that a fresh transaction can get past, rolls back and does all of it again.
    ///
    /// Every attempt has a transaction of its own, with the policy's isolation level and access mode; on SQLite it has the write lock from its
    /// beginning (`BEGIN IMMEDIATE`). A fault at the commit counts like one before it. `Err` rolls back, and is returned at once if it is the work's own.
    /// So `work` may run several times, and only what it does through its handle is undone: what it sends elsewhere belongs into
    /// [`Txn::after_commit`], or into a table.
    ///
    /// What goes wrong without a word elsewhere is an error here: an error that `work` has ignored, after which PostgreSQL commits nothing
    /// ([`Error::TransactionFailed`]); a statement after a deadlock, which MariaDB would commit on its own (refused); a handle that was kept
    /// ([`Error::Escaped`]); a lost answer to the commit ([`Error::OutcomeUnknown`]).
    ///
    /// It takes a connection, and no transaction: within another one it could not begin anew.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # use fixture::product;
    /// use optlock::prelude::*;
    /// use optlock::{Error, Policy};
    ///
    /// const CHECKOUT: Policy = Policy::new().attempts(8);
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, _) = fixture::shop().await?;
    /// let left = CHECKOUT
    ///     .transaction(&db, |txn| async move {
    ///         let tea = product::Entity::find_by_id(7).for_update().one(&txn).await?;
    ///         let tea = tea.ok_or(DbErr::RecordNotFound("tea".to_owned()))?;
    ///         let tea = tea.update(|tea| tea.stock -= 2).await?;
    ///         Ok::<_, Error>(tea.stock)
    ///     })
    ///     .await?;
    /// assert_eq!(left, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The last error of `work`, as it was; [`Error::TransactionFailed`], [`Error::Escaped`], [`Error::OutcomeUnknown`]; [`Error::Unsupported`]
    /// before any SQL; [`Error::Database`] from the beginning and the commit. A failed rollback hides none of them.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future rolls back, unless the commit was sent already: then it is done or not, and nobody is told which. The
    /// connection goes back to its pool; on MySQL and MariaDB, once the statement that is in flight has been answered.
    pub async fn transaction<T, E, F, Fut, Kind>(self, db: &DatabaseConnection, work: F) -> Result<T, E>
    where
        F: FnMut(Txn) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        T: TransactionOutput,
        E: Classify<Kind> + From<Error>,
    {
        self.transaction_with(db, E::classify, work).await
    }

    /// [`transaction`](Self::transaction) for errors that cannot be looked into, or that mean something else to the caller.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// use optlock::{Error, Fault, Policy};
    ///
    /// /// What a handler answers with, and no error type.
    /// struct Status(u16);
    ///
    /// impl From<Error> for Status {
    ///     fn from(err: Error) -> Self {
    ///         Self(if optlock::fault(&err).is_conflict() { 409 } else { 500 })
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, _) = fixture::shop().await?;
    /// let classify = |status: &Status| if status.0 == 409 { Fault::Stale } else { Fault::Other };
    /// let outcome = Policy::new()
    ///     .transaction_with(&db, classify, |_txn| async move { Err::<(), _>(Status(404)) })
    ///     .await;
    /// assert!(matches!(outcome, Err(Status(404))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`transaction`](Self::transaction).
    ///
    /// # Cancel safety
    ///
    /// As [`transaction`](Self::transaction).
    pub async fn transaction_with<T, E, F, Fut>(
        self,
        db: &DatabaseConnection,
        classify: impl Fn(&E) -> Fault,
        mut work: F,
    ) -> Result<T, E>
    where
        F: FnMut(Txn) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        T: TransactionOutput,
        E: From<Error>,
    {
        let mut run = Run::start(&self);
        let attempts = async {
            loop {
                let span = run.begin_in_span();
                let failed = match attempt(&self, db, &classify, &mut work).instrument(span).await {
                    Ok(output) => {
                        run.succeeded();
                        return Ok(output);
                    }
                    Err(failed) => failed,
                };
                if run.failed(failed.fault, failed.undone()).await.is_err() {
                    return Err(failed.error);
                }
            }
        };
        attempts.instrument(tracing::debug_span!("optlock.transaction")).await
    }

    /// [`transaction`](Self::transaction), with a way to find out whether a commit whose answer was lost has been done.
    ///
    /// `verify` is asked on the pool, so not on the connection that was lost: whether what the transaction writes is there. `true` is the success of that
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
    /// As [`transaction`](Self::transaction); [`Error::OutcomeUnknown`] if `verify` has not found out.
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
                let span = run.begin_in_span();
                let mut failed = match attempt(&self, db, &E::classify, &mut work).instrument(span).await {
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
                    match verify(db.clone()).await {
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
                            run.begin_in_span();
                        }
                    }
                }
                // Of the lost commit it is known by now that it was not done.
                let (fault, undone) = if is_lost {
                    (Fault::ConnectionLost, Undone::Known)
                } else {
                    (failed.fault, failed.undone())
                };
                if run.failed(fault, undone).await.is_err() {
                    return Err(failed.error);
                }
            }
        };
        attempts.instrument(tracing::debug_span!("optlock.transaction")).await
    }
}

/// A commit whose answer was lost.
struct Commit<T> {
    output: T,
    calls: Vec<AfterCommit>,
    unknown: OutcomeUnknown,
}

/// An attempt that did not succeed.
pub(crate) struct Failed<T, E> {
    pub(crate) error: E,
    pub(crate) fault: Fault,
    lost: Option<Commit<T>>,
}

impl<T, E: From<Error>> Failed<T, E> {
    fn new(error: impl Into<Error>, fault: Fault) -> Self {
        Self {
            error: E::from(error.into()),
            fault,
            lost: None,
        }
    }

    fn database(err: DbErr) -> Self {
        let fault = fault(&err);
        Self::new(err, fault)
    }

    /// What is known of what the attempt did: before its commit it is rolled back, whatever became of the connection.
    pub(crate) fn undone(&self) -> Undone {
        match self.fault {
            Fault::OutcomeUnknown => Undone::Unknown,
            _ => Undone::Known,
        }
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
            if let Ok(ended) = ended {
                ended.rollback().await;
            }
            Err(Failed {
                error,
                fault,
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

fn call(after_commit: Vec<AfterCommit>) {
    for call in after_commit {
        call();
    }
}
