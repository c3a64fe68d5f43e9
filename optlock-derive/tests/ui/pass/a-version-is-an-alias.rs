mod product {
    use optlock::prelude::*;

    pub type Counter = i64;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub version: Counter,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod order {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "orders")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub version: ::core::primitive::i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

fn main() {}
