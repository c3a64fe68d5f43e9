//! Entities whose keys and columns are out of the ordinary.

use sea_orm::{DeriveActiveEnum, EnumIter};

/// Two columns.
pub(crate) mod pair {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "pair")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) left: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) right: i32,
        pub(crate) qty: i64,
        #[version]
        pub(crate) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Three columns of three types, with the version in between.
pub(crate) mod triple {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "triple")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) tenant: i64,
        pub(crate) qty: i64,
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(20))")]
        pub(crate) region: String,
        #[version]
        pub(crate) version: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) number: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A key of the database's own enum type, or of text where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "shade")]
pub(crate) enum Shade {
    #[sea_orm(string_value = "light")]
    Light,
    #[sea_orm(string_value = "dark")]
    Dark,
}

/// An enum that is stored as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub(crate) enum Level {
    #[sea_orm(num_value = 1)]
    Low,
    #[sea_orm(num_value = 2)]
    High,
}

macro_rules! keyed {
    ($($(#[$key:meta])* $module:ident: $ty:ident;)+) => {$(
        pub(crate) mod $module {
            #[allow(unused_imports)]
            use super::{Level, Shade};
            use optlock::prelude::*;

            pub(crate) type Key = $ty;

            #[sea_orm::model]
            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
            #[sea_orm(table_name = "keyed")]
            pub(crate) struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                $(#[$key])*
                pub(crate) id: $ty,
                pub(crate) qty: i64,
                #[version]
                pub(crate) version: i64,
            }

            impl ActiveModelBehavior for ActiveModel {}
        }
    )+};
}

pub(crate) type Bytes = Vec<u8>;

keyed! {
    by_text: String;
    by_uuid: Uuid;
    by_enum: Shade;
    by_level: Level;
}

/// A key of bytes.
pub(crate) mod by_bytes {
    use optlock::prelude::*;

    pub(crate) type Key = super::Bytes;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "keyed")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::N(16))")]
        pub(crate) id: Vec<u8>,
        pub(crate) qty: i64,
        #[version]
        pub(crate) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The version is declared first, before the key.
pub(crate) mod first {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "placed")]
    pub(crate) struct Model {
        #[version]
        pub(crate) version: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) name: String,
        pub(crate) qty: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The version is declared in the middle.
pub(crate) mod middle {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "placed")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) name: String,
        #[version]
        pub(crate) version: i64,
        pub(crate) qty: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The version is declared last, without `#[sea_orm::model]`.
pub(crate) mod last {
    use optlock::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "placed")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) name: String,
        pub(crate) qty: i64,
        #[version]
        pub(crate) version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Every column is named otherwise than its field.
pub(crate) mod renamed {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "renamed")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_name = "Item No")]
        pub(crate) id: i64,
        #[sea_orm(column_name = "order")]
        pub(crate) qty: i64,
        #[version]
        #[sea_orm(column_name = "lockVersion", enum_name = "Lock")]
        pub(crate) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Fields that only a raw identifier can name, the version among them.
pub(crate) mod raw {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "raw")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) r#type: String,
        #[version]
        pub(crate) r#match: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// In a schema that is not on the search path: that of temporary tables, which needs no name of its own for each case.
pub(crate) mod elsewhere {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(schema_name = "pg_temp", table_name = "elsewhere")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) qty: i64,
        #[version]
        pub(crate) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Has a field that is no column.
pub(crate) mod ignoring {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "ignoring")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        #[sea_orm(ignore)]
        pub(crate) note: Option<String>,
        pub(crate) qty: i64,
        #[sea_orm(ignore)]
        pub(crate) cached: u8,
        #[version]
        pub(crate) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
