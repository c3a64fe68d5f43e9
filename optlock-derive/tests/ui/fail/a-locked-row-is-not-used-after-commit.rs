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

async fn after_commit(db: &DatabaseConnection) -> Result<(), optlock::Error> {
    use sea_orm::TransactionTrait;

    let txn = db.begin().await?;
    let Some(product) = Entity::find_by_id(7).for_update().one(&txn).await? else { return Ok(()) };
    txn.commit().await?;
    let _ = product.update(|product| product.stock -= 1).await?;
    Ok(())
}

fn main() {}
