//! Twenty tasks sell the same stock from a database file, each with its own copies of the row. Run it with
//! `cargo run --example inventory`: nothing is oversold, whatever the interleaving.

#![allow(unreachable_pub, reason = "an entity is written as in a module of an application")]

use std::error::Error;
use std::time::Duration;

use optlock::prelude::*;
use optlock::{Error as LockError, Fault};
use sea_orm::{ConnectOptions, Database, Schema};
use tokio::task::JoinSet;

mod product {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub stock: i32,
        #[version]
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

const STOCK: i32 = 150;
const TASKS: i32 = 20;
const CUSTOMERS_OF_EACH: i32 = 10;

#[derive(Default)]
struct Sales {
    sold: i32,
    refused: i32,
    conflicts: i32,
}

/// Sells one piece: reads the row, decides, and writes what it decided, until nobody else was faster.
async fn sell(db: &DatabaseConnection, sales: &mut Sales) -> Result<(), Box<dyn Error + Send + Sync>> {
    loop {
        let product = product::Entity::find_by_id(1).one(db).await?.ok_or("no product")?;
        if product.stock == 0 {
            sales.refused += 1;
            return Ok(());
        }
        let stock = product.stock - 1;
        let mut product = product.into_active_model();
        product.stock = Set(stock);
        match product.update(db).await {
            Ok(_) => {
                sales.sold += 1;
                return Ok(());
            }
            // Somebody else sold one first: decide again on the row as it is now.
            Err(LockError::Conflict(_)) => sales.conflicts += 1,
            // Somebody else is writing to the file right now.
            Err(err) if err.fault() == Some(Fault::Busy) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(err) => return Err(err.into()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let directory = tempfile::tempdir()?;
    let mut options = ConnectOptions::new(format!(
        "sqlite:{}?mode=rwc",
        directory.path().join("shop.db").display()
    ));
    options.max_connections(4).sqlx_logging(false);
    let db = Database::connect(options).await?;
    db.execute_unprepared("PRAGMA journal_mode = WAL").await?;
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(product::Entity)).await?;
    product::ActiveModel {
        id: Set(1),
        stock: Set(STOCK),
        ..Default::default()
    }
    .insert(&db)
    .await?;

    println!("{STOCK} pieces, {TASKS} tasks with {CUSTOMERS_OF_EACH} customers each");
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let db = db.clone();
        tasks.spawn(async move {
            let mut sales = Sales::default();
            for _ in 0..CUSTOMERS_OF_EACH {
                sell(&db, &mut sales).await?;
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(sales)
        });
    }
    let mut total = Sales::default();
    while let Some(sales) = tasks.join_next().await {
        let sales = sales??;
        total.sold += sales.sold;
        total.refused += sales.refused;
        total.conflicts += sales.conflicts;
    }

    let product = product::Entity::find_by_id(1).one(&db).await?.ok_or("no product")?;
    println!(
        "sold {}, sent away {}, left {}",
        total.sold, total.refused, product.stock
    );
    println!("conflicts, each tried again from a fresh read: {}", total.conflicts);
    println!("version {}: one for the insert, and one for each sale", product.version);
    assert_eq!((total.sold, product.stock), (STOCK, 0), "oversold or undersold");
    assert_eq!(product.version, i64::from(STOCK) + 1);
    Ok(())
}
