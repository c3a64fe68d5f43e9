//! Two editors open the same product; both save. Run it with `cargo run --example quickstart`: it needs no server.

#![allow(unreachable_pub, reason = "an entity is written as in a module of an application")]

use std::error::Error;

use optlock::prelude::*;
use optlock::{Error as LockError, Found};
use sea_orm::{Database, Schema};

mod product {
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let db = Database::connect("sqlite::memory:").await?;
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(product::Entity)).await?;

    let tea = product::ActiveModel {
        name: Set("green tea".to_owned()),
        stock: Set(10),
        ..Default::default()
    };
    let tea = tea.insert(&db).await?;
    println!("A product is new, and at its first version:\n  {tea:?}\n");

    println!("Ann and Bob open it at the same time.\n");
    let mut ann = tea.clone().into_active_model();
    let mut bob = tea.into_active_model();

    println!("Ann has sold 3 and saves. Nobody was faster, so her change is stored:");
    ann.stock = Set(10 - 3);
    let tea = ann.update(&db).await?;
    println!("  {tea:?}\n");

    println!("Bob has sold 2 and saves the 8 he thinks are left. Ann's 3 would be back on the shelf:");
    bob.stock = Set(10 - 2);
    let Err(LockError::Conflict(conflict)) = bob.update(&db).await else {
        return Err("Ann's change was lost".into());
    };
    println!("  refused: {conflict}");
    if let Found::Changed { version } = conflict.found() {
        println!(
            "  he read version {}, the row is at version {version}",
            conflict.expected()
        );
    }
    let current = conflict.current::<product::Model>().ok_or("the row is gone")?;
    println!("  and it is handed to him with the conflict: {current:?}\n");

    println!("He starts again from that row:");
    let mut bob = current.clone().into_active_model();
    bob.stock = Set(current.stock - 2);
    let tea = bob.update(&db).await?;
    println!("  {tea:?}\n");

    println!(
        "All {} that were sold are gone from the shelf; nothing was lost.",
        10 - tea.stock
    );
    assert_eq!((tea.stock, tea.version), (5, 3));
    Ok(())
}
