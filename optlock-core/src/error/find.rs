//! What an error means, wherever in it the meaning is.

use std::error::Error as StdError;
use std::sync::Arc;

use sea_orm::{DbErr, TransactionError};

use super::Error;
use super::reason::Reason;
use crate::backend::{self, Fault};

/// What an error means: looked for along its causes, in errors of the application, in errors of optlock, in `DbErr` and in
/// SeaORM's `TransactionError` of either (of one with an error of the application in it, look at that). The first one that says something counts. [`Fault::Other`] if none does.
///
/// It needs no entity, no policy and no transaction of optlock, and [`Fault::redo`] says what may be done again:
///
/// ```
/// use optlock::{Fault, Redo, fault};
/// use sea_orm::{ConnAcquireErr, DbErr};
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("the order was not stored")]
/// struct NotStored(#[from] DbErr);
///
/// let err = NotStored(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
/// assert_eq!(fault(&err), Fault::PoolTimeout);
/// assert_eq!(fault(&err).redo(), Redo::Statement);
/// ```
pub fn fault(err: &(dyn StdError + 'static)) -> Fault {
    let mut next = Some(err);
    while let Some(err) = next {
        if let Some(ours) = err.downcast_ref::<Error>() {
            return ours.meaning();
        }
        if let Some(fault) = of_part(err).or_else(|| backend::fault_of_part(err)) {
            return fault;
        }
        if let Some(err) = err.downcast_ref::<DbErr>()
            && !matches!(err, DbErr::TryIntoErr { .. })
        {
            return backend::fault(err);
        }
        next = hidden_cause(err).or_else(|| err.source());
    }
    Fault::Other
}

/// The meaning of what a variant of [`Error`] holds, where it is the cause itself: `#[error(transparent)]` hides the `Error` around it.
fn of_part(err: &(dyn StdError + 'static)) -> Option<Fault> {
    if let Some(conflict) = err.downcast_ref::<super::Conflict>() {
        return Some(conflict.fault());
    }
    if let Some(refused) = err.downcast_ref::<super::Refused>() {
        return Some(refused.fault());
    }
    if let Some(conflicts) = err.downcast_ref::<super::Conflicts>() {
        return Some(conflicts.fault());
    }
    if let Some(err) = err.downcast_ref::<super::LockError>() {
        return Some(err.fault());
    }
    if let Some(err) = err.downcast_ref::<super::TransactionFailed>() {
        return Some(err.fault());
    }
    if let Some(reason) = err.downcast_ref::<Reason>() {
        return Some(reason.fault());
    }
    err.is::<super::OutcomeUnknown>().then_some(Fault::OutcomeUnknown)
}

impl Error {
    /// The error of optlock at the root of another error, looked for along its causes: in an error of the application,
    /// in a `DbErr` that one of ours has crossed, and in SeaORM's `TransactionError` of either. Not in one that hides it behind
    /// `#[error(transparent)]`, which passes on its causes alone: [`fault`](crate::fault()) finds what those say.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// use optlock::Error;
    /// use sea_orm::DbErr;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, stale) = fixture::stale().await?;
    /// let err: Box<dyn std::error::Error> = DbErr::from(stale.update(&db).await.unwrap_err()).into();
    /// assert!(Error::find(&*err).is_some_and(Error::is_conflict));
    /// # Ok(())
    /// # }
    /// ```
    pub fn find<'a>(err: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next = Some(err);
        while let Some(err) = next {
            if let Some(ours) = err.downcast_ref::<Self>() {
                return Some(ours);
            }
            next = hidden_cause(err).or_else(|| err.source());
        }
        None
    }

    /// What [`fault`] says of it.
    fn meaning(&self) -> Fault {
        match self {
            Self::Conflict(conflict) => conflict.fault(),
            Self::Refused(refused) => refused.fault(),
            Self::Conflicts(conflicts) => conflicts.fault(),
            Self::Overflow(_) => Fault::OutOfRange,
            // The row was written, so nothing is to be done again, whatever kept it from being read.
            Self::Unread(_) => Fault::Other,
            _ => self.fault().unwrap_or(Fault::Other),
        }
    }
}

/// The cause of an error of SeaORM whose `source()` does not show it.
fn hidden_cause<'a>(err: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    if let Some(DbErr::TryIntoErr { source, .. }) = err.downcast_ref() {
        // Its `source()` is the `Arc`, which is an error of another type than the one in it.
        return Some(&**source);
    }
    if let Some(source) = err.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
        return Some(&**source);
    }
    // These have no `source()` at all.
    match err.downcast_ref() {
        Some(TransactionError::<DbErr>::Connection(err) | TransactionError::Transaction(err)) => return Some(err),
        None => {}
    }
    match err.downcast_ref() {
        Some(TransactionError::<Error>::Connection(err)) => Some(err),
        Some(TransactionError::Transaction(err)) => Some(err),
        None => None,
    }
}
