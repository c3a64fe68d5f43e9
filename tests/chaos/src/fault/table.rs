//! The tables that faults are tried on.

use optlock::prelude::*;
use sea_orm::{Schema, Set as Value};

use crate::Result;

/// A counter or an account.
pub(super) mod cell {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "cell")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub amount: i64,
        /// Who wrote it last: the number of an attempt.
        pub writer: i64,
        #[version]
        pub version: i64,
    }
    impl ActiveModelBehavior for ActiveModel {}
}

/// The key that is the same in every attempt at one call.
pub(super) mod receipt {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "receipt")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub writer: i64,
    }
    impl ActiveModelBehavior for ActiveModel {}
}

/// Creates both, with cells of these keys and amounts.
pub(super) async fn create(db: &DatabaseConnection, cells: impl IntoIterator<Item = (i32, i64)>) -> Result<()> {
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(cell::Entity)).await?;
    db.execute(&schema.create_table_from_entity(receipt::Entity)).await?;
    for (id, amount) in cells {
        let cell = cell::ActiveModel {
            id: Value(id),
            amount: Value(amount),
            writer: Value(0),
            ..Default::default()
        };
        cell.insert(db).await?;
    }
    Ok(())
}
