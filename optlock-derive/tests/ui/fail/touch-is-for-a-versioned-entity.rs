use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub stock: i32,
}

impl ActiveModelBehavior for ActiveModel {}

async fn renew(product: Model, db: &DatabaseConnection) {
    let _ = product.into_active_model().touch(db).await;
}

fn main() {}
