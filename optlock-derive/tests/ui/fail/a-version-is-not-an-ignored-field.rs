use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub stock: i32,
    #[sea_orm(ignore)]
    #[version]
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

fn main() {}
