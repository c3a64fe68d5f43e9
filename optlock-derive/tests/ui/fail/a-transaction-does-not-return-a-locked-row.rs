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

async fn keep(db: &DatabaseConnection) -> Result<i32, optlock::Error> {
    let row = optlock::transaction(db, |txn| async move {
        let row = Entity::find_by_id(7).for_update().one(&txn).await?;
        Ok::<_, optlock::Error>(row)
    });
    Ok(row.await?.map_or(0, |row| row.stock))
}

fn main() {}
