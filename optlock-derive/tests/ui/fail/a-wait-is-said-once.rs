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

fn contradictions() {
    let _ = Entity::find().for_update().nowait().skip_locked();
    let _ = Entity::find().for_update().skip_locked().nowait();
    let _ = Entity::find().for_update().wait(std::time::Duration::from_secs(1)).nowait();
    let _ = Entity::find().for_update().nowait().of(Entity).wait(std::time::Duration::from_secs(1));
}

fn main() {}
