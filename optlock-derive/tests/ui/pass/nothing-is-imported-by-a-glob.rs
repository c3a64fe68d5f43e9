mod product {
    use optlock::Versioned;
    use sea_orm::entity::prelude::{
        ActiveModelBehavior, ColumnTrait, ColumnType, ColumnTypeTrait, DeriveActiveModel, DeriveColumn, DeriveEntityModel,
        DeriveModel, DerivePrimaryKey, DeriveRelation, EntityTrait, EnumIter, PrimaryKeyTrait, RelationDef,
        RelationTrait,
    };

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[version]
        pub version: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

fn main() {}
