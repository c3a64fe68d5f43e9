//! An entity with a column that servers round.

use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "priced")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    #[sea_orm(column_type = "Decimal(Some((10, 2)))")]
    pub(crate) price: Decimal,
    pub(crate) qty: i64,
    #[version]
    pub(crate) version: i64,
}

impl ActiveModelBehavior for ActiveModel {}
