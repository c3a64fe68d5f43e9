mod column_name {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "column_name")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(column_name = "lock_no")]
        #[version]
        pub version: i64,
        #[sea_orm(column_name = "total_price")]
        #[generated]
        pub total: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod enum_name {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "enum_name")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(enum_name = "LockNo")]
        #[version]
        pub version: i64,
        #[sea_orm(enum_name = "Sum")]
        #[generated]
        pub total: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod raw_identifier {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "raw_identifier")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub r#type: i64,
        #[generated]
        pub r#match: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod self_ {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "self_")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub self_: i64,
        #[generated]
        pub crate_: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod leading_underscore {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "leading_underscore")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub _version: i64,
        #[generated]
        pub __total: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod digits {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "digits")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub version_2: i64,
        #[generated]
        pub total2x: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod of_the_prelude {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "of_the_prelude")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub option: i64,
        #[generated]
        pub result: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod of_sea_orm {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "of_sea_orm")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub entity: i64,
        #[generated]
        pub active_model: i64,
        pub column: i64,
        pub model: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod of_generated_methods {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "of_generated_methods")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub db: i64,
        #[generated]
        pub update: i64,
        pub touch: i64,
        pub model: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod enum_name_expanded {
    use optlock::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "enum_name_expanded")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(enum_name = "LockNo")]
        #[version]
        pub version: i64,
        #[sea_orm(enum_name = "Sum")]
        #[generated]
        pub total: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod raw_identifier_expanded {
    use optlock::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "raw_identifier_expanded")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub r#type: i64,
        #[generated]
        pub r#match: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod self__expanded {
    use optlock::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "self__expanded")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub self_: i64,
        #[generated]
        pub crate_: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

fn main() {
    use optlock::Versioned;
    assert!(matches!(column_name::Entity::version_column(), column_name::Column::Version));
    let _ = column_name::Column::Total;
    assert!(matches!(enum_name::Entity::version_column(), enum_name::Column::LockNo));
    let _ = enum_name::Column::Sum;
    assert!(matches!(raw_identifier::Entity::version_column(), raw_identifier::Column::Type));
    let _ = raw_identifier::Column::Match;
    assert!(matches!(self_::Entity::version_column(), self_::Column::Self_));
    let _ = self_::Column::Crate;
    assert!(matches!(leading_underscore::Entity::version_column(), leading_underscore::Column::Version));
    let _ = leading_underscore::Column::Total;
    assert!(matches!(digits::Entity::version_column(), digits::Column::Version2));
    let _ = digits::Column::Total2x;
    assert!(matches!(of_the_prelude::Entity::version_column(), of_the_prelude::Column::Option));
    let _ = of_the_prelude::Column::Result;
    assert!(matches!(of_sea_orm::Entity::version_column(), of_sea_orm::Column::Entity));
    let _ = of_sea_orm::Column::ActiveModel;
    assert!(matches!(of_generated_methods::Entity::version_column(), of_generated_methods::Column::Db));
    let _ = of_generated_methods::Column::Update;
}
