use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "product")]
#[optlock]
#[optlock(crate)]
#[optlock(crate = "not a path")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[version]
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

fn main() {}
