//! A read that locks what it returns.

mod failure;
mod shape;
mod wait;

use sea_orm::sea_query::SelectStatement;
use sea_orm::{DbBackend, EntityTrait, QueryResult, Statement};

use crate::backend::{LockRequest, LockUnit, OuterJoinLocks, capabilities};
use crate::entity::table;
use crate::error::{Error, NotLockable, Operation, Unsupported};
use crate::lock_mode::LockWait;
use crate::transaction::OpenTransaction;
use crate::write_lock::write_to_no_row;

pub(crate) use failure::{failure, settle};
pub(crate) use shape::has_index_hint;
pub(crate) use wait::waiting;

/// The statement of a locking read that selects from the table of `E`.
pub(crate) fn statement<E: EntityTrait>(
    backend: DbBackend,
    query: SelectStatement,
    request: &LockRequest,
) -> Result<Statement, Error> {
    let capabilities = capabilities(backend);
    let unsupported = |what: String| Unsupported::new(capabilities.name, what);
    let plain = backend.build(&query).sql;
    let quotes = capabilities.locking.quotes;
    if let Some(clause) = shape::obstacle(&plain, quotes) {
        return Err(NotLockable::new(table::<E>(), clause).into());
    }
    let outer = shape::outer_joins(&plain, quotes);
    let refused = match capabilities.locking.outer_joins {
        OuterJoinLocks::Never if request.of.is_none() && outer.any => {
            Some("of rows that an outer join may leave out; say `of` which table to lock")
        }
        OuterJoinLocks::Never if outer.first => Some("of rows that a right or full join may leave out"),
        OuterJoinLocks::UnlessSkipping if request.wait == LockWait::SkipLocked && outer.any => {
            Some("SKIP LOCKED of an outer join, in which a row that is skipped would look like one that is not there")
        }
        _ => None,
    };
    if let Some(what) = refused {
        return Err(unsupported(format!("{} {what}", request.strength)).into());
    }
    (capabilities.locking.read)(query, request).map_err(|what| unsupported(what).into())
}

/// The rows of a locking read that selects from the table of `E`.
pub(crate) async fn rows<E, T>(
    txn: &T,
    query: SelectStatement,
    request: &LockRequest,
) -> Result<Vec<QueryResult>, Error>
where
    E: EntityTrait,
    T: OpenTransaction,
{
    let backend = txn.get_database_backend();
    let statement = statement::<E>(backend, query, request)?;
    let outcome = match capabilities(backend).locking.unit {
        LockUnit::Row => waiting(txn, request.wait, txn.query_all_raw(statement)).await,
        LockUnit::Database => {
            let locked = waiting(txn, request.wait, async { txn.execute(&write_to_no_row::<E>()).await }).await;
            match locked {
                // Nobody else can hold a row now, so there is nothing left to wait for.
                Ok(_) => waiting(txn, LockWait::AsSet, txn.query_all_raw(statement)).await,
                Err(failed) => Err(failed),
            }
        }
    };
    match outcome {
        Ok(rows) => Ok(rows),
        Err((err, attempt)) => Err(failure(txn, table::<E>(), Operation::Lock, err, &attempt).await),
    }
}
