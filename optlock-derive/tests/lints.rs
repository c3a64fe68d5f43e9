//! The expansion is silent under the lints that applications deny, for a public entity and for one of which nothing is used.

#![deny(
    warnings,
    missing_docs,
    unused_qualifications,
    dead_code,
    unreachable_pub,
    unused_results,
    unsafe_code,
    clippy::all,
    clippy::pedantic
)]

/// A public entity.
pub mod product {
    use optlock::prelude::*;

    /// A product.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        /// Its key.
        #[sea_orm(primary_key)]
        pub id: i32,
        /// Its version.
        #[version]
        pub version: i64,
        /// A column that the database computes.
        #[generated]
        pub total: i64,
    }

    /// It has none.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A public entity of `#[sea_orm::model]`.
pub mod shelf {
    use optlock::prelude::*;

    /// A shelf.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "shelf")]
    pub struct Model {
        /// Its key.
        #[sea_orm(primary_key)]
        pub id: i32,
        /// Its version.
        #[version]
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// An entity of which nothing is used.
mod order {
    use optlock::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "orders")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i32,
        #[version]
        pub(crate) version: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Functions that are tried again.
pub mod checkout {
    use optlock::{Error, Policy};
    use sea_orm::{ConnectionTrait, DatabaseConnection};

    /// Used in the attribute alone.
    const PATIENT: Policy<'_> = Policy::new().attempts(5);

    /// Sells.
    ///
    /// # Errors
    ///
    /// As the database says.
    #[optlock::retry(PATIENT)]
    pub async fn sell(db: &DatabaseConnection, sku: String) -> Result<u64, Error> {
        if sku.is_empty() {
            return Ok(0);
        }
        let sold = db.execute_unprepared(&sku).await?;
        Ok(sold.rows_affected())
    }

    /// A shop.
    #[derive(Debug)]
    pub struct Shop {
        db: DatabaseConnection,
    }

    impl Shop {
        /// Sells.
        ///
        /// # Errors
        ///
        /// As the database says.
        #[optlock::retry]
        pub async fn sell(&self, sku: &str) -> Result<u64, Error> {
            sell(&self.db, sku.to_owned()).await
        }

        /// Says what is there, and needs no second attempt.
        ///
        /// # Errors
        ///
        /// None.
        #[optlock::retry]
        pub async fn stock(&self) -> Result<impl Iterator<Item = u64>, Error> {
            Ok([1, 2].into_iter())
        }
    }
}

#[test]
fn the_expansion_compiles_under_denied_lints() {
    use optlock::Versioned;

    assert!(matches!(product::Entity::version_column(), product::Column::Version));
    assert!(matches!(shelf::Entity::version_column(), shelf::Column::Version));
    assert!(matches!(order::Entity::version_column(), order::Column::Version));
    let _ = (checkout::sell, checkout::Shop::sell, checkout::Shop::stock);
}
