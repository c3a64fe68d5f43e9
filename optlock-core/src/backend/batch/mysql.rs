//! MySQL and MariaDB: a list of rows as one JSON text, where that carries the values exactly.

use std::fmt::Write as _;
use std::ops::Range;

#[cfg(feature = "sqlx-mysql")]
use sea_orm::RuntimeErr;
use sea_orm::sea_query::{CaseStatement, Condition, Expr, Func, MysqlQueryBuilder, Query, SimpleExpr, TableRef, Value};
use sea_orm::{DbBackend, DbErr, Statement};

use super::{BatchUpdate, Batching, LIST, at_expected, delete_from, listed, plain};

pub(in crate::backend) const BATCHING: Batching = Batching {
    rows,
    update,
    delete,
    without_hint,
    is_for_hint,
    impatience: None,
    hides_from_locks: false,
    deleted_rows: 200,
    max_parameters: u16::MAX as usize,
};

/// Of JSON.
const ROWS: usize = 1_000;
/// Of cases, each of which is compared with those before it.
const CASES: usize = 100;

fn rows(update: &BatchUpdate) -> usize {
    match kinds(update, &(0..update.rows())) {
        Some(_) => ROWS,
        None => (BATCHING.max_parameters / cases_of_a_row(update).max(1)).clamp(1, CASES),
    }
}

/// How many parameters the cases of a row have.
fn cases_of_a_row(update: &BatchUpdate) -> usize {
    let keys = update.keys.len();
    update.assigned.len() * (keys + 1) + keys + update.expected.len()
}

fn update(update: &BatchUpdate, rows: Range<usize>) -> Statement {
    // One that is too large for its escapes and digits goes as it is.
    let is_large = rows.len() == 1 && update.row_size(rows.start) > Batching::BYTES;
    match kinds(update, &rows) {
        Some(kinds) if !is_large => by_json(update, &kinds, rows),
        _ => by_cases(update, rows),
    }
}

/// How the values of a column are written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Signed,
    Unsigned,
    Text,
    /// Bytes, as hexadecimal digits.
    Hex,
}

impl Kind {
    fn sql_type(self) -> &'static str {
        match self {
            Self::Signed => "BIGINT",
            Self::Unsigned => "BIGINT UNSIGNED",
            // Whatever the character set of the database is.
            Self::Text => "LONGTEXT CHARACTER SET utf8mb4",
            Self::Hex => "LONGTEXT CHARACTER SET ascii",
        }
    }

    fn read(self, column: SimpleExpr) -> SimpleExpr {
        match self {
            Self::Signed | Self::Unsigned | Self::Text => column,
            Self::Hex => Func::cust("UNHEX").arg(column).into(),
        }
    }
}

/// The kinds of all columns of these rows, if JSON can carry them.
fn kinds(update: &BatchUpdate, rows: &Range<usize>) -> Option<Vec<Kind>> {
    // A text to compare would have a collation of its own: there, it must be a parameter.
    let compared = update
        .keys
        .iter()
        .chain(&update.expected)
        .map(|column| kind(column.of(rows)).filter(|kind| *kind != Kind::Text));
    let assigned = update.assigned.iter().map(|column| kind(column.of(rows)));
    compared.chain(assigned).collect()
}

fn kind(values: &[Value]) -> Option<Kind> {
    let mut kinds = values.iter().map(|value| {
        Some(match value {
            Value::Bool(_) | Value::TinyInt(_) | Value::SmallInt(_) | Value::Int(_) | Value::BigInt(_) => Kind::Signed,
            Value::TinyUnsigned(_) | Value::SmallUnsigned(_) | Value::Unsigned(_) | Value::BigUnsigned(_) => {
                Kind::Unsigned
            }
            Value::String(_) | Value::Char(_) | Value::Enum(_) => Kind::Text,
            Value::Bytes(_) => Kind::Hex,
            #[cfg(feature = "with-uuid")]
            Value::Uuid(_) => Kind::Hex,
            _ => return None,
        })
    });
    let first = kinds.next()??;
    kinds.all(|kind| kind == Some(first)).then_some(first)
}

/// The list is read first and in its order, so that rows are locked in that, too. sea-query has neither the table function nor this join.
fn by_json(update: &BatchUpdate, kinds: &[Kind], rows: Range<usize>) -> Statement {
    let mut json = String::with_capacity(
        2 + rows
            .clone()
            .map(|row| update.row_size(row) + 4 * kinds.len())
            .sum::<usize>(),
    );
    json.push('[');
    for row in rows {
        let separator = if json.len() > 1 { ",[" } else { "[" };
        json.push_str(separator);
        for (number, column) in update.columns().enumerate() {
            if number > 0 {
                json.push(',');
            }
            write_json(&mut json, &column.values[row]);
        }
        json.push(']');
    }
    json.push(']');

    let columns: Vec<_> = kinds
        .iter()
        .enumerate()
        .map(|(number, kind)| {
            format!(
                "column{} {} PATH '$[{number}]' ERROR ON ERROR",
                number + 1,
                kind.sql_type()
            )
        })
        .collect();
    let mut read = kinds.iter().enumerate().map(|(number, kind)| kind.read(listed(number)));
    let mut on = Condition::all();
    for (key, value) in update.keys.iter().zip(&mut read) {
        on = on.add(key.equals(value));
    }
    on = on.add(at_expected(update, &mut read));
    let assigned: Vec<_> = update
        .assigned
        .iter()
        .zip(read)
        .map(|(column, value)| format!("{} = {}", text(column.column.clone()), text((column.save_as)(value))))
        .collect();
    let sql = format!(
        "UPDATE JSON_TABLE(?, '$[*]' COLUMNS ({})) AS {LIST} STRAIGHT_JOIN {} ON {} SET {}",
        columns.join(", "),
        table(&update.table),
        text(on.into()),
        assigned.join(", "),
    );
    Statement::from_sql_and_values(DbBackend::MySql, sql, [Value::from(json)])
}

/// An expression without values, in SQL.
fn text(expression: SimpleExpr) -> String {
    let select = Query::select().expr(expression).to_string(MysqlQueryBuilder);
    select.strip_prefix("SELECT ").unwrap_or_default().to_owned()
}

fn table(table: &TableRef) -> String {
    let select = Query::select()
        .expr(Expr::val(1))
        .from(table.clone())
        .to_string(MysqlQueryBuilder);
    select.strip_prefix("SELECT 1 FROM ").unwrap_or_default().to_owned()
}

fn write_json(json: &mut String, value: &Value) {
    // Writing to a text does not fail.
    let _ = match value {
        Value::Bool(Some(value)) => write!(json, "{}", u8::from(*value)),
        Value::TinyInt(Some(value)) => write!(json, "{value}"),
        Value::SmallInt(Some(value)) => write!(json, "{value}"),
        Value::Int(Some(value)) => write!(json, "{value}"),
        Value::BigInt(Some(value)) => write!(json, "{value}"),
        Value::TinyUnsigned(Some(value)) => write!(json, "{value}"),
        Value::SmallUnsigned(Some(value)) => write!(json, "{value}"),
        Value::Unsigned(Some(value)) => write!(json, "{value}"),
        Value::BigUnsigned(Some(value)) => write!(json, "{value}"),
        Value::Bytes(Some(bytes)) => write_hex(json, bytes),
        #[cfg(feature = "with-uuid")]
        Value::Uuid(Some(uuid)) => write_hex(json, uuid.as_bytes()),
        Value::Char(Some(character)) => write_text(json, character.encode_utf8(&mut [0; 4])),
        _ => match plain(value) {
            Value::String(Some(value)) => write_text(json, &value),
            _ => json.write_str("null"),
        },
    };
}

fn write_hex(json: &mut String, bytes: &[u8]) -> std::fmt::Result {
    json.push('"');
    for byte in bytes {
        write!(json, "{byte:02x}")?;
    }
    json.push('"');
    Ok(())
}

fn write_text(json: &mut String, value: &str) -> std::fmt::Result {
    json.push('"');
    for character in value.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\0'..='\x1f' => write!(json, "\\u{:04x}", u32::from(character))?,
            _ => json.push(character),
        }
    }
    json.push('"');
    Ok(())
}

/// `SET column = CASE WHEN key = ? THEN ? … END WHERE key = ? AND version = ? OR …`: all values are parameters, as in an update of one row.
fn by_cases(update: &BatchUpdate, rows: Range<usize>) -> Statement {
    let is = |row: usize| {
        let keys = update.keys.iter();
        keys.fold(Condition::all(), |all, key| {
            all.add(key.equals(Expr::val(plain(&key.values[row]))))
        })
    };
    let mut statement = Query::update();
    statement.table(update.table.clone());
    for column in &update.assigned {
        let cases = rows.clone().fold(CaseStatement::new(), |cases, row| {
            cases.case(is(row), (column.save_as)(Expr::val(plain(&column.values[row]))))
        });
        statement.value(column.name.clone(), cases);
    }
    let any = rows.fold(Condition::any(), |any, row| {
        let mut expected = update
            .expected
            .iter()
            .map(|column| Expr::val(plain(&column.values[row])));
        any.add(is(row).add(at_expected(update, &mut expected)))
    });
    statement.cond_where(any);
    let statement = DbBackend::MySql.build(&statement);
    let table = table(&update.table);
    reworded(
        statement,
        &format!("UPDATE {table} "),
        &format!("UPDATE {table} {BY_PRIMARY_KEY} "),
    )
}

/// Over a few hundred ORs the server would rather read, and lock, the whole table: then batches over different rows wait for each other, and in a circle.
/// sea-query has no such hint.
const BY_PRIMARY_KEY: &str = "FORCE INDEX (PRIMARY)";

/// `DELETE table FROM table FORCE INDEX (PRIMARY) WHERE …`: only in this form a delete takes the hint.
fn delete(from: TableRef, condition: Condition) -> Statement {
    let table = table(&from);
    reworded(
        delete_from(DbBackend::MySql, from, condition),
        &format!("DELETE FROM {table} "),
        &format!("DELETE {table} FROM {table} {BY_PRIMARY_KEY} "),
    )
}

/// With another beginning.
fn reworded(mut statement: Statement, beginning: &str, by: &str) -> Statement {
    if let Some(rest) = statement.sql.strip_prefix(beginning) {
        statement.sql = format!("{by}{rest}");
    }
    statement
}

/// Without the hint, for a table that has no primary key, and for a view.
fn without_hint(statement: &Statement) -> Option<Statement> {
    let (before, after) = statement.sql.split_once(&format!(" {BY_PRIMARY_KEY}"))?;
    Some(Statement {
        sql: format!("{before}{after}"),
        values: statement.values.clone(),
        db_backend: statement.db_backend,
    })
}

#[cfg(feature = "sqlx-mysql")]
fn is_for_hint(err: &DbErr) -> bool {
    const KEY_DOES_NOT_EXIST: u16 = 1176;
    let (DbErr::Exec(RuntimeErr::SqlxError(err)) | DbErr::Query(RuntimeErr::SqlxError(err))) = err else {
        return false;
    };
    let err = err.as_database_error();
    err.and_then(|err| err.try_downcast_ref::<sea_orm::SqlxMySqlError>())
        .is_some_and(|err| err.number() == KEY_DOES_NOT_EXIST)
}

#[cfg(not(feature = "sqlx-mysql"))]
fn is_for_hint(_: &DbErr) -> bool {
    false
}
