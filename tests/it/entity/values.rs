//! An entity with a column of every type that the drivers share, and all of them again as ones that may be NULL.

use optlock::prelude::*;

pub(crate) use super::keys::{Level, Shade};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "value")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    pub(crate) flag: bool,
    pub(crate) small: i16,
    pub(crate) number: i32,
    pub(crate) large: i64,
    pub(crate) ratio: f32,
    pub(crate) exact: f64,
    #[sea_orm(column_type = "String(StringLen::N(200))")]
    pub(crate) name: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) text: String,
    #[sea_orm(column_type = "VarBinary(StringLen::N(200))")]
    pub(crate) bytes: Vec<u8>,
    pub(crate) token: Uuid,
    #[sea_orm(column_type = "Decimal(Some((30, 10)))")]
    pub(crate) price: Decimal,
    pub(crate) document: Json,
    pub(crate) day: Date,
    pub(crate) at: Time,
    pub(crate) shade: Shade,
    pub(crate) level: Level,
    pub(crate) maybe_flag: Option<bool>,
    pub(crate) maybe_number: Option<i32>,
    pub(crate) maybe_large: Option<i64>,
    pub(crate) maybe_exact: Option<f64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) maybe_text: Option<String>,
    #[sea_orm(column_type = "VarBinary(StringLen::N(200))", nullable)]
    pub(crate) maybe_bytes: Option<Vec<u8>>,
    pub(crate) maybe_token: Option<Uuid>,
    #[sea_orm(column_type = "Decimal(Some((30, 10)))", nullable)]
    pub(crate) maybe_price: Option<Decimal>,
    pub(crate) maybe_document: Option<Json>,
    pub(crate) maybe_moment: Option<DateTime>,
    pub(crate) maybe_day: Option<Date>,
    pub(crate) maybe_shade: Option<Shade>,
    #[version]
    pub(crate) version: i64,
}

impl ActiveModelBehavior for ActiveModel {}
