//! Rounds, until one is won.

use sea_orm::{DatabaseConnection, TransactionSession, TransactionTrait};
use tracing::Instrument;

use super::heat::Heat;
use super::round::{Failure, Target, change};
use crate::backend::Fault;
use crate::entity::{Versioned, table};
use crate::error::Error;
use crate::policy::{Policy, Run};
use crate::runner::attempt;
use crate::transaction::OpenTransaction;
use crate::txn::Txn;

/// What the caller has of the row.
pub(super) enum Base<M> {
    /// Its key.
    Key,
    /// The row as it was read some time ago.
    InHand(M),
}

/// How a row that is not there is made, if it is to be.
pub(super) type New<'a, En> = Option<&'a mut (dyn FnMut() -> <En as sea_orm::EntityTrait>::ActiveModel + Send)>;

/// Changes a row on a connection: reads it unless the caller has, applies the closure, writes, and does so again with the row that has won, until
/// the policy stops. After some lost rounds the row is locked first.
pub(super) async fn on_connection<En, E>(
    policy: &Policy<'_>,
    db: &DatabaseConnection,
    target: &Target,
    base: Base<En::Model>,
    mut new: New<'_, En>,
    mut closure: impl FnMut(&mut En::Model) -> Result<(), E> + Send,
) -> Result<En::Model, E>
where
    En: Versioned,
    E: From<Error> + Send,
{
    let heat = Heat::of(table::<En>(), &target.key);
    let mut run = Run::start(policy);
    let mut base = match base {
        Base::Key => None,
        Base::InHand(model) => Some(model),
    };
    let mut lost = 0;
    let mut was_taken = false;
    let span = tracing::debug_span!("optlock.modify", table = table::<En>(), key = %target.row_key());
    let rounds = async {
        loop {
            let span = run.begin_in_span();
            let locks = lost >= policy.lost_rounds() || heat.is_hot(run.now());
            let round = async {
                if locks {
                    return locked::<En, E>(policy, db, target, &mut closure).await;
                }
                let (before, is_current) = match base.take() {
                    // The row that has won is as good as one that was read now.
                    Some(model) => (Some(model), lost > 0),
                    None => (target.read::<En>(db).await.map_err(Failure::Read)?, true),
                };
                match before {
                    Some(before) => change::<En, E>(db, &before, is_current, &mut closure).await.map(Some),
                    None => Ok(None),
                }
            };
            let outcome = match (round.instrument(span.clone()).await, &mut new) {
                (Ok(Some(model)), _) => Ok(model),
                (Ok(None), None) => Err(Failure::Read(target.missing::<En>())),
                (Ok(None), Some(new)) => {
                    let inserted = target.insert::<En>(new(), db).instrument(span).await;
                    inserted.map_err(Failure::Insert)
                }
                (Err(failure), _) => Err(failure),
            };
            let failure = match outcome {
                Ok(model) => {
                    run.succeeded();
                    return Ok(model);
                }
                Err(failure) => failure,
            };
            let mut fault = failure.fault();
            // Somebody else has inserted the row. If it is not there after all, it is another constraint.
            if fault == Fault::Unique && failure.is_of_insert() && !std::mem::replace(&mut was_taken, true) {
                fault = Fault::Stale;
            }
            if fault.is_conflict() {
                lost += 1;
                heat.lost(run.now(), lost >= policy.lost_rounds());
            }
            base = failure.winner();
            if run.failed(fault, failure.undone()).await.is_err() {
                return Err(failure.into_error());
            }
        }
    };
    rounds.instrument(span).await
}

/// A round in a transaction of its own that locks the row first. `None` if it is not there.
async fn locked<En, E>(
    policy: &Policy<'_>,
    db: &DatabaseConnection,
    target: &Target,
    closure: &mut (impl FnMut(&mut En::Model) -> Result<(), E> + Send),
) -> Result<Option<En::Model>, Failure<E>>
where
    En: Versioned,
    E: From<Error> + Send,
{
    let work = |txn: Txn| async move {
        match target.lock::<En>(&txn).await.map_err(Failure::Read)? {
            Some(before) => change::<En, E>(&txn, &before, true, closure).await.map(Some),
            None => Ok(None),
        }
    };
    attempt(policy, db, &Failure::fault, work)
        .await
        .map_err(|failed| match failed.error {
            // Before its commit, a transaction that loses its connection is undone.
            Failure::Write(err) if failed.fault != Fault::OutcomeUnknown => Failure::Read(err),
            failure => failure,
        })
}

/// Changes a row within a transaction of the caller's: locks it, applies the closure, and writes. Once: after an error only the whole
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
    T: OpenTransaction + TransactionTrait,
{
    let outcome = match base {
        Base::InHand(before) => change::<En, E>(txn, &before, false, &mut closure).await,
        Base::Key => match (target.lock::<En>(txn).await.map_err(Failure::Read), new) {
            (Ok(Some(before)), _) => change::<En, E>(txn, &before, true, &mut closure).await,
            (Ok(None), None) => Err(Failure::Read(target.missing::<En>())),
            (Ok(None), Some(new)) => match insert_in_savepoint::<En, T>(txn, target, new()).await {
                Ok(Some(model)) => Ok(model),
                // Somebody else's, committed since.
                Ok(None) => match target.lock::<En>(txn).await {
                    Ok(Some(before)) => change::<En, E>(txn, &before, true, &mut closure).await,
                    Ok(None) => Err(Failure::Read(target.missing::<En>())),
                    Err(err) => Err(Failure::Read(err)),
                },
                Err(err) => Err(Failure::Write(err)),
            },
            (Err(failure), _) => Err(failure),
        },
    };
    outcome.map_err(Failure::into_error)
}

/// Inserts a row, unless somebody else has: `None`. In a savepoint, since the refusal would end the transaction on PostgreSQL.
async fn insert_in_savepoint<En, T>(
    txn: &T,
    target: &Target,
    model: En::ActiveModel,
) -> Result<Option<En::Model>, Error>
where
    En: Versioned,
    T: OpenTransaction + TransactionTrait,
{
    let savepoint = txn.begin().await?;
    match target.insert::<En>(model, &savepoint).await {
        Ok(model) => {
            savepoint.commit().await?;
            Ok(Some(model))
        }
        Err(err) => {
            // After an error that has ended the transaction this fails, too: the first one is the one that counts.
            let undone = savepoint.rollback().await;
            if crate::error::fault(&err) == Fault::Unique && undone.is_ok() {
                return Ok(None);
            }
            Err(err)
        }
    }
}
