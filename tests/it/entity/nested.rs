//! A purchase and what hangs on it, for SeaORM's nested writes; and a shelf of books, of which only the books are
//! versioned.

use crate::case::Outcome;
use crate::context::Context;

/// The parent.
pub(crate) mod purchase {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "purchase")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) name: String,
        #[version]
        pub(crate) version: i64,
        #[sea_orm(has_many)]
        pub(crate) lines: HasMany<super::line::Entity>,
        #[sea_orm(has_one)]
        pub(crate) receipt: HasOne<super::receipt::Entity>,
        #[sea_orm(has_many)]
        pub(crate) remarks: HasMany<super::remark::Entity>,
        #[sea_orm(has_many, via = "purchase_tag")]
        pub(crate) tags: HasMany<super::tag::Entity>,
        #[sea_orm(has_many, via = "purchase_badge")]
        pub(crate) badges: HasMany<super::badge::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A child that cannot be without its parent.
pub(crate) mod line {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "line")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) purchase_id: i64,
        pub(crate) qty: i64,
        #[version]
        pub(crate) version: i64,
        #[sea_orm(belongs_to, from = "purchase_id", to = "id")]
        pub(crate) purchase: BelongsTo<super::purchase::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A child of which there is at most one, and which may be left alone.
pub(crate) mod receipt {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "receipt")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        #[sea_orm(unique)]
        pub(crate) purchase_id: Option<i64>,
        pub(crate) total: i64,
        #[version]
        pub(crate) version: i64,
        #[sea_orm(belongs_to, from = "purchase_id", to = "id")]
        pub(crate) purchase: BelongsTo<Option<super::purchase::Entity>>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A child without a version.
pub(crate) mod remark {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "remark")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) purchase_id: i64,
        pub(crate) body: String,
        #[sea_orm(belongs_to, from = "purchase_id", to = "id")]
        pub(crate) purchase: BelongsTo<super::purchase::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

macro_rules! many_to_many {
    ($module:ident, $table:literal, $via:literal, $junction:ident, $key:ident, $from:literal, $(#[$version:meta])+) => {
        /// The other end.
        pub(crate) mod $module {
            use optlock::prelude::*;

            #[sea_orm::model]
            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
            #[sea_orm(table_name = $table)]
            pub(crate) struct Model {
                #[sea_orm(primary_key)]
                pub(crate) id: i64,
                pub(crate) label: String,
                #[version]
                pub(crate) version: i64,
                #[sea_orm(has_many, via = $via)]
                pub(crate) purchases: HasMany<super::purchase::Entity>,
            }

            impl ActiveModelBehavior for ActiveModel {}
        }

        /// The junction, versioned as well.
        pub(crate) mod $junction {
            use optlock::prelude::*;

            #[sea_orm::model]
            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
            #[sea_orm(table_name = $via)]
            pub(crate) struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub(crate) purchase_id: i64,
                #[sea_orm(primary_key, auto_increment = false)]
                pub(crate) $key: i64,
                $(#[$version])+
                pub(crate) version: i64,
                #[sea_orm(belongs_to, from = "purchase_id", to = "id")]
                pub(crate) purchase: BelongsTo<super::purchase::Entity>,
                #[sea_orm(belongs_to, from = $from, to = "id")]
                pub(crate) $module: BelongsTo<super::$module::Entity>,
            }

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

many_to_many!(tag, "tag", "purchase_tag", purchase_tag, tag_id, "tag_id", #[version] #[sea_orm(default_value = 1)]);
many_to_many!(badge, "badge", "purchase_badge", purchase_badge, badge_id, "badge_id", #[version]);

/// A parent without a version.
pub(crate) mod shelf {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "shelf")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) name: String,
        #[sea_orm(has_many)]
        pub(crate) books: HasMany<super::book::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Its child, with one.
pub(crate) mod book {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "book")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) shelf_id: Option<i64>,
        pub(crate) title: String,
        #[version]
        pub(crate) version: i64,
        #[sea_orm(belongs_to, from = "shelf_id", to = "id")]
        pub(crate) shelf: BelongsTo<Option<super::shelf::Entity>>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Creates all the tables, empty.
pub(crate) async fn create(context: &Context) -> Outcome {
    context.create(purchase::Entity).await?;
    context.create(line::Entity).await?;
    context.create(receipt::Entity).await?;
    context.create(remark::Entity).await?;
    context.create(tag::Entity).await?;
    context.create(purchase_tag::Entity).await?;
    context.create(badge::Entity).await?;
    context.create(purchase_badge::Entity).await?;
    context.create(shelf::Entity).await?;
    context.create(book::Entity).await
}
