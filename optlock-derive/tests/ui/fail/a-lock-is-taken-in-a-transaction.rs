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

async fn on_a_pool(product: Model, db: &DatabaseConnection) {
    let _ = Entity::find_by_id(7).for_update().one(db).await;
    let _ = Entity::find().for_share().nowait().all(db).await;
    let _ = Entity::lock_all(db, [7, 3]).await;
    let _ = product.lock(db).await;
}

fn main() {}
