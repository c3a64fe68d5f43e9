//! `INSERT … ON CONFLICT DO NOTHING`.

use sea_orm::{ConnectionTrait, InsertResult, IntoActiveModel, TryInsertResult};

use crate::advance::require_support;
use crate::entity::Versioned;
use crate::error::Error;
use crate::returning::require;

/// An insert that leaves existing rows alone, made by `on_conflict_do_nothing`.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use sea_orm::TryInsertResult;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, tea) = fixture::shop().await?;
/// let result = product::Entity::insert(tea.into_active_model()).on_conflict_do_nothing().exec(&db).await?;
/// assert!(matches!(result, TryInsertResult::Conflicted));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an insert does nothing until it is executed"]
pub struct TryInsert<E: Versioned> {
    insert: sea_orm::TryInsert<E::ActiveModel>,
}

impl<E: Versioned> TryInsert<E> {
    pub(crate) fn new(insert: sea_orm::TryInsert<E::ActiveModel>) -> Self {
        Self { insert }
    }

    /// Inserts what is not there yet and returns the key of the last row.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] before any SQL; [`Error::Database`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future inserts the rows or does not; which of the two is not known, unless the insert is part of a
    /// transaction, which is then rolled back as always.
    pub async fn exec<C: ConnectionTrait>(
        self,
        db: &C,
    ) -> Result<TryInsertResult<InsertResult<E::ActiveModel>>, Error> {
        require_support::<E>(db.get_database_backend())?;
        Ok(self.insert.exec(db).await?)
    }

    /// Inserts what is not there yet and returns the number of rows inserted.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec).
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_without_returning<C: ConnectionTrait>(self, db: &C) -> Result<TryInsertResult<u64>, Error> {
        require_support::<E>(db.get_database_backend())?;
        Ok(self.insert.exec_without_returning(db).await?)
    }

    /// Inserts what is not there yet and returns the rows inserted.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec), and [`Error::Unsupported`] where an insert cannot return its rows (MySQL and
    /// MariaDB).
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_with_returning<C>(self, db: &C) -> Result<TryInsertResult<Vec<E::Model>>, Error>
    where
        C: ConnectionTrait,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        require_support::<E>(db.get_database_backend())?;
        require(db, "an insert that returns its rows")?;
        // The form for many rows reads its result to the end; the one for one row does not.
        Ok(self.insert.exec_with_returning_many(db).await?)
    }
}
