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

use optlock::{Error, Locked};
use sea_orm::TransactionTrait;

async fn from_a_function(db: &DatabaseConnection) -> Result<Option<Locked<'static, Model>>, Error> {
    let txn = db.begin().await?;
    Entity::find_by_id(7).for_update().one(&txn).await
}

async fn from_a_closure(db: &DatabaseConnection) {
    let _ = db
        .transaction(|txn| Box::pin(async move { Entity::find_by_id(7).for_update().one(txn).await }))
        .await;
}

fn main() {}
