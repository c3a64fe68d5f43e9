//! `DELETE` of one row, at the version it was read at.

use sea_orm::sea_query::{Condition, IntoCondition};
use sea_orm::{ConnectionTrait, DbBackend, DeleteMany, DeleteResult, EntityTrait, QueryFilter, QueryTrait, Statement};

use crate::advance::require_support;
use crate::diagnosis::{exactly_one, refused};
use crate::entity::Versioned;
use crate::error::{Error, Operation};
use crate::returning::{all_columns, fetch, require};
use crate::row::Row;

/// A delete of one row, made by `Entity::delete(active_model)`.
///
/// What SeaORM's builder of the same name does, with the version in the condition: filters can be added, and no hooks
/// run. A row that is gone, or not at the expected version, is a conflict; SeaORM would report success.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, tea) = fixture::shop().await?;
/// let twice = tea.clone().into_active_model();
/// product::Entity::delete(tea.into_active_model()).exec(&db).await?;
/// assert!(product::Entity::delete(twice).exec(&db).await.unwrap_err().is_gone());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a delete does nothing until it is executed"]
pub struct DeleteOne<E: Versioned> {
    model: E::ActiveModel,
    filter: Condition,
}

impl<E: Versioned> DeleteOne<E> {
    /// What `Entity::delete` is for one entity, for code that is generic over versioned ones.
    pub fn new(model: E::ActiveModel) -> Self {
        Self {
            model,
            filter: Condition::all(),
        }
    }

    /// Adds a condition to those on the key and the version. A row that does not meet it is a conflict with
    /// [`Found::Blocked`](crate::Found::Blocked).
    pub fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.filter = self.filter.add(condition.into_condition());
        self
    }

    /// Checks that the key and the version are set.
    ///
    /// # Errors
    ///
    /// [`Error::NotSet`].
    pub fn validate(self) -> Result<Self, Error> {
        self.row()?;
        Ok(self)
    }

    /// The statement that [`exec`](Self::exec) sends.
    ///
    /// # Errors
    ///
    /// [`Error::NotSet`] and [`Error::Unsupported`].
    pub fn build(&self, backend: DbBackend) -> Result<Statement, Error> {
        require_support::<E>(backend)?;
        Ok(self.delete(&self.row()?).build(backend))
    }

    /// Deletes the row.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] if the row is not at the expected version; [`Error::NotSet`] and [`Error::Unsupported`]
    /// before any SQL; [`Error::TooManyRows`]; [`Error::Database`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the row as it was or deleted; which of the two is not known, unless the delete is
    /// part of a transaction, which is then rolled back as always.
    pub async fn exec<C: ConnectionTrait>(self, db: &C) -> Result<DeleteResult, Error> {
        require_support::<E>(db.get_database_backend())?;
        let row = self.row()?;
        let result = self
            .delete(&row)
            .exec(db)
            .await
            .map_err(|err| refused(&row, Operation::Delete, err))?;
        exactly_one(db, &row, Operation::Delete, result.rows_affected).await?;
        Ok(result)
    }

    /// Deletes the row and returns it as it was.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec), and [`Error::Unsupported`] where a delete cannot return its row (MySQL and MariaDB).
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_with_returning<C: ConnectionTrait>(self, db: &C) -> Result<Option<E::Model>, Error> {
        require_support::<E>(db.get_database_backend())?;
        let row = self.row()?;
        require(db, "a delete that returns its row")?;
        let mut statement = self.delete(&row).into_query();
        statement.returning(all_columns::<E>(db.get_database_backend()));
        let mut models = fetch::<E, _, C>(db, &statement)
            .await
            .map_err(|err| refused(&row, Operation::Delete, err))?;
        exactly_one(db, &row, Operation::Delete, models.len() as u64).await?;
        Ok(models.pop())
    }

    fn row(&self) -> Result<Row<E>, Error> {
        Row::of(&self.model, Operation::Delete)
    }

    fn delete(&self, row: &Row<E>) -> DeleteMany<E> {
        <E as EntityTrait>::delete_many()
            .filter(row.as_expected())
            .filter(self.filter.clone())
    }
}
