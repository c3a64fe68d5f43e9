//! Twins that report their hooks, with a version and without, and an entity whose hook changes a column.

use std::error::Error;

use optlock::prelude::*;

use crate::context::Context;

/// Writes a line to the table of calls, on the connection that the hook was given.
async fn record<C: ConnectionTrait>(db: &C, call: String) -> Result<(), DbErr> {
    db.execute_unprepared(&format!("INSERT INTO hook_call (line) VALUES ('{call}')"))
        .await?;
    Ok(())
}

/// A hook refuses rows of this name.
fn refuse(name: &str) -> Result<(), DbErr> {
    if name == "refused" {
        return Err(DbErr::Custom("refused by a hook".to_owned()));
    }
    Ok(())
}

fn kind(insert: bool) -> &'static str {
    if insert { "an insert" } else { "an update" }
}

fn name_of(name: &sea_orm::ActiveValue<String>) -> &str {
    match name {
        Set(name) | Unchanged(name) => name,
        NotSet => "?",
    }
}

macro_rules! hooked {
    ($module:ident, $table:literal, derive($($versioned:ident)?), $(#[$version:meta])?) => {
        pub(crate) mod $module {
            use optlock::prelude::*;

            use super::{kind, name_of, record, refuse};

            #[sea_orm::model]
            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, $($versioned)?)]
            #[sea_orm(table_name = $table)]
            pub(crate) struct Model {
                #[sea_orm(primary_key)]
                pub(crate) id: i64,
                pub(crate) name: String,
                pub(crate) qty: i64,
                $(#[$version])?
                pub(crate) version: i64,
            }

            #[async_trait::async_trait]
            impl ActiveModelBehavior for ActiveModel {
                async fn before_save<C>(self, db: &C, insert: bool) -> Result<Self, DbErr>
                where
                    C: ConnectionTrait,
                {
                    record(db, format!("before_save of {}: {}", kind(insert), name_of(&self.name))).await?;
                    refuse(name_of(&self.name))?;
                    Ok(self)
                }

                async fn after_save<C>(model: Model, db: &C, insert: bool) -> Result<Model, DbErr>
                where
                    C: ConnectionTrait,
                {
                    record(db, format!("after_save of {}: {}", kind(insert), model.name)).await?;
                    Ok(model)
                }

                async fn before_delete<C>(self, db: &C) -> Result<Self, DbErr>
                where
                    C: ConnectionTrait,
                {
                    record(db, format!("before_delete: {}", name_of(&self.name))).await?;
                    refuse(name_of(&self.name))?;
                    Ok(self)
                }

                async fn after_delete<C>(self, db: &C) -> Result<Self, DbErr>
                where
                    C: ConnectionTrait,
                {
                    record(db, format!("after_delete: {}", name_of(&self.name))).await?;
                    Ok(self)
                }
            }
        }
    };
}

hooked!(checked, "hooked", derive(Versioned), #[version]);
hooked!(plain, "plain", derive(),);

/// A hook sets a column in every save.
pub(crate) mod stamped {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "stamped")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) qty: i64,
        pub(crate) saved: i64,
        #[version]
        pub(crate) version: i64,
    }

    #[async_trait::async_trait]
    impl ActiveModelBehavior for ActiveModel {
        async fn before_save<C>(mut self, _: &C, _: bool) -> Result<Self, DbErr>
        where
            C: ConnectionTrait,
        {
            self.saved = Set(match self.saved {
                Set(saved) | Unchanged(saved) => saved + 1,
                NotSet => 1,
            });
            Ok(self)
        }

        async fn after_save<C>(mut model: Model, _: &C, _: bool) -> Result<Model, DbErr>
        where
            C: ConnectionTrait,
        {
            // Seen by the caller, and by nobody else.
            model.qty += 1_000;
            Ok(model)
        }
    }
}

/// Creates the tables of the twins, and the one of calls.
pub(crate) async fn create(context: &Context) -> Result<(), Box<dyn Error + Send + Sync>> {
    context.create(checked::Entity).await?;
    context.create(plain::Entity).await?;
    let key = context.backend.pick(
        "INTEGER PRIMARY KEY AUTOINCREMENT",
        "BIGSERIAL PRIMARY KEY",
        "BIGINT AUTO_INCREMENT PRIMARY KEY",
    );
    context
        .sql(&format!(
            "CREATE TABLE hook_call (number {key}, line VARCHAR(200) NOT NULL)"
        ))
        .await
}

/// The calls since the last time, in order.
pub(crate) async fn take_calls(context: &Context) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
    let rows = context
        .other
        .query_all_raw(sea_orm::Statement::from_string(
            context.other.get_database_backend(),
            "SELECT line FROM hook_call ORDER BY number",
        ))
        .await?;
    context.sql("DELETE FROM hook_call").await?;
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}
