//! What the methods that the derive generates do: SeaORM's hooks around a checked write.

#![allow(
    clippy::missing_errors_doc,
    reason = "users meet these as methods, which the derive documents"
)]

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ConnectionTrait, DeleteResult, EntityTrait, Iterable, PrimaryKeyToColumn,
    UpdateResult,
};

use crate::delete::DeleteOne;
use crate::entity::Versioned;
use crate::error::Error;
use crate::insert::Insert;
use crate::insert_many::InsertMany;
use crate::update::UpdateOne;
use crate::update_many::UpdateMany;

type ActiveModel<E> = <E as EntityTrait>::ActiveModel;

/// `ActiveModel::insert`.
pub async fn insert<E, C>(model: ActiveModel<E>, db: &C) -> Result<E::Model, Error>
where
    E: Versioned,
    C: ConnectionTrait,
{
    let model = model.before_save(db, true).await?;
    let inserted = insert_one::<E>(model).exec_with_returning(db).await?;
    Ok(ActiveModel::<E>::after_save(inserted, db, true).await?)
}

/// `ActiveModel::update`.
pub async fn update<E, C>(model: ActiveModel<E>, db: &C) -> Result<E::Model, Error>
where
    E: Versioned,
    C: ConnectionTrait,
{
    let model = model.before_save(db, false).await?;
    let updated = update_one::<E>(model).exec(db).await?;
    Ok(ActiveModel::<E>::after_save(updated, db, false).await?)
}

/// `ActiveModel::touch` and `Model::touch`.
pub async fn touch<E, C>(model: ActiveModel<E>, db: &C) -> Result<E::Model, Error>
where
    E: Versioned,
    C: ConnectionTrait,
{
    let model = model.before_save(db, false).await?;
    let touched = UpdateOne::<E>::touch(model).exec(db).await?;
    Ok(ActiveModel::<E>::after_save(touched, db, false).await?)
}

/// `ActiveModel::update_without_returning`.
pub async fn update_without_returning<E, C>(model: ActiveModel<E>, db: &C) -> Result<UpdateResult, Error>
where
    E: Versioned,
    C: ConnectionTrait,
{
    let model = model.before_save(db, false).await?;
    update_one::<E>(model).exec_without_returning(db).await
}

/// `ActiveModel::save`.
pub async fn save<E, C>(model: ActiveModel<E>, db: &C) -> Result<ActiveModel<E>, Error>
where
    E: Versioned,
    C: ConnectionTrait,
{
    // SeaORM's rule: a row whose key is set is an existing one.
    let has_key = E::PrimaryKey::iter().all(|key| !model.get(key.into_column()).is_not_set());
    let saved = if has_key {
        update::<E, C>(model, db).await?
    } else {
        insert::<E, C>(model, db).await?
    };
    Ok(E::into_active_model(saved))
}

/// `ActiveModel::delete` and `Model::delete`.
pub async fn delete<E, C>(model: ActiveModel<E>, db: &C) -> Result<DeleteResult, Error>
where
    E: Versioned,
    C: ConnectionTrait,
{
    let model = model.before_delete(db).await?;
    let result = delete_one::<E>(model.clone()).exec(db).await?;
    model.after_delete(db).await?;
    Ok(result)
}

/// `Entity::insert`.
pub fn insert_one<E: Versioned>(model: ActiveModel<E>) -> Insert<E> {
    Insert::new(model)
}

/// `Entity::insert_many`.
pub fn insert_many<E, I, A>(models: I) -> InsertMany<E>
where
    E: Versioned,
    I: IntoIterator<Item = A>,
    A: Into<ActiveModel<E>>,
{
    InsertMany::new(models.into_iter().map(Into::into))
}

/// `Entity::update`.
pub fn update_one<E: Versioned>(model: ActiveModel<E>) -> UpdateOne<E> {
    UpdateOne::new(model)
}

/// `Entity::update_many`.
pub fn update_many<E: Versioned>() -> UpdateMany<E> {
    UpdateMany::new()
}

/// `Entity::delete`.
pub fn delete_one<E: Versioned>(model: ActiveModel<E>) -> DeleteOne<E> {
    DeleteOne::new(model)
}
