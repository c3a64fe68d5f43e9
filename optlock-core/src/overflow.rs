//! Why the database refused to advance versions by itself.

use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{ConnectionTrait, DbErr, IntoSimpleExpr, QueryFilter, Value};

use crate::advance::limit;
use crate::backend::{capabilities, fault};
use crate::entity::{Versioned, table};
use crate::error::{Error, Operation, Overflow};
use crate::row::version_of;
use crate::value::RowVersion;
use crate::version::{Kind, Repr, VersionType};

/// The error of an update of the rows of a filter that the database refused: an overflow, if a number was out of range
/// and one of the rows is at its last version. In a PostgreSQL transaction the question cannot be asked any more, and
/// the error stays what the database reported.
pub(crate) async fn overflow<E, C>(db: &C, filter: Condition, operation: Operation, err: DbErr) -> Error
where
    E: Versioned,
    C: ConnectionTrait,
{
    let capabilities = capabilities(db.get_database_backend());
    let is_counter = matches!(<E::Version as VersionType>::Repr::KIND, Kind::Integer(_));
    let Ok(last) = limit::<E>(&capabilities) else {
        return err.into();
    };
    if !is_counter || fault(&err) != capabilities.fail_on_fault {
        return err.into();
    }
    // No row was changed, so the same condition still selects the same rows.
    let version = E::version_column();
    let last = i64::try_from(last).map_or_else(|_| Value::from(last), Value::from);
    let exhausted = E::find()
        .filter(filter)
        .filter(version.into_simple_expr().gte(Expr::val(last)));
    match exhausted.one(db).await {
        Ok(Some(model)) => match version_of::<E>(&model) {
            Ok(last) => Overflow::new(table::<E>(), operation, RowVersion::from(last), Some(err)).into(),
            Err(_) => err.into(),
        },
        _ => err.into(),
    }
}
