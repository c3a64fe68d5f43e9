//! The rows that a batch names.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Condition, ValueTuple};
use sea_orm::{ActiveModelTrait, ModelTrait, QueryFilter, Value};

use crate::backend::capabilities;
use crate::diagnosis::{blocked, compare};
use crate::entity::{Versioned, table};
use crate::error::{Conflict, Conflicts, DuplicateKey, Error, Operation, TooManyRows};
use crate::lock::{Held, lock_each};
use crate::lock_mode::LockWait;
use crate::row::Row;
use crate::transaction::OpenTransaction;
use crate::value::RowKey;

/// What is to become of a batch in which rows are not as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing.
    AllOrNone,
    /// The other rows are written.
    Each,
}

/// The rows of a batch in the caller's order, each once.
pub(super) struct Rows<E: Versioned> {
    expected: Vec<Row<E>>,
    keys: Vec<ValueTuple>,
    /// Their indices in the order of their keys, as far as that is known here, so that callers write in the same order.
    by_key: Vec<usize>,
    operation: Operation,
}

impl<E: Versioned> Rows<E> {
    pub(super) fn of(models: &[E::ActiveModel], operation: Operation) -> Result<Self, Error> {
        let mut expected: Vec<Row<E>> = Vec::with_capacity(models.len());
        let mut keys = Vec::with_capacity(models.len());
        let mut seen = HashSet::with_capacity(models.len());
        for model in models {
            let row = Row::<E>::of(model, operation)?;
            // It is there: all of its columns are.
            let key = model.get_primary_key_value().unwrap_or(ValueTuple::Many(Vec::new()));
            if !seen.insert(key.clone()) {
                return Err(DuplicateKey::new(table::<E>(), row.row_key(), operation).into());
            }
            expected.push(row);
            keys.push(key);
        }
        let mut by_key: Vec<usize> = (0..expected.len()).collect();
        by_key.sort_by_cached_key(|index| -> Vec<Rank> {
            expected[*index].key().iter().map(|(_, value)| rank(value)).collect()
        });
        Ok(Self {
            expected,
            keys,
            by_key,
            operation,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.expected.len()
    }

    /// Room for what becomes of each row.
    pub(super) fn unknown<T>(&self) -> Vec<Option<Result<T, Conflict>>> {
        (0..self.len()).map(|_| None).collect()
    }

    pub(super) fn operation(&self) -> Operation {
        self.operation
    }

    pub(super) fn row(&self, index: usize) -> &Row<E> {
        &self.expected[index]
    }

    pub(super) fn key(&self, index: usize) -> &ValueTuple {
        &self.keys[index]
    }

    /// The indices of those rows that meet the condition, in the order of their keys.
    pub(super) fn ordered(&self, mut condition: impl FnMut(usize) -> bool) -> Vec<usize> {
        self.by_key.iter().copied().filter(|index| condition(*index)).collect()
    }

    /// Locks these rows, and returns what each is now; also one that a policy lets nobody lock.
    pub(super) async fn hold<T: OpenTransaction>(
        &self,
        txn: &T,
        wait: LockWait,
        indices: &[usize],
    ) -> Result<Vec<Option<E::Model>>, Error> {
        let mut held = self.lock(txn, wait, indices).await?;
        let mut hidden = self.hidden(txn, indices, &held).await?;
        for (index, held) in indices.iter().zip(&mut held) {
            if held.is_none() {
                *held = hidden.remove(self.key(*index));
            }
        }
        Ok(held)
    }

    /// Those rows that are there, though no lock has reached them. One that a rival has deleted is not: on the backends that this is for, the read sees that,
    /// or the locking read was an error.
    async fn hidden<T: OpenTransaction>(
        &self,
        txn: &T,
        indices: &[usize],
        held: &[Option<E::Model>],
    ) -> Result<HashMap<ValueTuple, E::Model>, Error> {
        let batching = capabilities(txn.get_database_backend()).batching;
        let mut hidden = HashMap::new();
        if !batching.hides_from_locks {
            return Ok(hidden);
        }
        let missing = indices.iter().zip(held).filter(|(_, held)| held.is_none());
        let missing: Vec<_> = missing.map(|(index, _)| *index).collect();
        for chunk in missing.chunks(batching.deleted_rows) {
            let keys = chunk.iter().map(|index| self.row(*index).by_key());
            let any = keys.fold(Condition::any(), Condition::add);
            for model in E::find().filter(any).all(txn).await? {
                hidden.insert(model.get_primary_key_value(), model);
            }
        }
        Ok(hidden)
    }

    async fn lock<T: OpenTransaction>(
        &self,
        txn: &T,
        wait: LockWait,
        indices: &[usize],
    ) -> Result<Vec<Option<E::Model>>, Error> {
        let keys: Vec<_> = indices.iter().map(|index| self.keys[*index].clone()).collect();
        let held = lock_each::<E, T>(txn, wait, &keys).await?;
        let held = held.into_iter().zip(keys).map(|(held, key)| match held {
            Held::Row(model) => Ok(Some(model)),
            // A delete would have reached them all before they could be counted.
            Held::Several(_, rows) => {
                Err(TooManyRows::new(table::<E>(), RowKey::new(key), self.operation, rows).into())
            }
            Held::Missing => Ok(None),
            Held::Twice => Err(DuplicateKey::new(table::<E>(), RowKey::new(key), self.operation).into()),
        });
        held.collect()
    }

    /// Locks these rows, and says of each whether it is as expected.
    pub(super) async fn judge<T: OpenTransaction>(
        &self,
        txn: &T,
        wait: LockWait,
        indices: &[usize],
    ) -> Result<Vec<Result<E::Model, Conflict>>, Error> {
        let held = self.lock(txn, wait, indices).await?;
        let mut hidden = self.hidden(txn, indices, &held).await?;
        let held = indices.iter().zip(held);
        held.map(|(index, model)| {
            let row = self.row(*index);
            if model.is_some() {
                return compare(row, self.operation, model);
            }
            let model = hidden.remove(self.key(*index));
            Ok(compare(row, self.operation, model)?.and_then(|model| Err(blocked(row, self.operation, model))))
        })
        .collect()
    }

    /// Whether a statement that was to reach these rows has left some of them out.
    pub(super) async fn is_short<T: OpenTransaction>(
        &self,
        txn: &T,
        indices: &[usize],
        reached: u64,
    ) -> Result<bool, Error> {
        let wanted = indices.len() as u64;
        if reached <= wanted {
            return Ok(reached < wanted);
        }
        // The key of the entity is none of the table's.
        for index in indices {
            let row = self.row(*index);
            let several = E::find().filter(row.by_key()).all(txn).await?.len() as u64;
            if several > 1 {
                return Err(TooManyRows::new(table::<E>(), row.row_key(), self.operation, several).into());
            }
        }
        Ok(true)
    }

    /// The error of a batch that is all or nothing, if there is a conflict.
    pub(super) fn all_or_none<T>(&self, verdicts: &[Option<Result<T, Conflict>>]) -> Result<(), Error> {
        let conflicts = verdicts
            .iter()
            .enumerate()
            .filter_map(|(index, verdict)| match verdict {
                Some(Err(conflict)) => Some((index, conflict.clone())),
                Some(Ok(_)) | None => None,
            });
        match Conflicts::new(self.len(), conflicts.collect()) {
            Some(conflicts) => Err(conflicts.into()),
            None => Ok(()),
        }
    }
}

/// What a key is sorted by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Unknown,
    Number(i128),
    Bytes(Vec<u8>),
}

fn rank(value: &Value) -> Rank {
    match value {
        Value::TinyInt(Some(value)) => Rank::Number((*value).into()),
        Value::SmallInt(Some(value)) => Rank::Number((*value).into()),
        Value::Int(Some(value)) => Rank::Number((*value).into()),
        Value::BigInt(Some(value)) => Rank::Number((*value).into()),
        Value::TinyUnsigned(Some(value)) => Rank::Number((*value).into()),
        Value::SmallUnsigned(Some(value)) => Rank::Number((*value).into()),
        Value::Unsigned(Some(value)) => Rank::Number((*value).into()),
        Value::BigUnsigned(Some(value)) => Rank::Number((*value).into()),
        Value::String(Some(value)) => Rank::Bytes(value.clone().into_bytes()),
        Value::Bytes(Some(value)) => Rank::Bytes(value.clone()),
        #[cfg(feature = "with-uuid")]
        Value::Uuid(Some(value)) => Rank::Bytes(value.as_bytes().to_vec()),
        _ => Rank::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_each_type_are_in_the_order_of_their_index() {
        let mut ordered: Vec<[Value; 2]> = vec![
            [9_i8.into(), 10_i8.into()],
            [(-9_i16).into(), 10_i16.into()],
            [9_i32.into(), 10_i32.into()],
            [i64::MIN.into(), 10_i64.into()],
            [9_u8.into(), 10_u8.into()],
            [9_u16.into(), 10_u16.into()],
            [9_u32.into(), 10_u32.into()],
            [i64::MAX.unsigned_abs().into(), u64::MAX.into()],
            ["10".into(), "9".into()],
            ["B".into(), "a".into()],
            [vec![1_u8, 2].into(), vec![2_u8].into()],
        ];
        #[cfg(feature = "with-uuid")]
        ordered.push([9, 10].map(|bits| uuid::Uuid::from_u128(bits).into()));
        for [first, second] in ordered {
            assert!(rank(&first) < rank(&second), "{first:?} and {second:?}");
        }
    }
}
