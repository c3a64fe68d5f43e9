//! What a closure has changed in a model.

use sea_orm::{ActiveModelTrait, DbBackend, EntityTrait, Iterable, ModelTrait};

use crate::entity::Versioned;
use crate::error::{Error, Operation};
use crate::update::assignable;

/// The active model in which the columns are `Set` that differ. The key and the version must not.
pub(crate) fn changes<M>(
    before: &M,
    after: &M,
    backend: DbBackend,
) -> Result<<M::Entity as EntityTrait>::ActiveModel, Error>
where
    M: ModelTrait<Entity: Versioned<Model = M>>,
{
    let mut model = M::Entity::into_active_model(before.clone());
    for column in <M::Entity as EntityTrait>::Column::iter() {
        let value = after.get(column);
        if value != before.get(column) {
            assignable::<M::Entity>(backend, column, Operation::Update)?;
            model.try_set(column, value)?;
        }
    }
    Ok(model)
}
