//! The statements that update a group of rows in which the same columns are set.

use sea_orm::sea_query::{IntoIden, Query, ReturningClause};
use sea_orm::{ActiveModelTrait, ActiveValue, ColumnTrait, DbBackend, IntoSimpleExpr, Iterable, Statement, Value};

use super::update::Updates;
use crate::backend::{BatchColumn, BatchUpdate, Batching, capabilities};
use crate::entity::Versioned;
use crate::version::{Repr, VersionType};

/// The update of a group of rows, and how it is cut.
pub(super) struct Statements<'g> {
    update: BatchUpdate,
    group: &'g [usize],
    batching: Batching,
}

impl<'g> Statements<'g> {
    /// `group` is not empty, and the rows in it have the same columns to set.
    pub(super) fn of<E: Versioned>(
        updates: &Updates<E>,
        group: &'g [usize],
        backend: DbBackend,
        returns: bool,
    ) -> Self {
        let rows = || group.iter().map(|index| updates.rows.row(*index));
        let first = rows().next().map_or(&[][..], |row| row.key());
        let keys = first.iter().enumerate().map(|(position, (key, _))| {
            let values = rows().filter_map(|row| row.key().get(position));
            column::<E>(*key, values.map(|(_, value)| value.clone()).collect())
        });
        let version = E::version_column();
        let mut expected = vec![column::<E>(
            version,
            rows().map(|row| row.expected.clone().into()).collect(),
        )];
        if rows().any(|row| row.expected.to_repr().other_spelling().is_some()) {
            let other = |expected: &E::Version| match expected.to_repr().other_spelling() {
                Some(other) => E::Version::from_repr(other).into(),
                None => expected.clone().into(),
            };
            expected.push(column::<E>(version, rows().map(|row| other(&row.expected)).collect()));
        }
        let set = group.first().and_then(|index| updates.changes[*index].as_ref());
        let set = set.map(|change| change.columns.clone()).unwrap_or_default();
        let assigned = set.into_iter().chain([version]).map(|assigned| {
            let value = |index: &usize| match updates.models[*index].get(assigned) {
                ActiveValue::Set(value) | ActiveValue::Unchanged(value) => Some(value),
                ActiveValue::NotSet => None,
            };
            column::<E>(assigned, group.iter().filter_map(value).collect())
        });
        Self {
            update: BatchUpdate {
                table: E::default().table_ref(),
                keys: keys.collect(),
                expected,
                assigned: assigned.collect(),
                returning: returns.then(|| all_columns_of_the_table::<E>()),
            },
            group,
            batching: capabilities(backend).batching,
        }
    }

    /// The statements one by one, each with the rows that it is to reach.
    pub(super) fn chunks(&self) -> impl Iterator<Item = (&'g [usize], Statement)> + Send {
        let most = (self.batching.rows)(&self.update);
        let mut from = 0;
        std::iter::from_fn(move || {
            let rows = self.update.rows_within(from, most, Batching::BYTES);
            let range = from..from + rows;
            from = range.end;
            let chunk = self.group.get(range.clone()).filter(|chunk| !chunk.is_empty())?;
            Some((chunk, (self.batching.update)(&self.update, range)))
        })
    }
}

fn column<E: Versioned>(column: E::Column, values: Vec<Value>) -> BatchColumn {
    BatchColumn {
        name: column.into_iden(),
        column: column.into_simple_expr(),
        column_type: column.def().get_column_type().clone(),
        save_as: Box::new(move |value| column.save_as(value)),
        values,
    }
}

/// All columns as SeaORM reads them. With the name of the table: the list of rows has columns, too.
fn all_columns_of_the_table<E: Versioned>() -> ReturningClause {
    Query::returning().exprs(E::Column::iter().map(|column| column.select_as(column.into_simple_expr())))
}
