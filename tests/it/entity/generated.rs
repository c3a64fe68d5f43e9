//! Entities with columns that the database fills, rounds or pads.

/// A column that the database computes.
pub(crate) mod computed {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "computed")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) qty: i64,
        #[generated]
        pub(crate) doubled: i64,
        #[version]
        pub(crate) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Columns that servers round or pad.
pub(crate) mod rounded {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "rounded")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) name: String,
        #[sea_orm(column_type = "Decimal(Some((10, 2)))")]
        pub(crate) amount: Decimal,
        pub(crate) ratio: f32,
        pub(crate) at: DateTime,
        #[sea_orm(column_type = "Char(Some(5))")]
        pub(crate) code: String,
        #[version]
        pub(crate) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A column with a default of the database's, which is known once it has been read.
pub(crate) mod defaulted {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "defaulted")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) qty: i64,
        #[sea_orm(default_value = 5)]
        pub(crate) prio: i64,
        #[version]
        pub(crate) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A column that is cast on the way in.
pub(crate) mod cast {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "casts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        #[sea_orm(save_as = "INTEGER")]
        pub(crate) code: String,
        #[version]
        pub(crate) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
