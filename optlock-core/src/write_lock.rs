//! SQLite's write lock, which stands in for row locks there.

use sea_orm::sea_query::{Expr, SimpleExpr, UpdateStatement};
use sea_orm::{EntityTrait, Iterable, PrimaryKeyToColumn, QueryFilter, QueryTrait};

/// `UPDATE … SET id = id WHERE FALSE`: takes the write lock, or fails where the snapshot is out of date.
pub(crate) fn write_to_no_row<E: EntityTrait>() -> UpdateStatement {
    let mut update = E::update_many();
    for key in E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).take(1) {
        update = update.col_expr(key, Expr::col(key));
    }
    update.filter(SimpleExpr::Constant(false.into())).into_query()
}
