//! Any call, until it succeeds or the policy stops.

use std::future::Future;

use tracing::Instrument;

use crate::backend::Fault;
use crate::error::Classify;
use crate::policy::{Policy, Run, Undone};

/// [`Policy::retry`] with the default policy.
///
/// # Errors
///
/// As [`Policy::retry`].
///
/// # Cancel safety
///
/// As [`Policy::retry`].
pub async fn retry<T, E, F, Fut, Kind>(work: F) -> Result<T, E>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: Classify<Kind>,
{
    Policy::new().retry(work).await
}

impl Policy<'_> {
    /// Calls `work` until it succeeds, or fails in a way that another attempt would not help with, or the policy stops. The last
    /// error comes back as it was.
    ///
    /// `work` must read what it decides on itself, in every attempt. Wrap the whole of it, at the outermost place: loops
    /// within loops multiply. Within an open transaction it is of no use; that is what [`transaction`](Self::transaction) is for.
    ///
    /// The error is looked into along its causes ([`fault`](crate::fault())), so that it may be any type that implements
    /// `std::error::Error`, a boxed one, or anyhow's.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # use fixture::product;
    /// use optlock::prelude::*;
    /// use optlock::{Error, Policy};
    ///
    /// const CHECKOUT: Policy = Policy::new().attempts(8);
    ///
    /// struct Shop {
    ///     db: DatabaseConnection,
    /// }
    ///
    /// impl Shop {
    ///     async fn reserve(&self, id: i32, count: i32) -> Result<i32, Error> {
    ///         let tea = product::Entity::find_by_id(id).one(&self.db).await?;
    ///         let tea = tea.ok_or(DbErr::RecordNotFound(id.to_string()))?;
    ///         let stock = tea.stock - count;
    ///         let mut change = tea.into_active_model();
    ///         change.stock = Set(stock);
    ///         Ok(change.update(&self.db).await?.stock)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, _) = fixture::shop().await?;
    /// # let shop = Shop { db };
    /// let left = CHECKOUT.retry(|| shop.reserve(7, 2)).await?;
    /// assert_eq!(left, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The last error of `work`. [`report`](Self::report) says how many attempts there were, how long they took, and why there was
    /// no further one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the attempt that is under way, or the delay; what that leaves is up to `work`.
    pub async fn retry<T, E, F, Fut, Kind>(self, work: F) -> Result<T, E>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Classify<Kind>,
    {
        self.retry_with(E::classify, work).await
    }

    /// [`retry`](Self::retry) for errors that cannot be looked into, or that mean something else to the caller.
    ///
    /// ```
    /// use optlock::{Fault, Policy};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut calls = 0;
    /// let outcome = Policy::new()
    ///     .attempts(3)
    ///     .retry_with(
    ///         |status: &u16| if *status == 503 { Fault::Unavailable } else { Fault::Other },
    ///         || {
    ///             calls += 1;
    ///             std::future::ready(if calls < 3 { Err(503) } else { Err::<(), _>(404) })
    ///         },
    ///     )
    ///     .await;
    /// assert_eq!((outcome, calls), (Err(404), 3));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`retry`](Self::retry).
    ///
    /// # Cancel safety
    ///
    /// As [`retry`](Self::retry).
    pub async fn retry_with<T, E, F, Fut>(self, classify: impl Fn(&E) -> Fault, mut work: F) -> Result<T, E>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut run = Run::start(&self);
        let attempts = async {
            loop {
                let span = run.begin_in_span();
                let err = match work().instrument(span).await {
                    Ok(output) => {
                        run.succeeded();
                        return Ok(output);
                    }
                    Err(err) => err,
                };
                let fault = classify(&err);
                if run.failed(fault, Undone::by(fault)).await.is_err() {
                    return Err(err);
                }
            }
        };
        attempts.instrument(tracing::debug_span!("optlock.retry")).await
    }
}
