//! A versioned entity in a crate that has renamed `optlock` to `locking`.

/// The entity.
pub mod product {
    use locking::prelude::*;

    /// A row.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    #[optlock(crate = "locking")]
    pub struct Model {
        /// The key.
        #[sea_orm(primary_key)]
        pub id: i32,
        /// The version.
        #[version]
        pub version: i64,
    }

    /// None.
    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A call that is retried.
///
/// # Errors
///
/// None.
#[locking::retry(crate = "locking")]
pub async fn stock(count: &str) -> Result<usize, locking::Error> {
    Ok(count.len())
}

#[cfg(test)]
mod tests {
    use locking::Versioned;

    use super::product::{Column, Entity};
    use super::stock;

    #[test]
    fn the_derive_is_told_of_another_name() {
        assert!(matches!(Entity::version_column(), Column::Version));
    }

    #[test]
    fn the_attribute_is_told_of_another_name() {
        let mut future = std::pin::pin!(stock("three"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(matches!(
            future.as_mut().poll(&mut context),
            std::task::Poll::Ready(Ok(5))
        ));
    }
}
