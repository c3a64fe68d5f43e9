mod product {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub stock: i32,
        #[version]
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

// A model does not say what has changed: as an active model it is unchanged, and nothing would be written.
pub fn sell(mut tea: product::Model) {
    tea.stock -= 1;
    let _ = product::Entity::update(tea);
}

fn main() {}
