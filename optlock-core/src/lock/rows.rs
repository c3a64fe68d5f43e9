//! Many rows, locked in one order.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;

use sea_orm::sea_query::{IntoValueTuple, ValueTuple};
use sea_orm::{DatabaseTransaction, EntityTrait, ModelTrait, PrimaryKeyTrait, Select};

use super::key_order;
use super::keyed_read::{KeyedRead, LockOrder};
use super::locked::Locked;
use super::select::{LockExt, LockSelect, WaitSaid, for_write};
use crate::entity::table;
use crate::error::{Error, MissingRows};
use crate::lock_mode::LockWait;
use crate::transaction::OpenTransaction;
use crate::value::RowKey;

type Key<E> = <<E as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType;

/// Locks on many rows of an entity by their keys, in an order that is the same for everybody.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use sea_orm::TransactionTrait;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, tea) = fixture::shop().await?;
/// # product::ActiveModel { id: Set(3), name: Set("mug".to_owned()), stock: Set(1), version: NotSet }.insert(&db).await?;
/// let txn = db.begin().await?;
/// let [tea, mug] = product::Entity::lock_all(&txn, [7, 3]).await?.into_array()?;
/// assert_eq!((tea.name.as_str(), mug.name.as_str()), ("tea", "mug"));
///
/// let err = product::Entity::lock_all(&txn, [7, 8, 9]).await?.into_vec().unwrap_err();
/// assert_eq!(err.to_string(), "3 rows of product were wanted, but these are not there: 8, 9");
/// txn.commit().await?;
/// # Ok(())
/// # }
/// ```
pub trait LockRows: EntityTrait {
    /// Locks the rows with these keys `FOR UPDATE`, in the order of the key, so that two callers who want the same rows in
    /// different orders never meet in a deadlock. A key that is named twice counts once. No keys, no SQL.
    ///
    /// The order is that of one call: name all rows of a transaction in it, or use [`lock_in_order`](super::lock_in_order). On MySQL and
    /// MariaDB, a key that is missing locks the gap where it would be, for everybody who asks for it: two who then
    /// insert it meet in a deadlock.
    ///
    /// Another strength, or a bound on the wait: `Entity::find().for_share().wait(limit).all_by_key(txn, keys)`.
    ///
    /// # Errors
    ///
    /// As [`LockSelect::all_by_key`].
    ///
    /// # Cancel safety
    ///
    /// As [`LockSelect::one`].
    fn lock_all<T, I>(txn: &T, keys: I) -> impl Future<Output = Result<LockedRows<'_, Self::Model, T>, Error>> + Send
    where
        T: OpenTransaction,
        I: IntoIterator<Item: Into<Key<Self>>>,
    {
        lock_keys(txn, Self::keys(keys))
    }

    /// The keys of rows that [`lock_in_order`](super::lock_in_order) is to lock `FOR UPDATE` together with rows of other entities. Another strength, or a
    /// bound on the wait: `Entity::find().for_share().wait(limit).keys(keys)`.
    fn keys<I>(keys: I) -> LockKeys<Self>
    where
        I: IntoIterator<Item: Into<Key<Self>>>,
    {
        Self::find().for_update().keys(keys)
    }
}

impl<E: EntityTrait> LockRows for E {}

impl<E: EntityTrait, W> LockSelect<Select<E>, W> {
    /// Locks the rows with these keys that the select matches, in the order of the key: [`LockRows::lock_all`] with a
    /// strength, a wait and filters. The select's own order and limit do not count. After `skip_locked`, a row that
    /// somebody else holds is among the missing ones.
    ///
    /// # Errors
    ///
    /// [`Error::NotLockable`] before any SQL, also for an index hint of the caller's. [`Error::Unsupported`] before any SQL
    /// if the keys are more than one statement takes (8,000 parameters on MySQL and MariaDB, 65,535 on PostgreSQL), and are not integers or bytes,
    /// whose order is the same here and on the server, or are composite on MySQL and MariaDB. [`Error::Lock`]; [`Error::Database`].
    ///
    /// # Cancel safety
    ///
    /// As [`one`](Self::one).
    pub fn all_by_key<T, I>(
        self,
        txn: &T,
        keys: I,
    ) -> impl Future<Output = Result<LockedRows<'_, E::Model, T>, Error>> + Send
    where
        T: OpenTransaction,
        I: IntoIterator<Item: Into<Key<E>>>,
    {
        lock_keys(txn, self.keys(keys))
    }

    /// The keys of rows that [`lock_in_order`](super::lock_in_order) is to lock in this way, together with rows of other entities.
    pub fn keys<I>(self, keys: I) -> LockKeys<E>
    where
        I: IntoIterator<Item: Into<Key<E>>>,
    {
        let mut seen = HashSet::new();
        let keys = keys.into_iter().map(|key| key.into().into_value_tuple());
        LockKeys {
            select: self.said(),
            keys: keys.filter(|key| seen.insert(key.clone())).collect(),
        }
    }
}

/// The keys of rows that are to be locked, and how, made by [`LockRows::keys`] and [`LockSelect::keys`].
#[derive(Clone, Debug)]
#[must_use = "keys lock nothing until they are given to `lock_in_order`"]
pub struct LockKeys<E: EntityTrait> {
    select: LockSelect<Select<E>, WaitSaid>,
    /// In the caller's order, each once.
    keys: Vec<ValueTuple>,
}

/// Rows that were locked by their keys, and the keys that have no row.
///
/// There are three ways on, none of which leaves a missing row unnoticed: [`into_vec`](Self::into_vec),
/// [`into_array`](Self::into_array) and [`into_parts`](Self::into_parts).
#[must_use = "some rows may be missing"]
pub struct LockedRows<'t, M: ModelTrait, T = DatabaseTransaction> {
    rows: Vec<Locked<'t, M, T>>,
    missing: Vec<RowKey>,
}

impl<'t, M: ModelTrait, T: OpenTransaction> LockedRows<'t, M, T> {
    /// All rows, in the caller's order.
    ///
    /// # Errors
    ///
    /// [`Error::MissingRows`], which names the keys that have no row.
    pub fn into_vec(self) -> Result<Vec<Locked<'t, M, T>>, Error> {
        if self.missing.is_empty() {
            return Ok(self.rows);
        }
        let wanted = self.rows.len() + self.missing.len();
        Err(self.incomplete(wanted))
    }

    /// So many rows, in the caller's order.
    ///
    /// # Errors
    ///
    /// [`Error::MissingRows`] if there are fewer or more, because some are missing or a key was named twice.
    pub fn into_array<const N: usize>(self) -> Result<[Locked<'t, M, T>; N], Error> {
        if !self.missing.is_empty() {
            return Err(self.incomplete(N));
        }
        let Self { rows, missing } = self;
        rows.try_into().map_err(|rows| Self { rows, missing }.incomplete(N))
    }

    /// The rows that are there, and the keys that have none, both in the caller's order.
    pub fn into_parts(self) -> (Vec<Locked<'t, M, T>>, Vec<RowKey>) {
        (self.rows, self.missing)
    }

    fn incomplete(self, wanted: usize) -> Error {
        MissingRows::new(table::<M::Entity>(), wanted, self.rows.len(), self.missing).into()
    }
}

impl<M: ModelTrait, T> Default for LockedRows<'_, M, T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            missing: Vec::new(),
        }
    }
}

impl<M: ModelTrait, T> fmt::Debug for LockedRows<'_, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedRows")
            .field("rows", &self.rows)
            .field("missing", &self.missing)
            .finish()
    }
}

/// What a key stands for.
#[derive(Debug)]
pub(crate) enum Held<M> {
    /// A row, which is locked now.
    Row(M),
    /// So many rows, of which this is one; all are locked.
    Several(M, u64),
    /// None.
    Missing,
    /// A row that an earlier key stands for, too: the server takes the two for one.
    Twice,
}

/// Locks rows by key. Each statement locks in the order of the key, and so do the statements among themselves.
pub(super) async fn lock_keys<E, T>(txn: &T, keys: LockKeys<E>) -> Result<LockedRows<'_, E::Model, T>, Error>
where
    E: EntityTrait,
    T: OpenTransaction,
{
    let LockKeys { select, keys } = keys;
    let held = read::<E, T>(txn, select, &keys, LockOrder::Everybodys).await?;
    let mut locked = LockedRows::default();
    for (key, held) in keys.into_iter().zip(held) {
        match held {
            Held::Row(model) | Held::Several(model, _) => locked.rows.push(Locked::new(model, txn)),
            Held::Twice => {}
            Held::Missing => locked.missing.push(RowKey::new(key)),
        }
    }
    Ok(locked)
}

/// Locks rows for a write that leaves their keys alone, and says of each key, in the caller's order, what it stands for. Where more keys than one statement
/// takes are of a type that only the server can sort, several callers can meet in a deadlock.
pub(crate) async fn lock_each<E, T>(txn: &T, wait: LockWait, keys: &[ValueTuple]) -> Result<Vec<Held<E::Model>>, Error>
where
    E: EntityTrait,
    T: OpenTransaction,
{
    let select = for_write(E::find(), txn.get_database_backend(), wait);
    read::<E, T>(txn, select, keys, LockOrder::AsFarAsKnown).await
}

async fn read<E, T>(
    txn: &T,
    select: LockSelect<Select<E>, WaitSaid>,
    keys: &[ValueTuple],
    order: LockOrder,
) -> Result<Vec<Held<E::Model>>, Error>
where
    E: EntityTrait,
    T: OpenTransaction,
{
    let read = KeyedRead::<E, T>::new(txn, select)?;
    let mut found = HashMap::new();
    for chunk in read.chunks(keys.to_vec(), order)? {
        found.extend(read.rows(&chunk).await?);
    }
    let mut rows: Vec<_> = keys.iter().map(|key| found.remove(key)).collect();
    let mut duplicates = HashSet::new();
    if !found.is_empty() || keys.iter().any(key_order::is_spelled) {
        duplicates = read.other_spellings(keys, &mut rows).await?;
    }
    let held = keys.iter().zip(rows).map(|(key, row)| match row {
        Some((model, 1)) => Held::Row(model),
        Some((model, several)) => Held::Several(model, several),
        None if duplicates.contains(key) => Held::Twice,
        None => Held::Missing,
    });
    Ok(held.collect())
}
