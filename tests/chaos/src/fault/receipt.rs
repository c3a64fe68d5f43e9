//! Keys that are the same in every attempt at one call.

use optlock::prelude::*;
use sea_orm::Schema;

use crate::Result;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "receipt")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    pub(crate) writer: i64,
}

impl ActiveModelBehavior for ActiveModel {}

pub(super) async fn create(db: &DatabaseConnection) -> Result<()> {
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(Entity)).await?;
    Ok(())
}
