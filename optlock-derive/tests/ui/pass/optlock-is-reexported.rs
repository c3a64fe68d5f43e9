mod vendor {
    pub mod locking {
        pub use optlock::*;
    }
}

mod product {
    use crate::vendor::locking::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    #[optlock(crate = "crate::vendor::locking")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

fn main() {}
