#![deny(unused_must_use)]

use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[version]
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

fn forgetful(product: ActiveModel) {
    Entity::insert(product.clone());
    Entity::insert_many([product.clone()]);
    Entity::insert(product.clone()).on_conflict_do_nothing();
    Entity::update(product.clone());
    Entity::update_many();
    Entity::delete(product);
}

fn main() {}
