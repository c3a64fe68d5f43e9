use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[version]
    pub version: bool,
}

impl ActiveModelBehavior for ActiveModel {}

fn main() {}
