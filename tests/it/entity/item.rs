//! The plain versioned entity: a key, a text, a number and a version.

use optlock::prelude::*;

use crate::case::Outcome;
use crate::context::Context;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "item")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    #[sea_orm(unique)]
    pub(crate) name: String,
    pub(crate) qty: i64,
    #[version]
    pub(crate) version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// Creates the table with rows 1, 2 and 3, each at version 1.
pub(crate) async fn create(context: &Context) -> Outcome {
    context.create(Entity).await?;
    context
        .sql("INSERT INTO item (id, name, qty, version) VALUES (1, 'a', 10, 1), (2, 'b', 20, 1), (3, 'c', 30, 1)")
        .await
}

/// A row as the case reads it.
pub(crate) async fn load(context: &Context, id: i64) -> Result<Model, Box<dyn std::error::Error + Send + Sync>> {
    Entity::find_by_id(id)
        .one(&context.db)
        .await?
        .ok_or_else(|| format!("item {id} is not there").into())
}

/// A row as it is stored: name, quantity and version.
pub(crate) async fn stored(
    context: &Context,
    id: i64,
) -> Result<(String, i64, i64), Box<dyn std::error::Error + Send + Sync>> {
    let row = context
        .row(&format!("SELECT name, qty, version FROM item WHERE id = {id}"))
        .await?;
    Ok((
        row.try_get_by_index(0)?,
        row.try_get_by_index(1)?,
        row.try_get_by_index(2)?,
    ))
}
