//! PostgreSQL: a list of rows as one array for each column, so that the text of the statement is the same for any number of rows.

use std::ops::Range;

use sea_orm::sea_query::{DynIden, Expr, Query, SelectStatement, SimpleExpr, TableRef, Value};
use sea_orm::{DbBackend, Statement};

use super::{BatchColumn, BatchUpdate, Batching, LIST, delete_from, listed, name, update_from, update_from_values};

pub(in crate::backend) const BATCHING: Batching = Batching {
    rows,
    update,
    delete: |table, condition| delete_from(DbBackend::Postgres, table, condition),
    without_hint: |_| None,
    is_for_hint: |_| false,
    // The rows are locked as the join finds them. Longer than what most writes hold a lock, and far shorter than what it takes to find a deadlock, a second.
    impatience: Some("SET LOCAL lock_timeout = '50ms'"),
    // The one for UPDATE, of row-level security.
    hides_from_locks: true,
    deleted_rows: 200,
    max_parameters: u16::MAX as usize,
};

/// Of arrays, and of a list of values.
const ROWS: usize = 1_000;
const VALUES_ROWS: usize = 500;

fn rows(update: &BatchUpdate) -> usize {
    let all = 0..update.rows();
    if update.columns().all(|column| fits_array(column, column.of(&all))) {
        return ROWS;
    }
    (BATCHING.max_parameters / update.columns().count().max(1)).clamp(1, VALUES_ROWS)
}

fn update(update: &BatchUpdate, rows: Range<usize>) -> Statement {
    let mut list = Query::select();
    let mut expressions = Vec::new();
    let mut flags = update.columns().count();
    for (number, column) in update.columns().enumerate() {
        let values = column.of(&rows);
        let expression = fits_array(column, values).then(|| unnested(&mut list, number, &mut flags, values));
        match expression.flatten() {
            Some(expression) => expressions.push(expression),
            None => return update_from_values(DbBackend::Postgres, update, rows),
        }
    }
    let list = TableRef::SubQuery(Box::new(list), DynIden::from(LIST));
    DbBackend::Postgres.build(&update_from(update, list, &expressions))
}

/// Adds a column to the list, and returns what it is for one row. The driver takes no array with a NULL in it, so a second array says where they are.
fn unnested(list: &mut SelectStatement, number: usize, flags: &mut usize, values: &[Value]) -> Option<SimpleExpr> {
    let is_null = |value: &Value| *value == value.as_null();
    let Some(filler) = values.iter().find(|value| !is_null(value)) else {
        list.expr_as(Expr::val(values.first()?.clone()), name(number));
        return Some(listed(number));
    };
    let has_null = values.iter().any(is_null);
    let without_null = values.iter().map(|value| if is_null(value) { filler } else { value });
    list.expr_as(unnest(array(without_null.cloned().collect())?), name(number));
    if !has_null {
        return Some(listed(number));
    }
    let flag = *flags;
    *flags += 1;
    list.expr_as(
        unnest(array(values.iter().map(|value| is_null(value).into()).collect())?),
        name(flag),
    );
    let null = filler.as_null();
    Some(Expr::case(listed(flag), Expr::val(null)).finally(listed(number)).into())
}

fn unnest(array: Value) -> SimpleExpr {
    sea_orm::sea_query::Func::cust("UNNEST").arg(Expr::val(array)).into()
}

#[cfg(feature = "sqlx-postgres")]
fn array(values: Vec<Value>) -> Option<Value> {
    let of = values.first()?.array_type();
    Some(Value::Array(of, Some(Box::new(values))))
}

/// Without the driver there are no arrays.
#[cfg(not(feature = "sqlx-postgres"))]
fn array(_: Vec<Value>) -> Option<Value> {
    None
}

/// Whether the driver sends an array of these values as it sends each of them.
fn fits_array(column: &BatchColumn, values: &[Value]) -> bool {
    use sea_orm::sea_query::ColumnType;

    let Some(first) = values.first() else {
        return false;
    };
    let kind = std::mem::discriminant(first);
    if values.iter().any(|value| std::mem::discriminant(value) != kind) {
        return false;
    }
    match first {
        Value::Bool(_)
        | Value::SmallInt(_)
        | Value::Int(_)
        | Value::BigInt(_)
        | Value::SmallUnsigned(_)
        | Value::Unsigned(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::String(_)
        | Value::Bytes(_) => true,
        #[cfg(feature = "sqlx-postgres")]
        Value::Array(..) => false,
        // Eight bits are of another type in an array, and the rest is not known to be the same in one.
        Value::TinyInt(_) | Value::TinyUnsigned(_) | Value::BigUnsigned(_) | Value::Char(_) | Value::Enum(_) => false,
        #[allow(
            unreachable_patterns,
            reason = "which values there are depends on the features of sea-query"
        )]
        _ => matches!(
            column.column_type,
            ColumnType::Date
                | ColumnType::Time
                | ColumnType::DateTime
                | ColumnType::Timestamp
                | ColumnType::TimestampWithTimeZone
                | ColumnType::Decimal(_)
                | ColumnType::Json
                | ColumnType::JsonBinary
                | ColumnType::Uuid
        ),
    }
}
