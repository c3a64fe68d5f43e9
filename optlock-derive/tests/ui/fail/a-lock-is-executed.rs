#![deny(unused_must_use)]

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

async fn forgetful(txn: &sea_orm::DatabaseTransaction) -> Result<(), optlock::Error> {
    Entity::find_by_id(7).for_update();
    Entity::find_by_id(7).for_update().nowait().one(txn);
    Entity::lock_all(txn, [7, 3]).await?;
    Entity::keys([7]);
    Ok(())
}

fn main() {}
