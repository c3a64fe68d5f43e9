//! One update of many rows, each with values of its own: what all backends share.

mod mysql;
mod postgres;
mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use sea_orm::sea_query::{
    Alias, ColumnType, Condition, DynIden, Expr, ExprTrait, OptionEnum, Query, ReturningClause, SimpleExpr, TableRef,
    UpdateStatement, Value, ValueTuple,
};
use sea_orm::{DbBackend, DbErr, Statement};

pub(super) use mysql::BATCHING as MYSQL;
pub(super) use postgres::BATCHING as POSTGRES;
pub(super) use sqlite::BATCHING as SQLITE;

/// How one backend updates many rows in one statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batching {
    /// How many rows of this update a statement takes.
    pub(crate) rows: fn(&BatchUpdate) -> usize,
    /// The statement for these of its rows.
    pub(crate) update: fn(&BatchUpdate, Range<usize>) -> Statement,
    /// The statement that deletes the rows that meet a condition on their keys.
    pub(crate) delete: fn(TableRef, Condition) -> Statement,
    /// The statement without a hint that not every table takes, if it has one, and whether an error says that the table does not.
    pub(crate) without_hint: fn(&Statement) -> Option<Statement>,
    pub(crate) is_for_hint: fn(&DbErr) -> bool,
    /// What keeps an update of a list from waiting for long, where the server does not lock rows in the order of the list: two such could wait for each
    /// other, until one has to fail.
    pub(crate) impatience: Option<&'static str>,
    /// Whether a policy can keep from a locking read what a plain one shows.
    pub(crate) hides_from_locks: bool,
    /// How many rows a delete takes.
    pub(crate) deleted_rows: usize,
    /// How many parameters a statement can have.
    pub(crate) max_parameters: usize,
}

impl Batching {
    /// What a statement carries at most, if it has more than one row: far less than what servers take in one packet.
    pub(crate) const BYTES: usize = 1 << 20;

    /// About how many bytes a value takes in a statement.
    pub(crate) fn size(value: &Value) -> usize {
        size(value)
    }
}

/// An update of rows by their keys and versions.
pub(crate) struct BatchUpdate {
    pub(crate) table: TableRef,
    pub(crate) keys: Vec<BatchColumn>,
    /// The expected version, and another way to write it, if there is one.
    pub(crate) expected: Vec<BatchColumn>,
    /// The version comes last.
    pub(crate) assigned: Vec<BatchColumn>,
    pub(crate) returning: Option<ReturningClause>,
}

/// A column, and the value that it has for each row.
pub(crate) struct BatchColumn {
    pub(crate) name: DynIden,
    /// The column of the table.
    pub(crate) column: SimpleExpr,
    pub(crate) column_type: ColumnType,
    /// What SeaORM makes of a value for it.
    pub(crate) save_as: Box<dyn Fn(SimpleExpr) -> SimpleExpr + Send + Sync>,
    pub(crate) values: Vec<Value>,
}

impl BatchUpdate {
    /// All columns of the list of rows.
    pub(super) fn columns(&self) -> impl Iterator<Item = &BatchColumn> {
        self.keys.iter().chain(&self.expected).chain(&self.assigned)
    }

    pub(crate) fn rows(&self) -> usize {
        self.assigned.first().map_or(0, |column| column.values.len())
    }

    /// About how many bytes a row takes in a statement.
    pub(super) fn row_size(&self, row: usize) -> usize {
        self.columns().map(|column| size(&column.values[row])).sum()
    }

    /// How many rows, of so many at most, take about this many bytes, but at least one.
    pub(crate) fn rows_within(&self, from: usize, rows: usize, bytes: usize) -> usize {
        let mut left = bytes;
        let mut taken = 0;
        for row in (from..self.rows()).take(rows) {
            let size = self.row_size(row);
            if taken > 0 && size > left {
                break;
            }
            left = left.saturating_sub(size);
            taken += 1;
        }
        taken
    }
}

impl BatchColumn {
    pub(super) fn of(&self, rows: &Range<usize>) -> &[Value] {
        &self.values[rows.clone()]
    }

    /// `column = value`, as SeaORM writes it.
    pub(super) fn equals(&self, value: impl Into<SimpleExpr>) -> SimpleExpr {
        self.column.clone().eq((self.save_as)(value.into()))
    }
}

impl fmt::Debug for BatchUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchUpdate")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

/// `DELETE FROM table WHERE …`.
pub(super) fn delete_from(backend: DbBackend, table: TableRef, condition: Condition) -> Statement {
    backend.build(Query::delete().from_table(table).cond_where(condition))
}

/// What the list of rows is called in a statement.
pub(super) const LIST: &str = "optlock_rows";

/// The name of the column of the list with this number, from zero: what SQLite and PostgreSQL call those of `VALUES`.
pub(super) fn name(number: usize) -> Alias {
    Alias::new(format!("column{}", number + 1))
}

/// The column of the list with this number.
pub(super) fn listed(number: usize) -> SimpleExpr {
    Expr::col((Alias::new(LIST), name(number)))
}

/// `UPDATE table SET … FROM list WHERE …`, with an expression for each column of the list.
pub(super) fn update_from(update: &BatchUpdate, list: TableRef, listed: &[SimpleExpr]) -> UpdateStatement {
    let mut statement = Query::update();
    statement.table(update.table.clone()).from(list);
    let mut listed = listed.iter().cloned();
    for (key, value) in update.keys.iter().zip(&mut listed) {
        statement.and_where(key.equals(value));
    }
    statement.cond_where(at_expected(update, &mut listed));
    for (column, value) in update.assigned.iter().zip(&mut listed) {
        statement.value(column.name.clone(), (column.save_as)(value));
    }
    if let Some(returning) = &update.returning {
        statement.returning(returning.clone());
    }
    statement
}

/// The condition that a row is at the expected version, written in any way.
pub(super) fn at_expected(update: &BatchUpdate, listed: &mut impl Iterator<Item = SimpleExpr>) -> Condition {
    let spellings = update.expected.iter().zip(listed);
    spellings.fold(Condition::any(), |any, (column, value)| any.add(column.equals(value)))
}

/// `UPDATE … FROM (VALUES (…), …)`.
pub(super) fn update_from_values(backend: DbBackend, update: &BatchUpdate, rows: Range<usize>) -> Statement {
    let tuples = rows.map(|row| ValueTuple::Many(update.columns().map(|column| plain(&column.values[row])).collect()));
    let list = TableRef::ValuesList(tuples.collect(), DynIden::from(LIST));
    let listed: Vec<_> = update.columns().enumerate().map(|(number, _)| listed(number)).collect();
    backend.build(&update_from(update, list, &listed))
}

/// A value without the name of its type: the cast is that of the column.
pub(super) fn plain(value: &Value) -> Value {
    match value {
        Value::Enum(OptionEnum::Some(value)) => Value::from(value.value.clone().into_owned()),
        Value::Enum(OptionEnum::None(_)) => Value::String(None),
        _ => value.clone(),
    }
}

/// About how many bytes a value takes in a statement.
fn size(value: &Value) -> usize {
    let is_short = matches!(
        value,
        Value::Bool(_)
            | Value::TinyInt(_)
            | Value::SmallInt(_)
            | Value::Int(_)
            | Value::BigInt(_)
            | Value::TinyUnsigned(_)
            | Value::SmallUnsigned(_)
            | Value::Unsigned(_)
            | Value::BigUnsigned(_)
            | Value::Float(_)
            | Value::Double(_)
            | Value::Char(_)
            | Value::Enum(_)
    );
    match value {
        // It may be sent with escapes.
        Value::String(text) => text.as_ref().map_or(0, |text| text.bytes().map(escaped).sum()),
        // It may be sent as hexadecimal digits.
        Value::Bytes(bytes) => 2 * bytes.as_ref().map_or(0, Vec::len),
        _ if is_short => 8,
        // A document, perhaps.
        _ => value.to_string().len(),
    }
}

/// How many bytes a byte of a text takes in a JSON text.
fn escaped(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..=0x1f => 6,
        _ => 1,
    }
}
