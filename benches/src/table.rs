//! The table of all cases, as the entities of this library and of plain SeaORM.

#![allow(unreachable_pub)] // The macros want it so.

/// With a version.
pub(crate) mod product {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        pub stock: i32,
        pub price: i32,
        pub note: String,
        #[version]
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The same table, for those who know of no version.
pub(crate) mod plain {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        pub stock: i32,
        pub price: i32,
        pub note: String,
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
