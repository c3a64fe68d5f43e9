//! `UPDATE` of many rows, whatever their versions, which all advance.

use sea_orm::sea_query::{Condition, IntoCondition, IntoIden, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ConnectionTrait, DbBackend, EntityTrait, IdenStatic, QueryFilter, QueryTrait,
    Statement, UpdateResult,
};

use crate::advance::{initial, next_in_sql};
use crate::entity::{Versioned, table};
use crate::error::{Error, Operation, VersionAssigned};
use crate::overflow::overflow;
use crate::returning::{all_columns, fetch, require};

/// An update of every row that a filter matches, made by `Entity::update_many()`.
///
/// What SeaORM's builder of the same name does, and the version of each row advances, so that everybody who holds an
/// older copy of one is told. It checks no version: it has none to compare with.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, tea) = fixture::shop().await?;
/// let result = product::Entity::update_many()
///     .col_expr(product::Column::Stock, Expr::val(0).into())
///     .filter(product::Column::Name.starts_with("te"))
///     .exec(&db)
///     .await?;
/// assert_eq!(result.rows_affected, 1);
/// assert!(tea.touch(&db).await.unwrap_err().is_conflict(), "our copy is out of date now");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an update does nothing until it is executed"]
pub struct UpdateMany<E: Versioned> {
    update: sea_orm::UpdateMany<E>,
    filter: Condition,
    /// Whether the caller has assigned the version column.
    assigns_version: bool,
}

impl<E: Versioned> UpdateMany<E> {
    /// What `Entity::update_many` is for one entity, for code that is generic over versioned ones.
    #[expect(clippy::new_without_default, reason = "an update of all rows is no default")]
    pub fn new() -> Self {
        Self {
            update: <E as EntityTrait>::update_many(),
            filter: Condition::all(),
            assigns_version: false,
        }
    }

    /// Assigns the columns that are `Set` in the model.
    pub fn set<A: ActiveModelTrait<Entity = E>>(mut self, model: A) -> Self {
        self.assigns_version |= matches!(model.get(E::version_column()), ActiveValue::Set(_));
        self.update = self.update.set(model);
        self
    }

    /// Assigns an expression to a column.
    pub fn col_expr<T: IntoIden>(mut self, column: T, expr: SimpleExpr) -> Self {
        let column = column.into_iden();
        // Names of columns are case-insensitive in places, and no two columns differ in case alone.
        self.assigns_version |= column.to_string().eq_ignore_ascii_case(E::version_column().as_str());
        self.update = self.update.col_expr(column, expr);
        self
    }

    /// Adds a condition that a row must meet.
    pub fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.filter = self.filter.add(condition.into_condition());
        self
    }

    /// The statement that [`exec`](Self::exec) sends; without a column to assign, one that only advances the versions.
    ///
    /// # Errors
    ///
    /// [`Error::VersionAssigned`] and [`Error::Unsupported`].
    pub fn build(&self, backend: DbBackend) -> Result<Statement, Error> {
        Ok(self.clone().advancing(backend)?.build(backend))
    }

    /// Updates the rows. With no column assigned, does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::VersionAssigned`] and [`Error::Unsupported`] (SQLite, where the version is a timestamp) before any
    /// SQL; [`Error::Overflow`] if the version of one of the rows cannot advance, in which case none is changed;
    /// [`Error::Database`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves all rows as they were or all updated; which of the two is not known, unless the
    /// update is part of a transaction, which is then rolled back as always.
    pub async fn exec<C: ConnectionTrait>(self, db: &C) -> Result<UpdateResult, Error> {
        if self.assigns_nothing() {
            return Ok(UpdateResult::default());
        }
        let filter = self.filter.clone();
        match self.advancing(db.get_database_backend())?.exec(db).await {
            Ok(result) => Ok(result),
            Err(err) => Err(overflow::<E, C>(db, filter, Operation::UpdateMany, err).await),
        }
    }

    /// Updates the rows and returns them.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec), and [`Error::Unsupported`] where an update cannot return its rows (MySQL and
    /// MariaDB).
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_with_returning<C: ConnectionTrait>(self, db: &C) -> Result<Vec<E::Model>, Error> {
        if self.assigns_nothing() {
            return Ok(Vec::new());
        }
        let backend = db.get_database_backend();
        let filter = self.filter.clone();
        let mut statement = self.advancing(backend)?.into_query();
        require(db, "update_many that returns its rows")?;
        statement.returning(all_columns::<E>(backend));
        match fetch::<E, _, C>(db, &statement).await {
            Ok(models) => Ok(models),
            Err(err) => Err(overflow::<E, C>(db, filter, Operation::UpdateMany, err).await),
        }
    }

    fn assigns_nothing(&self) -> bool {
        self.update.as_query().get_values().is_empty()
    }

    /// The update with the version at the end of its assignments.
    fn advancing(self, backend: DbBackend) -> Result<sea_orm::UpdateMany<E>, Error> {
        let version = E::version_column();
        if self.assigns_version {
            return Err(VersionAssigned::new(table::<E>(), version.as_str(), Operation::UpdateMany).into());
        }
        let next = next_in_sql::<E>(backend, initial::<E>(), Operation::UpdateMany)?;
        let update = self.update.col_expr(version, next);
        Ok(if self.filter.is_empty() {
            update
        } else {
            update.filter(self.filter)
        })
    }
}
