//! A row that is changed within a transaction of the caller's.

use super::round::{Failure, Target, change};
use super::rounds::{Base, New};
use crate::backend::{Fault, capabilities};
use crate::entity::Versioned;
use crate::error::Error;
use crate::lock_mode::LockWait;
use crate::transaction::OpenTransaction;

/// Changes a row within a transaction: locks it, applies the closure, and writes. Once: after an error only the whole
/// transaction can be redone.
pub(super) async fn in_transaction<En, E, T>(
    txn: &T,
    target: &Target,
    base: Base<En::Model>,
    new: New<'_, En>,
    mut closure: impl FnMut(&mut En::Model) -> Result<(), E> + Send,
) -> Result<En::Model, E>
where
    En: Versioned,
    E: From<Error> + Send,
    T: OpenTransaction,
{
    let outcome = match base {
        Base::InHand(before) => change::<En, E>(txn, &before, false, &mut closure).await,
        Base::Key => match (
            target.lock::<En>(txn, LockWait::AsSet).await.map_err(Failure::Read),
            new,
        ) {
            (Ok(Some(before)), _) => change::<En, E>(txn, &before, true, &mut closure).await,
            (Ok(None), None) => Err(Failure::Read(target.missing::<En>())),
            (Ok(None), Some(new)) => Box::pin(insert_or_change::<En, E>(txn, target, new, &mut closure)).await,
            (Err(failure), _) => Err(failure),
        },
    };
    outcome.map_err(Failure::into_error)
}

/// Inserts a row that was not there, or changes it if somebody else has committed it since.
async fn insert_or_change<En, E>(
    txn: &impl OpenTransaction,
    target: &Target,
    new: &mut (dyn FnMut() -> En::ActiveModel + Send),
    closure: &mut (impl FnMut(&mut En::Model) -> Result<(), E> + Send),
) -> Result<En::Model, Failure<E>>
where
    En: Versioned,
    E: From<Error> + Send,
{
    let aborts = capabilities(txn.get_database_backend())
        .transactions
        .aborted_probe
        .is_some();
    let refused = if aborts {
        // A refusal would end the transaction, so there is none. Not in a savepoint, which would take along what others send meanwhile.
        match target.insert_unless_taken::<En, E>(new(), txn).await? {
            Some(model) => return Ok(model),
            None => None,
        }
    } else {
        match target.insert::<En, E>(new(), txn).await {
            Err(failure) if failure.is_of_insert() && failure.fault() == Fault::Unique => Some(failure),
            outcome => return outcome,
        }
    };
    match (target.lock::<En>(txn, LockWait::AsSet).await, refused) {
        (Ok(Some(before)), _) => change::<En, E>(txn, &before, true, closure).await,
        (Err(err), _) => Err(Failure::Read(err)),
        // It is another constraint.
        (Ok(None), Some(refused)) => Err(refused),
        (Ok(None), None) => target.insert::<En, E>(new(), txn).await,
    }
}
