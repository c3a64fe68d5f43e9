//! Many rows, all of them or none.

use sea_orm::sea_query::{FromValueTuple, ValueTuple};
use sea_orm::{DatabaseConnection, EntityTrait, PrimaryKeyTrait};

use tracing::Instrument;

use super::round::{Failure, Key, change};
use crate::entity::{Versioned, table};
use crate::error::Error;
use crate::lock::for_write;
use crate::lock_mode::LockWait;
use crate::policy::{Policy, Run};
use crate::runner::attempt;
use crate::transaction::OpenTransaction;

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

/// Locks the rows in the order of their keys, and changes them in the caller's.
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
    let mut models = Vec::with_capacity(locked.len());
    for row in locked {
        models.push(change::<En, E>(txn, &row, true, closure).await?);
    }
    Ok(models)
}

fn typed<En: EntityTrait>(keys: &[ValueTuple]) -> Vec<Key<En>> {
    let typed = <<En::PrimaryKey as PrimaryKeyTrait>::ValueType as FromValueTuple>::from_value_tuple;
    keys.iter().cloned().map(typed).collect()
}
