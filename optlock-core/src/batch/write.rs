//! A statement of a batch, and how many rows it has reached.

use std::future::Future;
use std::time::Instant;

use sea_orm::{DbErr, EntityTrait};

use crate::backend::Attempt;
use crate::entity::table;
use crate::error::{Error, Operation};
use crate::lock_mode::LockWait;
use crate::locking_read::failure;
use crate::transaction::OpenTransaction;

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
