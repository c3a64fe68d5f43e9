//! Many rows, all of them or none.

use sea_orm::sea_query::{FromValueTuple, ValueTuple};
use sea_orm::{ActiveModelBehavior, ActiveModelTrait, DatabaseConnection, EntityTrait, PrimaryKeyTrait};

use tracing::Instrument;

use super::round::{Failure, Key};
use crate::active;
use crate::batch::update_locked;
use crate::change::changes;
use crate::entity::{Versioned, table};
use crate::error::Error;
use crate::lock::for_write;
use crate::lock_mode::LockWait;
use crate::policy::{Policy, Run};
use crate::runner::attempt;
use crate::transaction::OpenTransaction;
use crate::update;

/// Changes rows in one transaction, again and again until it is committed or the policy stops.
pub(super) async fn on_connection<En, E>(
    policy: &Policy<'_>,
    db: &DatabaseConnection,
    keys: &[ValueTuple],
    mut closure: impl FnMut(&mut En::Model) -> Result<(), E> + Send,
) -> Result<Vec<En::Model>, E>
where
    En: Versioned,
    E: From<Error> + Send,
{
    let mut run = Run::start(policy);
    let attempts = async {
        loop {
            let span = run.begin_in_span();
            let closure = &mut closure;
            let work = |txn| async move { rows::<En, E>(&txn, keys, policy.lock_waits(), closure).await };
            let attempt = attempt::<_, Failure<E>, _, _>(policy, db, &Failure::fault, work);
            let failed = match attempt.instrument(span).await {
                Ok(models) => {
                    run.succeeded();
                    return Ok(models);
                }
                Err(failed) => failed,
            };
            if run.failed(failed.fault, failed.undone).await.is_err() {
                return Err(failed.error.into_error());
            }
        }
    };
    let span = tracing::debug_span!("optlock.modify", table = table::<En>(), rows = keys.len());
    attempts.instrument(span).await
}

/// Changes rows within a transaction of the caller's, once.
pub(super) async fn in_transaction<En, E>(
    txn: &impl OpenTransaction,
    keys: &[ValueTuple],
    mut closure: impl FnMut(&mut En::Model) -> Result<(), E> + Send,
) -> Result<Vec<En::Model>, E>
where
    En: Versioned,
    E: From<Error> + Send,
{
    rows::<En, E>(txn, keys, LockWait::AsSet, &mut closure)
        .await
        .map_err(Failure::into_error)
}

/// Locks the rows in the order of their keys, changes them in the caller's, and writes those that have changed.
async fn rows<En, E>(
    txn: &impl OpenTransaction,
    keys: &[ValueTuple],
    wait: LockWait,
    closure: &mut (impl FnMut(&mut En::Model) -> Result<(), E> + Send),
) -> Result<Vec<En::Model>, Failure<E>>
where
    En: Versioned,
{
    let select = for_write(En::find(), txn.get_database_backend(), wait);
    let locked = select.all_by_key(txn, typed::<En>(keys)).await.map_err(Failure::Read)?;
    let locked = locked.into_vec().map_err(Failure::Read)?;
    let mut rows = Vec::with_capacity(locked.len());
    for row in locked {
        let before = row.into_model();
        let mut after = before.clone();
        closure(&mut after).map_err(Failure::Refused)?;
        let model = changes::<En::Model>(&before, &after, txn.get_database_backend()).map_err(Failure::Write)?;
        rows.push((before, model));
    }
    write::<En, E>(txn, rows, wait).await
}

/// Writes what has changed, with SeaORM's hooks around it: those before a save for all rows, then those after it.
async fn write<En, E>(
    txn: &impl OpenTransaction,
    rows: Vec<(En::Model, En::ActiveModel)>,
    wait: LockWait,
) -> Result<Vec<En::Model>, Failure<E>>
where
    En: Versioned,
{
    let mut models = Vec::with_capacity(rows.len());
    let mut changed = Vec::new();
    let mut indices = Vec::new();
    for (index, (before, model)) in rows.into_iter().enumerate() {
        models.push(before);
        if model.is_changed() {
            let model = model.before_save(txn, false).await;
            changed.push(model.map_err(|err| Failure::Write(err.into()))?);
            indices.push(index);
        }
    }
    // A hook may have taken a change back, and left a version to be checked.
    let is_batch = changed.len() > 1 && changed.iter().all(assigns::<En>);
    let updated = if is_batch {
        update_locked::<En, _>(txn, wait, changed)
            .await
            .map_err(Failure::Write)?
    } else {
        let mut updated = Vec::with_capacity(changed.len());
        for model in changed {
            updated.push(
                active::update_one::<En>(model)
                    .exec(txn)
                    .await
                    .map_err(Failure::Write)?,
            );
        }
        updated
    };
    for (index, updated) in indices.into_iter().zip(updated) {
        let saved = En::ActiveModel::after_save(updated, txn, false).await;
        models[index] = saved.map_err(|err| Failure::After(err.into()))?;
    }
    Ok(models)
}

/// Whether a column is set that an update writes.
fn assigns<En: Versioned>(model: &En::ActiveModel) -> bool {
    update::changes::<En>(model).next().is_some()
}

fn typed<En: EntityTrait>(keys: &[ValueTuple]) -> Vec<Key<En>> {
    let typed = <<En::PrimaryKey as PrimaryKeyTrait>::ValueType as FromValueTuple>::from_value_tuple;
    keys.iter().cloned().map(typed).collect()
}
