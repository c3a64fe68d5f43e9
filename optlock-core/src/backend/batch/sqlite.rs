//! SQLite: a list of rows as `VALUES`.

use sea_orm::DbBackend;

use super::{BatchUpdate, Batching, delete_from, update_from_values};

pub(in crate::backend) const BATCHING: Batching = Batching {
    rows,
    update: |update, rows| update_from_values(DbBackend::Sqlite, update, rows),
    delete: |table, condition| delete_from(DbBackend::Sqlite, table, condition),
    without_hint: |_| None,
    is_for_hint: |_| false,
    impatience: None,
    hides_from_locks: false,
    // Each is an OR, and an expression is at most 1,000 deep.
    deleted_rows: 200,
    max_parameters: 32_766,
};

const ROWS: usize = 1_000;

fn rows(update: &BatchUpdate) -> usize {
    (BATCHING.max_parameters / update.columns().count().max(1)).clamp(1, ROWS)
}
