//! The table that the commands are about.

use optlock::prelude::*;
use sea_orm::{QueryOrder, Schema};

use crate::Result;

/// Every column is stored as it is sent.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "item")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    pub(crate) qty: i64,
    pub(crate) note: Option<String>,
    #[version]
    pub(crate) version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

pub(super) async fn create(db: &DatabaseConnection) -> Result<()> {
    let table = Schema::new(db.get_database_backend()).create_table_from_entity(Entity);
    db.execute(&table).await?;
    Ok(())
}

/// Puts these rows in place of all that are there, past the library.
pub(super) async fn replace(db: &DatabaseConnection, rows: impl IntoIterator<Item = &Model>) -> Result<()> {
    db.execute_unprepared("DELETE FROM item").await?;
    let rows = rows.into_iter().map(|row| row.clone().into_active_model().reset_all());
    Entity::insert_many_unchecked(rows).exec_without_returning(db).await?;
    Ok(())
}

/// The whole table.
pub(super) async fn all<C: ConnectionTrait>(db: &C) -> Result<Vec<Model>> {
    Ok(Entity::find().order_by_asc(Column::Id).all(db).await?)
}
