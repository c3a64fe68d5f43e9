mod product {
    use optlock::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveValueType)]
    pub struct Revision(i64);

    impl optlock::VersionType for Revision {
        type Repr = i64;
        fn from_repr(repr: i64) -> Self {
            Revision(repr)
        }
        fn to_repr(&self) -> i64 {
            self.0
        }
    }

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub version: Revision,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

fn main() {}
