#![deny(unused_must_use)]

use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[version]
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

async fn forgetful(product: Model, db: &DatabaseConnection) {
    product.clone().into_active_model().insert(db).await;
    product.clone().into_active_model().update(db).await;
    product.clone().into_active_model().update_without_returning(db).await;
    product.clone().into_active_model().save(db).await;
    product.clone().into_active_model().delete(db).await;
    product.clone().touch(db).await;
    product.delete(db).await;
    Entity::update_many().exec(db).await;
}

fn main() {}
