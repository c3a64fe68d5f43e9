//! Why a checked write reached no row, asked of the database on the caller's own connection.

use std::any::Any;

use sea_orm::sea_query::{Condition, LockType};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Select};

use crate::backend::{Confirming, Fault, capabilities, fault};
use crate::entity::{Versioned, table};
use crate::error::{Conflict, Error, Found, Loss, Operation, TooManyRows};
use crate::row::{Row, version_of};
use crate::value::{RowKey, RowVersion};
use crate::write_lock::write_to_no_row;

/// Takes the number of rows that a write to one row reached for success or failure.
pub(crate) async fn exactly_one<E, C>(db: &C, row: &Row<E>, operation: Operation, rows: u64) -> Result<(), Error>
where
    E: Versioned,
    C: ConnectionTrait,
{
    match rows {
        1 => Ok(()),
        0 => Err(diagnose(db, row, operation).await),
        several => Err(TooManyRows::new(table::<E>(), row.row_key(), operation, several).into()),
    }
}

/// The conflict of a write that reached no row. Costs one statement.
pub(crate) async fn diagnose<E, C>(db: &C, row: &Row<E>, operation: Operation) -> Error
where
    E: Versioned,
    C: ConnectionTrait,
{
    let lock = capabilities(db.get_database_backend()).conflict_read;
    let model = match select::<E>(row.by_key(), lock).one(db).await {
        Ok(Some(model)) => model,
        Ok(None) => return gone(row, operation),
        // The check has failed whatever became of the question why.
        Err(err) => return conflict(row, operation, Found::Unknown, None, Some(err)).into(),
    };
    match version_of::<E>(&model) {
        Ok(version) if version == row.expected => blocked(row, operation, model).into(),
        Ok(version) => changed_since(row, operation, version, model),
        Err(err) => conflict(row, operation, Found::Unknown, None, Some(err.into())).into(),
    }
}

/// The conflict of a row that was read under a lock, if it is not at the expected version.
pub(crate) fn compare<E: Versioned>(
    row: &Row<E>,
    operation: Operation,
    current: Option<E::Model>,
) -> Result<Result<E::Model, Conflict>, Error> {
    let Some(model) = current else {
        return Ok(Err(conflict(row, operation, Found::Deleted, None, None)));
    };
    let version = version_of::<E>(&model)?;
    if version == row.expected {
        return Ok(Ok(model));
    }
    let found = Found::Changed {
        version: RowVersion::from(version),
    };
    Ok(Err(conflict(row, operation, found, Some(Box::new(model)), None)))
}

/// The conflict with a row that is at the expected version, and yet was not written.
pub(crate) fn blocked<E: Versioned>(row: &Row<E>, operation: Operation, current: E::Model) -> Conflict {
    conflict(row, operation, Found::Blocked, Some(Box::new(current)), None)
}

/// The conflict with a row that is not there.
pub(crate) fn gone<E: Versioned>(row: &Row<E>, operation: Operation) -> Error {
    conflict(row, operation, Found::Deleted, None, None).into()
}

/// The conflict with a row that was read at another version than the expected one.
pub(crate) fn changed_since<E: Versioned>(
    row: &Row<E>,
    operation: Operation,
    version: E::Version,
    current: E::Model,
) -> Error {
    let found = Found::Changed {
        version: RowVersion::from(version),
    };
    conflict(row, operation, found, Some(Box::new(current)), None).into()
}

/// The conflict of an insert with a row that has its key, and could be read or not.
pub(crate) fn taken<E: Versioned>(
    key: RowKey,
    expected: RowVersion,
    operation: Operation,
    current: Result<E::Model, DbErr>,
) -> Error {
    let (found, current, cause) = match current {
        Ok(model) => match version_of::<E>(&model).map(RowVersion::from) {
            Ok(version) if version == expected => (Found::Blocked, Some(Box::new(model) as _), None),
            Ok(version) => (Found::Changed { version }, Some(Box::new(model) as _), None),
            Err(err) => (Found::Unknown, None, Some(err.into())),
        },
        Err(err) => (Found::Unknown, None, Some(err)),
    };
    conflict_over::<E>(key, expected, operation, found, current, cause).into()
}

/// The error of a write that the database refused. Above READ COMMITTED a rival's change shows as an error instead of
/// a row that is not reached: that, too, is a conflict.
pub(crate) fn refused<E: Versioned>(row: &Row<E>, operation: Operation, err: DbErr) -> Error {
    if fault(&err) == Fault::Serialization {
        return conflict(row, operation, Found::Unknown, None, Some(err)).into();
    }
    err.into()
}

/// Shows that a row to which nothing is to be written is as the caller read it, and returns it.
pub(crate) async fn confirm<E, C>(
    db: &C,
    row: &Row<E>,
    operation: Operation,
    filter: Condition,
) -> Result<E::Model, Error>
where
    E: Versioned,
    C: ConnectionTrait,
{
    let confirming = capabilities(db.get_database_backend()).confirming_read;
    let lock = match confirming {
        Confirming::Locking(lock) => Some(lock),
        Confirming::AfterWriteLock => {
            let locked = db.execute(&write_to_no_row::<E>()).await;
            locked.map_err(|err| refused(row, operation, err))?;
            None
        }
    };
    let read = select::<E>(row.as_expected().add(filter), lock).one(db).await;
    match read.map_err(|err| refused(row, operation, err))? {
        Some(model) => Ok(model),
        None => Err(diagnose(db, row, operation).await),
    }
}

/// The read of the rows of a condition, with a lock or without.
pub(crate) fn select<E: EntityTrait>(condition: Condition, lock: Option<LockType>) -> Select<E> {
    let select = E::find().filter(condition);
    match lock {
        Some(lock) => select.lock(lock),
        None => select,
    }
}

fn conflict<E: Versioned>(
    row: &Row<E>,
    operation: Operation,
    found: Found,
    current: Option<Box<dyn Any + Send + Sync>>,
    cause: Option<DbErr>,
) -> Conflict {
    conflict_over::<E>(row.row_key(), row.row_version(), operation, found, current, cause)
}

/// The conflict over a row with a key, at a version that may be `NULL`.
fn conflict_over<E: Versioned>(
    key: RowKey,
    expected: RowVersion,
    operation: Operation,
    found: Found,
    current: Option<Box<dyn Any + Send + Sync>>,
    cause: Option<DbErr>,
) -> Conflict {
    tracing::debug!(table = table::<E>(), %key, %operation, %found, "conflict");
    Conflict::new(Loss {
        table: table::<E>(),
        key,
        operation,
        expected,
        found,
        current,
        cause,
    })
}
