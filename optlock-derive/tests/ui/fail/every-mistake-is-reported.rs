use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "product")]
#[optlock(expand)]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[sea_orm(ignore)]
    #[generated]
    pub stock: i32,
    #[version(precision = 7, start = 0)]
    pub version: String,
    #[version]
    pub revision: i64,
    #[sea_orm(version)]
    pub other: i64,
}

impl ActiveModelBehavior for ActiveModel {}

fn main() {}
