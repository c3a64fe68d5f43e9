//! The rows that both clients want.

use optlock::prelude::*;
use sea_orm::{ConnectionTrait, QueryOrder as _};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "item")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    pub(crate) qty: i64,
    #[version]
    pub(crate) version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// Rows 1 and 2.
pub(crate) async fn pair<C: ConnectionTrait>(db: &C) -> Result<[Model; 2], DbErr> {
    let rows = Entity::find().order_by_asc(Column::Id).all(db).await?;
    rows.try_into()
        .map_err(|rows: Vec<_>| DbErr::RecordNotFound(format!("one of {rows:?}")))
}
