//! The same by a policy.

use sea_orm::{DatabaseConnection, ModelTrait};

use super::round::{Key, Target};
use super::rounds::{self, Base};
use super::{infallible, many, values};
use crate::entity::Versioned;
use crate::error::Error;
use crate::policy::Policy;

impl Policy<'_> {
    /// [`Modify::modify`](crate::Modify::modify) by this policy.
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # use fixture::product;
    /// use optlock::Policy;
    ///
    /// const CHECKOUT: Policy = Policy::new().attempts(20);
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, _) = fixture::shop().await?;
    /// let tea = CHECKOUT.modify(product::Entity, &db, 7, |tea| tea.stock -= 2).await?;
    /// assert_eq!(tea.stock, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Modify::modify`](crate::Modify::modify).
    ///
    /// # Cancel safety
    ///
    /// As [`Modify::modify`](crate::Modify::modify).
    pub async fn modify<E: Versioned>(
        self,
        entity: E,
        db: &DatabaseConnection,
        key: impl Into<Key<E>>,
        change: impl FnMut(&mut E::Model) + Send,
    ) -> Result<E::Model, Error> {
        self.try_modify(entity, db, key, infallible(change)).await
    }

    /// [`Modify::try_modify`](crate::Modify::try_modify) by this policy.
    ///
    /// # Errors
    ///
    /// As [`Modify::try_modify`](crate::Modify::try_modify).
    ///
    /// # Cancel safety
    ///
    /// As [`Modify::modify`](crate::Modify::modify).
    pub async fn try_modify<En: Versioned, E: From<Error> + Send>(
        self,
        _: En,
        db: &DatabaseConnection,
        key: impl Into<Key<En>>,
        change: impl FnMut(&mut En::Model) -> Result<(), E> + Send,
    ) -> Result<En::Model, E> {
        let target = Target::new::<En>(key);
        rounds::on_connection::<En, E>(&self, db, &target, Base::Key, None, change).await
    }

    /// [`Modify::modify_or_insert`](crate::Modify::modify_or_insert) by this policy.
    ///
    /// # Errors
    ///
    /// As [`Modify::modify_or_insert`](crate::Modify::modify_or_insert).
    ///
    /// # Cancel safety
    ///
    /// As [`Modify::modify`](crate::Modify::modify).
    pub async fn modify_or_insert<E: Versioned>(
        self,
        entity: E,
        db: &DatabaseConnection,
        key: impl Into<Key<E>>,
        new: impl FnMut() -> E::ActiveModel + Send,
        change: impl FnMut(&mut E::Model) + Send,
    ) -> Result<E::Model, Error> {
        self.try_modify_or_insert(entity, db, key, new, infallible(change))
            .await
    }

    /// [`Modify::try_modify_or_insert`](crate::Modify::try_modify_or_insert) by this policy.
    ///
    /// # Errors
    ///
    /// As [`Modify::try_modify_or_insert`](crate::Modify::try_modify_or_insert).
    ///
    /// # Cancel safety
    ///
    /// As [`Modify::modify`](crate::Modify::modify).
    pub async fn try_modify_or_insert<En: Versioned, E: From<Error> + Send>(
        self,
        _: En,
        db: &DatabaseConnection,
        key: impl Into<Key<En>>,
        mut new: impl FnMut() -> En::ActiveModel + Send,
        change: impl FnMut(&mut En::Model) -> Result<(), E> + Send,
    ) -> Result<En::Model, E> {
        let target = Target::new::<En>(key);
        rounds::on_connection::<En, E>(&self, db, &target, Base::Key, Some(&mut new), change).await
    }

    /// [`Modify::modify_all`](crate::Modify::modify_all) by this policy.
    ///
    /// # Errors
    ///
    /// As [`Modify::modify_all`](crate::Modify::modify_all).
    ///
    /// # Cancel safety
    ///
    /// As [`Modify::modify`](crate::Modify::modify).
    pub async fn modify_all<E: Versioned>(
        self,
        entity: E,
        db: &DatabaseConnection,
        keys: impl IntoIterator<Item: Into<Key<E>>>,
        change: impl FnMut(&mut E::Model) + Send,
    ) -> Result<Vec<E::Model>, Error> {
        self.try_modify_all(entity, db, keys, infallible(change)).await
    }

    /// [`Modify::try_modify_all`](crate::Modify::try_modify_all) by this policy.
    ///
    /// # Errors
    ///
    /// As [`Modify::try_modify_all`](crate::Modify::try_modify_all).
    ///
    /// # Cancel safety
    ///
    /// As [`Modify::modify`](crate::Modify::modify).
    pub async fn try_modify_all<En: Versioned, E: From<Error> + Send>(
        self,
        _: En,
        db: &DatabaseConnection,
        keys: impl IntoIterator<Item: Into<Key<En>>>,
        change: impl FnMut(&mut En::Model) -> Result<(), E> + Send,
    ) -> Result<Vec<En::Model>, E> {
        let keys = values::<En, _>(keys);
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        many::on_connection::<En, E>(&self, db, &keys, change).await
    }

    /// [`ModifyModel::modify`](crate::ModifyModel::modify) by this policy.
    ///
    /// # Errors
    ///
    /// As [`Modify::modify`](crate::Modify::modify).
    ///
    /// # Cancel safety
    ///
    /// As [`Modify::modify`](crate::Modify::modify).
    pub async fn modify_model<M>(
        self,
        model: M,
        db: &DatabaseConnection,
        change: impl FnMut(&mut M) + Send,
    ) -> Result<M, Error>
    where
        M: ModelTrait<Entity: Versioned<Model = M>>,
    {
        self.try_modify_model(model, db, infallible(change)).await
    }

    /// [`ModifyModel::try_modify`](crate::ModifyModel::try_modify) by this policy.
    ///
    /// # Errors
    ///
    /// As [`Modify::try_modify`](crate::Modify::try_modify).
    ///
    /// # Cancel safety
    ///
    /// As [`Modify::modify`](crate::Modify::modify).
    pub async fn try_modify_model<M, E>(
        self,
        model: M,
        db: &DatabaseConnection,
        change: impl FnMut(&mut M) -> Result<(), E> + Send,
    ) -> Result<M, E>
    where
        M: ModelTrait<Entity: Versioned<Model = M>>,
        E: From<Error> + Send,
    {
        let target = Target {
            key: model.get_primary_key_value(),
        };
        rounds::on_connection::<M::Entity, E>(&self, db, &target, Base::InHand(model), None, change).await
    }
}
