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

async fn write(product: Model, txn: &sea_orm::DatabaseTransaction) -> Result<(), optlock::Error> {
    let Some(locked) = Entity::find_by_id(7).for_update().one(txn).await? else { return Ok(()) };
    let _ = locked.update(|product| product.stock -= 1).await?;
    let _ = product.lock(txn).await?;
    Ok(())
}

fn main() {}
