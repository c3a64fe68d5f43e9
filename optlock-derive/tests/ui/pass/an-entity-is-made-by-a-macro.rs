macro_rules! entity {
    ($name:ident, $expanded:ident, $table:literal, $field:ident: $version:ty) => {
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

        mod $expanded {
            use optlock::prelude::*;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
            #[sea_orm(table_name = $table)]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                #[version]
                pub $field: $version,
            }

            #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

entity!(product, product_expanded, "product", version: i64);
entity!(order, order_expanded, "orders", revision: u32);

fn main() {}
