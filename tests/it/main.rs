//! probe
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
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = Database::connect("sqlite::memory:").await?;
    db.execute(&Schema::new(db.get_database_backend()).create_table_from_entity(product::Entity))
        .await?;
    let tea = product::ActiveModel {
        id: Set(7),
        name: Set("tea".to_owned()),
        stock: Set(3),
        version: NotSet,
    };
    let tea = tea.insert(&db).await?;
    let mut a = tea.clone().into_active_model();
    a.stock = Set(4);
    let b = a.clone();
    println!("{:?}", a.update(&db).await?);
    println!("{}", b.update(&db).await.unwrap_err());
    Ok(())
}
