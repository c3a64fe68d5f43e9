//! One row for each unit that is for sale.

#![allow(unreachable_pub)] // The macros want it so.

use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "token")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub buyer: Option<i32>,
    #[version]
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}
