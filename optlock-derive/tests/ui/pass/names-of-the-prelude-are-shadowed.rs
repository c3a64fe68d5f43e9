/// Only our derive expands here, since SeaORM's do not survive this.
mod hostile {
    use ::optlock::Versioned as Derive;

    use super::entity::{ActiveModel, Column, Entity};

    pub type Text = ::std::string::String;

    #[derive(::core::clone::Clone, ::core::fmt::Debug, Derive)]
    #[optlock(expanded)]
    pub struct Model {
        pub id: i32,
        pub name: Text,
        #[version]
        pub version: i64,
        #[generated]
        pub total: i64,
    }

    macro_rules! shadow {
        ($($name:ident)*) => {$(
            pub struct $name;
        )*};
    }
    shadow!(Result Option Some None Ok Err Vec String Box Into From Default Send Sync Iterator IntoIterator Clone Copy);
    shadow!(Versioned Precision Role Error DbErr UpdateOne DeleteOne UpdateMany Insert InsertMany UpdateResult DeleteResult);
    shadow!(ConnectionTrait ActiveModelTrait ModelTrait EntityTrait TryIntoModel C A I);

    pub mod core {}
    pub mod std {}
    pub mod optlock {}
    pub mod sea_orm {}
    pub mod __private {}
    pub type i64 = ::core::primitive::i64;
}

/// The rest of the entity, written by hand.
mod entity {
    use optlock::prelude::*;
    use sea_orm::sea_query::{ArrayType, ValueType};
    use sea_orm::{ActiveValue, DbErr, FromQueryResult, QueryResult, TryIntoModel, Value};

    use super::hostile::Model;

    #[derive(Copy, Clone, Default, Debug, DeriveEntity)]
    pub struct Entity;

    impl EntityName for Entity {
        fn table_name(&self) -> &'static str {
            "product"
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveColumn)]
    pub enum Column {
        Id,
        Name,
        Version,
        Total,
    }

    impl ColumnTrait for Column {
        type EntityName = Entity;

        fn def(&self) -> ColumnDef {
            match self {
                Self::Id => ColumnType::Integer.def(),
                Self::Name => ColumnType::Text.def(),
                Self::Version | Self::Total => ColumnType::BigInteger.def(),
            }
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DerivePrimaryKey)]
    pub enum PrimaryKey {
        Id,
    }

    impl PrimaryKeyTrait for PrimaryKey {
        type ValueType = i32;

        fn auto_increment() -> bool {
            true
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    #[derive(Clone, Debug, PartialEq)]
    pub struct ActiveModel {
        pub id: ActiveValue<i32>,
        pub name: ActiveValue<String>,
        pub version: ActiveValue<i64>,
        pub total: ActiveValue<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}

    impl ModelTrait for Model {
        type Entity = Entity;

        fn get(&self, column: Column) -> Value {
            match column {
                Column::Id => self.id.into(),
                Column::Name => self.name.clone().into(),
                Column::Version => self.version.into(),
                Column::Total => self.total.into(),
            }
        }

        fn get_value_type(column: Column) -> ArrayType {
            match column {
                Column::Id => i32::array_type(),
                Column::Name => String::array_type(),
                Column::Version | Column::Total => i64::array_type(),
            }
        }

        fn try_set(&mut self, _: Column, _: Value) -> Result<(), DbErr> {
            unimplemented!()
        }
    }

    impl FromQueryResult for Model {
        fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
            Ok(Self {
                id: row.try_get(prefix, "id")?,
                name: row.try_get(prefix, "name")?,
                version: row.try_get(prefix, "version")?,
                total: row.try_get(prefix, "total")?,
            })
        }
    }

    impl From<Model> for ActiveModel {
        fn from(model: Model) -> Self {
            Self {
                id: Unchanged(model.id),
                name: Unchanged(model.name),
                version: Unchanged(model.version),
                total: Unchanged(model.total),
            }
        }
    }

    impl IntoActiveModel<ActiveModel> for Model {
        fn into_active_model(self) -> ActiveModel {
            self.into()
        }
    }

    impl TryIntoModel<Model> for ActiveModel {
        fn try_into_model(self) -> Result<Model, DbErr> {
            Ok(Model {
                id: self.id.unwrap(),
                name: self.name.unwrap(),
                version: self.version.unwrap(),
                total: self.total.unwrap(),
            })
        }
    }

    impl ActiveModelTrait for ActiveModel {
        type Entity = Entity;

        fn take(&mut self, _: Column) -> ActiveValue<Value> {
            unimplemented!()
        }
        fn get(&self, _: Column) -> ActiveValue<Value> {
            unimplemented!()
        }
        fn set_if_not_equals(&mut self, _: Column, _: Value) {}
        fn try_set(&mut self, _: Column, _: Value) -> Result<(), DbErr> {
            unimplemented!()
        }
        fn not_set(&mut self, _: Column) {}
        fn is_not_set(&self, _: Column) -> bool {
            unimplemented!()
        }
        fn default() -> Self {
            Self { id: NotSet, name: NotSet, version: NotSet, total: NotSet }
        }
        fn default_values() -> Self {
            <Self as ActiveModelTrait>::default()
        }
        fn reset(&mut self, _: Column) {}
    }
}

async fn write(model: hostile::Model, db: &sea_orm::DatabaseConnection) -> Result<(), optlock::Error> {
    let model = model.touch(db).await?;
    entity::ActiveModel::from(model.clone()).update(db).await?;
    model.delete(db).await?;
    Ok(())
}

fn main() {
    let _ = write;
}
