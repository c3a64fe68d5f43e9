//! Read, change, write: as one call.

mod group;
mod heat;
mod known;
mod many;
mod part;
mod policy;
mod round;
mod rounds;
mod turn;
mod within;
mod writers;

use std::future::Future;

use sea_orm::sea_query::{IntoValueTuple, ValueTuple};
use sea_orm::{FromQueryResult, ModelTrait};

use round::{Key, Target};
use rounds::Base;

use crate::entity::Versioned;
use crate::error::Error;
use crate::place::{ModifyIn, Place};
use crate::policy::Policy;

/// Read, change and write a row as one call: `AtomicU64::fetch_update` for a row.
///
/// A closure is applied to the row as it is now, and the columns that it changes are written, if the row has not changed meanwhile. If it
/// has, the closure runs again, on the row that won. A closure that changes nothing writes nothing. It cannot change the key or the
/// version ([`Error::Unsupported`], [`Error::VersionAssigned`], before any SQL). SeaORM's save hooks run in every round.
///
/// On a connection, callers of this process who want the same row come one after another, a conflict with somebody else is retried by the default policy
/// ([`Policy::modify`] takes another one), and a row with so many writers that rounds are lost in a row is locked first, so that everybody gets through. None of this changes what is
/// correct: the version in the write's condition does that. In a transaction of the caller's, the row is locked
/// first (but not for a model in hand, whose version is checked), and nothing is retried: only the whole transaction could be.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use optlock::Error;
///
/// #[derive(Debug, thiserror::Error)]
/// enum ShopError {
///     #[error("only {0} left")]
///     SoldOut(i32),
///     #[error(transparent)]
///     Store(#[from] Error),
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// let tea = product::Entity::modify(&db, 7, |tea| tea.stock -= 2).await?;
/// assert_eq!((tea.stock, tea.version), (1, 2));
///
/// // A closure that may refuse stops at once, with its own error.
/// let refused = product::Entity::try_modify(&db, 7, |tea| {
///     if tea.stock < 2 {
///         return Err(ShopError::SoldOut(tea.stock));
///     }
///     tea.stock -= 2;
///     Ok(())
/// });
/// assert!(matches!(refused.await, Err(ShopError::SoldOut(1))));
///
/// // A row that may not be there is inserted, and by one caller only.
/// let mug = || product::ActiveModel { name: Set("mug".to_owned()), stock: Set(1), ..Default::default() };
/// for stock in [1, 2] {
///     let mug = product::Entity::modify_or_insert(&db, 8, mug, |mug| mug.stock += 1).await?;
///     assert_eq!((mug.id, mug.stock), (8, stock));
/// }
/// # Ok(())
/// # }
/// ```
pub trait Modify: Versioned {
    /// Changes the row with this key, and returns it as it was stored.
    ///
    /// # Errors
    ///
    /// [`Error::MissingRows`] if it is not there; [`Error::Conflict`] at once if somebody deletes it meanwhile or something in the database holds the
    /// write back, or in a transaction, and otherwise once the policy has stopped; what `ActiveModel::update` returns. An error of `after_save` on a connection
    /// comes when the row is stored: it is returned at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the row as it was or changed in full; which of the two is not known, unless it is part of a
    /// transaction, which is then rolled back as always.
    fn modify<C, K>(
        db: &C,
        key: K,
        change: impl FnMut(&mut Self::Model) + Send,
    ) -> impl Future<Output = Result<Self::Model, Error>> + Send
    where
        C: ModifyIn,
        K: Into<Key<Self>> + Send,
    {
        Self::try_modify(db, key, infallible(change))
    }

    /// [`modify`](Self::modify) with a closure that may refuse: its error is returned at once, and nothing is written.
    ///
    /// # Errors
    ///
    /// The closure's own; otherwise as [`modify`](Self::modify).
    ///
    /// # Cancel safety
    ///
    /// As [`modify`](Self::modify).
    fn try_modify<C, K, E>(
        db: &C,
        key: K,
        change: impl FnMut(&mut Self::Model) -> Result<(), E> + Send,
    ) -> impl Future<Output = Result<Self::Model, E>> + Send
    where
        C: ModifyIn,
        K: Into<Key<Self>> + Send,
        E: From<Error> + Send,
    {
        let target = Target::new::<Self>(key);
        async move {
            match db.place() {
                Place::Connection(db) => {
                    rounds::on_connection::<Self, E>(&Policy::new(), db, &target, Base::Key, None, change).await
                }
                Place::Transaction(txn) => {
                    within::in_transaction::<Self, E, _>(txn, &target, Base::Key, None, change).await
                }
            }
        }
    }

    /// [`modify`](Self::modify), but if there is no row with this key, inserts the one that `new` returns, as it is. Of several callers at once, one
    /// inserts it, and the others change it. `new` need not set the key.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] before any SQL that writes, if `new` sets another key; [`Error::Database`] if the new row meets another unique constraint, and in a
    /// transaction above READ COMMITTED on PostgreSQL if somebody else inserts it meanwhile, which its snapshot does not show; otherwise as
    /// [`modify`](Self::modify).
    ///
    /// # Cancel safety
    ///
    /// As [`modify`](Self::modify).
    fn modify_or_insert<C, K>(
        db: &C,
        key: K,
        new: impl FnMut() -> Self::ActiveModel + Send,
        change: impl FnMut(&mut Self::Model) + Send,
    ) -> impl Future<Output = Result<Self::Model, Error>> + Send
    where
        C: ModifyIn,
        K: Into<Key<Self>> + Send,
    {
        Self::try_modify_or_insert(db, key, new, infallible(change))
    }

    /// [`modify_or_insert`](Self::modify_or_insert) with a closure that may refuse to change a row.
    ///
    /// # Errors
    ///
    /// The closure's own; otherwise as [`modify_or_insert`](Self::modify_or_insert).
    ///
    /// # Cancel safety
    ///
    /// As [`modify`](Self::modify).
    fn try_modify_or_insert<C, K, E>(
        db: &C,
        key: K,
        mut new: impl FnMut() -> Self::ActiveModel + Send,
        change: impl FnMut(&mut Self::Model) -> Result<(), E> + Send,
    ) -> impl Future<Output = Result<Self::Model, E>> + Send
    where
        C: ModifyIn,
        K: Into<Key<Self>> + Send,
        E: From<Error> + Send,
    {
        let target = Target::new::<Self>(key);
        async move {
            match db.place() {
                Place::Connection(db) => {
                    let policy = &Policy::new();
                    rounds::on_connection::<Self, E>(policy, db, &target, Base::Key, Some(&mut new), change).await
                }
                Place::Transaction(txn) => {
                    within::in_transaction::<Self, E, _>(txn, &target, Base::Key, Some(&mut new), change).await
                }
            }
        }
    }

    /// Changes the rows with these keys, all of them or none, and returns them in the caller's order, each once. They are locked in the order of
    /// their keys, so that two callers never meet in a deadlock. No keys, no SQL.
    ///
    /// # Errors
    ///
    /// [`Error::MissingRows`], which names the keys that have no row; otherwise as [`LockSelect::all_by_key`](crate::LockSelect::all_by_key) and
    /// `ActiveModel::update`.
    ///
    /// # Cancel safety
    ///
    /// As [`modify`](Self::modify).
    fn modify_all<C, I>(
        db: &C,
        keys: I,
        change: impl FnMut(&mut Self::Model) + Send,
    ) -> impl Future<Output = Result<Vec<Self::Model>, Error>> + Send
    where
        C: ModifyIn,
        I: IntoIterator<Item: Into<Key<Self>>>,
    {
        Self::try_modify_all(db, keys, infallible(change))
    }

    /// [`modify_all`](Self::modify_all) with a closure that may refuse: then none of the rows is changed.
    ///
    /// # Errors
    ///
    /// The closure's own, at once; otherwise as [`modify_all`](Self::modify_all).
    ///
    /// # Cancel safety
    ///
    /// As [`modify`](Self::modify).
    fn try_modify_all<C, I, E>(
        db: &C,
        keys: I,
        change: impl FnMut(&mut Self::Model) -> Result<(), E> + Send,
    ) -> impl Future<Output = Result<Vec<Self::Model>, E>> + Send
    where
        C: ModifyIn,
        I: IntoIterator<Item: Into<Key<Self>>>,
        E: From<Error> + Send,
    {
        let keys = values::<Self, I>(keys);
        async move {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            match db.place() {
                Place::Connection(db) => many::on_connection::<Self, E>(&Policy::new(), db, &keys, change).await,
                Place::Transaction(txn) => many::in_transaction::<Self, E>(txn, &keys, change).await,
            }
        }
    }
}

impl<E: Versioned> Modify for E {}

/// [`Modify`] for a model that was read before: the first round needs no read.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, tea) = fixture::shop().await?;
/// let stale = tea.clone();
/// tea.modify(&db, |tea| tea.stock -= 1).await?;
/// let tea = stale.modify(&db, |tea| tea.stock -= 1).await?; // again, on the row that won
/// assert_eq!((tea.stock, tea.version), (1, 3));
/// # Ok(())
/// # }
/// ```
pub trait ModifyModel: ModelTrait<Entity: Versioned<Model = Self>> + FromQueryResult {
    /// Changes the row of this model, beginning with the model as it is. In a transaction of the caller's a stale model is a conflict.
    ///
    /// # Errors
    ///
    /// As [`Modify::modify`].
    ///
    /// # Cancel safety
    ///
    /// As [`Modify::modify`].
    fn modify<C: ModifyIn>(
        self,
        db: &C,
        change: impl FnMut(&mut Self) + Send,
    ) -> impl Future<Output = Result<Self, Error>> + Send {
        self.try_modify(db, infallible(change))
    }

    /// [`modify`](Self::modify) with a closure that may refuse.
    ///
    /// # Errors
    ///
    /// As [`Modify::try_modify`].
    ///
    /// # Cancel safety
    ///
    /// As [`Modify::modify`].
    fn try_modify<C, E>(
        self,
        db: &C,
        change: impl FnMut(&mut Self) -> Result<(), E> + Send,
    ) -> impl Future<Output = Result<Self, E>> + Send
    where
        C: ModifyIn,
        E: From<Error> + Send,
    {
        async move {
            let target = Target {
                key: self.get_primary_key_value(),
            };
            let base = Base::InHand(self);
            match db.place() {
                Place::Connection(db) => {
                    rounds::on_connection::<Self::Entity, E>(&Policy::new(), db, &target, base, None, change).await
                }
                Place::Transaction(txn) => {
                    within::in_transaction::<Self::Entity, E, _>(txn, &target, base, None, change).await
                }
            }
        }
    }
}

impl<M> ModifyModel for M where M: ModelTrait<Entity: Versioned<Model = M>> + FromQueryResult {}

/// A closure that cannot refuse, as one that can.
fn infallible<M>(mut change: impl FnMut(&mut M) + Send) -> impl FnMut(&mut M) -> Result<(), Error> + Send {
    move |model| {
        change(model);
        Ok(())
    }
}

fn values<E, I>(keys: I) -> Vec<ValueTuple>
where
    E: Versioned,
    I: IntoIterator<Item: Into<Key<E>>>,
{
    keys.into_iter().map(|key| key.into().into_value_tuple()).collect()
}
