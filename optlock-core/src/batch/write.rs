//! A statement of a batch, and how many rows it has reached.

use std::future::Future;
use std::time::Instant;

use sea_orm::{DbErr, EntityTrait, Statement};

use crate::backend::{Attempt, capabilities};
use crate::entity::table;
use crate::error::{Error, Operation};
use crate::lock_mode::LockWait;
use crate::locking_read::failure;
use crate::transaction::OpenTransaction;

/// Sends a statement, again without its hint if the table does not take that, and returns how many rows it has reached.
pub(super) async fn executed<E, T>(txn: &T, operation: Operation, statement: Statement) -> Result<u64, Error>
where
    E: EntityTrait,
    T: OpenTransaction,
{
    let batching = capabilities(txn.get_database_backend()).batching;
    let without_hint = (batching.without_hint)(&statement);
    let result = async {
        match (txn.execute_raw(statement).await, without_hint) {
            (Err(err), Some(statement)) if (batching.is_for_hint)(&err) => txn.execute_raw(statement).await,
            (result, _) => result,
        }
    };
    Ok(sent::<E, T, _>(txn, operation, result).await?.rows_affected())
}

/// The outcome of a statement that may have waited for a lock.
pub(super) async fn sent<E, T, R>(
    txn: &T,
    operation: Operation,
    statement: impl Future<Output = Result<R, DbErr>>,
) -> Result<R, Error>
where
    E: EntityTrait,
    T: OpenTransaction,
{
    let started = Instant::now();
    let err = match statement.await {
        Ok(output) => return Ok(output),
        Err(err) => err,
    };
    let attempt = Attempt {
        wait: LockWait::AsSet,
        elapsed: started.elapsed(),
        patience: None,
    };
    Err(failure(txn, table::<E>(), operation, err, &attempt).await)
}
