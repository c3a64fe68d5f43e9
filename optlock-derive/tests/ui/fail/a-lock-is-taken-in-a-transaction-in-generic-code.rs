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

async fn generic<C: ConnectionTrait>(db: &C) {
    let _ = Entity::find_by_id(7).for_update().one(db).await;
}

async fn called_with_a_pool<T: optlock::OpenTransaction>(txn: &T) {
    let _ = Entity::find_by_id(7).for_update().one(txn).await;
}

async fn caller(db: &DatabaseConnection) {
    called_with_a_pool(db).await;
}

fn main() {}
