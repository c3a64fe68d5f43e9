//! A whole transaction, until it is committed or the policy stops.

mod attempt;
mod verified;

use std::future::Future;

use sea_orm::DatabaseConnection;
use tracing::Instrument;

pub(crate) use attempt::attempt;

use crate::backend::Fault;
use crate::error::{Classify, Error};
use crate::policy::{Policy, Run};
use crate::txn::{TransactionOutput, Txn};

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
    /// connection goes back to its pool; on MySQL and MariaDB, once the statement that is in flight has been answered; on SQLite, once the end, which
    /// goes on in a task of its own, has been done.
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
                if run.failed(failed.fault, failed.undone).await.is_err() {
                    return Err(failed.error);
                }
            }
        };
        attempts.instrument(tracing::debug_span!("optlock.transaction")).await
    }
}
