// What the examples in this crate's documentation start from: a table in memory, and somebody who was too slow.

use optlock::prelude::*;
use sea_orm::{Database, Schema};

pub mod product {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        pub stock: i32,
        #[version]
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A database with one product, number 7, at version 1.
#[allow(dead_code)]
pub async fn shop() -> Result<(DatabaseConnection, product::Model), Box<dyn std::error::Error>> {
    let db = Database::connect("sqlite::memory:").await?;
    db.execute(&Schema::new(db.get_database_backend()).create_table_from_entity(product::Entity)).await?;
    let tea = product::ActiveModel { id: Set(7), name: Set("tea".to_owned()), stock: Set(3), version: NotSet };
    let tea = tea.insert(&db).await?;
    Ok((db, tea))
}

/// The same database, and a change to the product by somebody who read it before somebody else changed it.
#[allow(dead_code)]
pub async fn stale() -> Result<(DatabaseConnection, product::ActiveModel), Box<dyn std::error::Error>> {
    let (db, tea) = shop().await?;
    let mut stale = tea.clone().into_active_model();
    stale.name = Set("green tea".to_owned());
    tea.touch(&db).await?;
    Ok((db, stale))
}

/// The same database in a file, so that it can have several connections.
#[allow(dead_code)]
pub struct File {
    directory: tempfile::TempDir,
}

#[allow(dead_code)]
impl File {
    pub async fn connect(&self) -> Result<DatabaseConnection, sea_orm::DbErr> {
        Database::connect(format!("sqlite:{}?mode=rwc", self.directory.path().join("shop.db").display())).await
    }
}

#[allow(dead_code)]
pub async fn file() -> Result<File, Box<dyn std::error::Error>> {
    let file = File { directory: tempfile::tempdir()? };
    let db = file.connect().await?;
    db.execute(&Schema::new(db.get_database_backend()).create_table_from_entity(product::Entity)).await?;
    let tea = product::ActiveModel { id: Set(7), name: Set("tea".to_owned()), stock: Set(3), version: NotSet };
    tea.insert(&db).await?;
    Ok(file)
}
