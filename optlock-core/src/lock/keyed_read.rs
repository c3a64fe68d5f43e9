//! A locking read of rows by their keys, in pieces where they are many.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Expr, ExprTrait, Order, SelectStatement, SimpleExpr, ValueTuple};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, IntoSimpleExpr, Iterable, ModelTrait, PrimaryKeyToColumn, Select,
};

use super::key_order;
use super::select::{LockSelect, WaitSaid};
use crate::backend::{LockRequest, LockUnit, capabilities};
use crate::entity::table;
use crate::error::{Error, NotLockable, Unsupported};
use crate::locking_read::{has_index_hint, rows};
use crate::transaction::OpenTransaction;

/// The order in which statements lock their rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LockOrder {
    /// The same for everybody, or none at all.
    Everybodys,
    /// That, where the order of the keys is known here.
    AsFarAsKnown,
}

/// A select, and the lock that it takes, to which keys are added.
pub(super) struct KeyedRead<'t, E: EntityTrait, T> {
    txn: &'t T,
    query: SelectStatement,
    request: LockRequest,
    columns: Vec<E::Column>,
}

impl<'t, E: EntityTrait, T: OpenTransaction> KeyedRead<'t, E, T> {
    pub(super) fn new(txn: &'t T, select: LockSelect<Select<E>, WaitSaid>) -> Result<Self, Error> {
        let request = select.request();
        let mut query = select.query;
        query.clear_order_by().reset_limit().reset_offset();
        let backend = txn.get_database_backend();
        if has_index_hint(&backend.build(&query).sql, capabilities(backend).locking.quotes) {
            return Err(NotLockable::new(table::<E>(), "an index hint").into());
        }
        Ok(Self {
            txn,
            query,
            request,
            columns: E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect(),
        })
    }

    /// The rows with these keys, in one statement, and how many each key has: several where the key of the entity is none of the table's.
    pub(super) async fn rows(&self, keys: &[ValueTuple]) -> Result<HashMap<ValueTuple, (E::Model, u64)>, Error> {
        let mut query = self.query.clone();
        query.and_where(among(&self.columns, keys));
        for column in &self.columns {
            query.order_by_expr(column.into_simple_expr(), Order::Asc);
        }
        (capabilities(self.txn.get_database_backend()).locking.in_key_order)(&mut query);
        let rows = rows::<E, T>(self.txn, query, &self.request).await?;
        let mut models = HashMap::with_capacity(rows.len());
        for row in &rows {
            let model = E::Model::from_query_result(row, "")?;
            match models.entry(model.get_primary_key_value()) {
                Entry::Vacant(place) => {
                    place.insert((model, 1));
                }
                Entry::Occupied(mut known) => known.get_mut().1 += 1,
            }
        }
        Ok(models)
    }

    /// Rows whose keys the server takes for others, as a collation without case does: they are found, and each is given
    /// to the first key that is another spelling of its own. Returns the keys that name a row a second time.
    pub(super) async fn other_spellings(
        &self,
        keys: &[ValueTuple],
        rows: &mut [Option<(E::Model, u64)>],
    ) -> Result<HashSet<ValueTuple>, Error> {
        let unclear: Vec<usize> = (0..keys.len()).filter(|index| rows[*index].is_none()).collect();
        let mut found_any = false;
        for chunk in self.chunks(
            unclear.iter().map(|index| keys[*index].clone()).collect(),
            LockOrder::AsFarAsKnown,
        )? {
            found_any |= !self.rows(&chunk).await?.is_empty();
        }
        let mut duplicates = HashSet::new();
        if !found_any {
            return Ok(duplicates);
        }
        let models = rows.iter().flatten().map(|(model, _)| model);
        let mut taken: HashSet<ValueTuple> = models.map(ModelTrait::get_primary_key_value).collect();
        for index in unclear {
            for (own, found) in self.rows(std::slice::from_ref(&keys[index])).await? {
                if taken.insert(own) {
                    rows[index] = Some(found);
                } else {
                    duplicates.insert(keys[index].clone());
                }
            }
        }
        Ok(duplicates)
    }

    /// The keys in pieces that a statement has parameters for, in this order.
    pub(super) fn chunks(&self, mut keys: Vec<ValueTuple>, order: LockOrder) -> Result<Vec<Vec<ValueTuple>>, Error> {
        let backend = self.txn.get_database_backend();
        let capabilities = capabilities(backend);
        let columns = self.columns.len().max(1);
        let own = backend.build(&self.query).values.map_or(0, |values| values.0.len());
        let size = (capabilities.locking.max_parameters.saturating_sub(own) / columns).max(1);
        if keys.len() > size && capabilities.locking.unit == LockUnit::Row {
            let is_ordered = (columns == 1 || capabilities.locking.locks_as_sorted) && key_order::sort(&mut keys);
            if !is_ordered && order == LockOrder::Everybodys {
                let what = format!("locking more than {size} rows by keys whose order is the server's own");
                return Err(Unsupported::new(capabilities.name, what).into());
            }
        }
        Ok(keys.chunks(size).map(<[_]>::to_vec).collect())
    }
}

/// `key IN (…)`, or `(first, second) IN ((…), …)`, with values cast as SeaORM casts them.
fn among<C: ColumnTrait>(columns: &[C], keys: &[ValueTuple]) -> SimpleExpr {
    let values = |key: &ValueTuple| -> Vec<SimpleExpr> {
        let values = columns.iter().zip(key.clone());
        values.map(|(column, value)| column.save_as(Expr::val(value))).collect()
    };
    if let [column] = columns {
        return column.into_simple_expr().is_in(keys.iter().flat_map(values));
    }
    Expr::tuple(columns.iter().map(|column| column.into_simple_expr()))
        .is_in(keys.iter().map(|key| SimpleExpr::from(Expr::tuple(values(key)))))
}
