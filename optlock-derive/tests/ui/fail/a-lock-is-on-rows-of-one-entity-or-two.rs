use optlock::prelude::*;
use sea_orm::QuerySelect;

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

fn of_other_rows() {
    let _ = Entity::find().select_only().column(Column::Id).into_tuple::<i32>().for_update();
}

fn main() {}
