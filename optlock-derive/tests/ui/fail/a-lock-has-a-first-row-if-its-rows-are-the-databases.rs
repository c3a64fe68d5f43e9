use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub stock: i32,
    #[version]
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Related<Entity> for Entity {
    fn to() -> RelationDef {
        Entity::belongs_to(Entity).from(Column::Stock).to(Column::Id).into()
    }
}

async fn one_of_several(txn: &sea_orm::DatabaseTransaction) {
    let _ = Entity::find().find_with_related(Entity).for_update().one(txn).await;
}

fn main() {}
