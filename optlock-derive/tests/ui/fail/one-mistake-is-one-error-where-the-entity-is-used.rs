use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub stock: i32,
    #[version]
    pub version: String,
}

impl ActiveModelBehavior for ActiveModel {}

async fn write(product: Model, db: &DatabaseConnection) -> Result<(), optlock::Error> {
    let product = product.touch(db).await?;
    let mut changed = product.into_active_model();
    changed.stock = Set(1);
    let product = Entity::update(changed.clone()).filter(Column::Stock.gt(0)).exec(db).await?;
    changed.update(db).await?;
    product.delete(db).await?;
    Ok(())
}

fn main() {}
