//! The rows that clients change: a quantity, and the token of whoever wrote it last.

use optlock::prelude::*;
use optlock_history::{Id, Key, Seen};
use sea_orm::Schema;

use crate::Result;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "account")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    pub(crate) qty: i64,
    /// 0 for nobody.
    pub(crate) writer: i64,
    #[version]
    pub(crate) version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The row as its reader saw it.
    pub(crate) fn seen(&self) -> Seen {
        let writer = u64::try_from(self.writer).ok().filter(|writer| *writer != 0);
        Seen {
            version: self.version,
            writer: writer.map(Id),
        }
    }
}

/// The token of an attempt, as it is stored.
pub(crate) fn token(id: Id) -> i64 {
    i64::try_from(id.0).expect("ids are small")
}

/// Creates the table with this many rows at version 1, with keys from 1 on.
pub(crate) async fn create(db: &DatabaseConnection, rows: i64, qty: i64) -> Result<()> {
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(Entity)).await?;
    let values: Vec<_> = (1..=rows).map(|id| format!("({id}, {qty}, 0, 1)")).collect();
    let insert = format!(
        "INSERT INTO account (id, qty, writer, version) VALUES {}",
        values.join(", ")
    );
    db.execute_unprepared(&insert).await?;
    Ok(())
}

/// All rows, as they are.
pub(crate) async fn all(db: &DatabaseConnection) -> Result<Vec<Model>> {
    Ok(Entity::find().order_by_id_asc().all(db).await?)
}

/// What a history begins or ends with.
pub(crate) fn seen(rows: &[Model]) -> std::collections::BTreeMap<Key, Seen> {
    rows.iter().map(|row| (row.id, row.seen())).collect()
}
