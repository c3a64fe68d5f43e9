//! Writes that hand back what they wrote.

use sea_orm::sea_query::{Query, ReturningClause};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, Iterable, StatementBuilder,
};

use crate::backend::{Returning, capabilities};
use crate::error::{Error, Unsupported};

/// All columns of an entity, as SeaORM reads them.
pub(crate) fn all_columns<E: EntityTrait>(backend: DbBackend) -> ReturningClause {
    Query::returning().exprs(E::Column::iter().map(|column| column.select_as(column.into_returning_expr(backend))))
}

/// Runs a write with a `RETURNING` clause and reads its rows *to the end*: a driver that stops after the first row
/// resets the statement, and on SQLite a commit that fails in that reset goes unreported.
pub(crate) async fn fetch<E, S, C>(db: &C, statement: &S) -> Result<Vec<E::Model>, DbErr>
where
    E: EntityTrait,
    S: StatementBuilder + Sync,
    C: ConnectionTrait,
{
    let rows = db.query_all(statement).await?;
    rows.iter().map(|row| E::Model::from_query_result(row, "")).collect()
}

/// Whether a write on this connection can return its rows.
pub(crate) fn is_available<C: ConnectionTrait>(db: &C) -> bool {
    match capabilities(db.get_database_backend()).returning {
        Returning::Native => true,
        Returning::OnRequest => db.support_returning(),
        Returning::Never => false,
    }
}

/// Refuses what only a returning write can do.
pub(crate) fn require<C: ConnectionTrait>(db: &C, operation: &str) -> Result<(), Error> {
    if is_available(db) {
        return Ok(());
    }
    Err(Unsupported::new(capabilities(db.get_database_backend()).name, operation).into())
}
