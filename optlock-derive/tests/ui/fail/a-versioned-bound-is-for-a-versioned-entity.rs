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

fn current<E: optlock::Versioned>(_: E) {}

fn main() {
    current(Entity);
}
