mod with_i16 {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "with_i16")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub version: i16,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod with_i32 {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "with_i32")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub version: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod with_i64 {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "with_i64")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod with_u32 {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "with_u32")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub version: u32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod with_u64 {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "with_u64")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub version: u64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

fn main() {}
