//! An entity without a version, which rows of `item` belong to.

use optlock::prelude::*;

use super::item;
use crate::case::Outcome;
use crate::context::Context;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    pub(crate) balance: i64,
    pub(crate) item_id: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(belongs_to = "item::Entity", from = "Column::ItemId", to = "item::Column::Id")]
    Item,
}

impl Related<item::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Item.def()
    }
}

impl Related<Entity> for item::Entity {
    fn to() -> RelationDef {
        Relation::Item.def().rev()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// Creates the table with rows 1 to 4, of 100 each; the first belongs to item 1, the second to item 2.
pub(crate) async fn create(context: &Context) -> Outcome {
    context.create(Entity).await?;
    context
        .sql("INSERT INTO account (id, balance, item_id) VALUES (1, 100, 1), (2, 100, 2), (3, 100, NULL), (4, 100, NULL)")
        .await
}
