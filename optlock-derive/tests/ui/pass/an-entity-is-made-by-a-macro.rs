macro_rules! entity {
    ($name:ident, $table:literal, $field:ident: $version:ty) => {
        mod $name {
            use optlock::prelude::*;

            #[sea_orm::model]
            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
            #[sea_orm(table_name = $table)]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                #[version]
                pub $field: $version,
            }

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

entity!(product, "product", version: i64);
entity!(order, "orders", revision: u32);

fn main() {}
