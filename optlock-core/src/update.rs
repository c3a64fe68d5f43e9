//! `UPDATE` of one row, at the version it was read at.

use sea_orm::sea_query::{Condition, Expr, IntoCondition, SimpleExpr, UpdateStatement};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IdenStatic, Iterable,
    PrimaryKeyToColumn, QueryFilter, QueryTrait, Statement, UpdateResult,
};

use crate::advance::{next, require_support};
use crate::backend::{Returning, capabilities};
use crate::diagnosis::{confirm, exactly_one, refused};
use crate::entity::{Role, Versioned, table};
use crate::error::{Error, Operation, Unsupported, VersionAssigned};
use crate::readback::{Knowledge, stored, written};
use crate::returning::{all_columns, fetch, is_available};
use crate::row::Row;
use crate::version::{Kind, Repr, VersionType};

/// An update of one row, made by `Entity::update(active_model)`.
///
/// What SeaORM's builder of the same name does, with the version in the condition: filters can be added, and no hooks
/// run. [`validate`](Self::validate) is there so that code written for SeaORM's builder compiles; filters need no
/// validation here.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, tea) = fixture::shop().await?;
/// let mut change = tea.into_active_model();
/// change.stock = Set(1);
/// let tea = product::Entity::update(change).filter(product::Column::Stock.gte(2)).exec(&db).await?;
/// assert_eq!((tea.stock, tea.version), (1, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an update does nothing until it is executed"]
pub struct UpdateOne<E: Versioned> {
    model: E::ActiveModel,
    expressions: Vec<(E::Column, SimpleExpr)>,
    filter: Condition,
    operation: Operation,
    /// The version to advance to, where it is not the next one.
    version: Option<E::Version>,
}

/// An update that is ready to be sent.
struct Write<E: Versioned> {
    model: E::ActiveModel,
    row: Row<E>,
    next: E::Version,
    has_expressions: bool,
    statement: UpdateStatement,
}

impl<E: Versioned> UpdateOne<E> {
    /// What `Entity::update` is for one entity, for code that is generic over versioned ones.
    pub fn new(model: E::ActiveModel) -> Self {
        Self {
            model,
            expressions: Vec::new(),
            filter: Condition::all(),
            operation: Operation::Update,
            version: None,
        }
    }

    /// An update that advances the version whether or not another column changes.
    pub(crate) fn touch(model: E::ActiveModel) -> Self {
        Self {
            operation: Operation::Touch,
            ..Self::new(model)
        }
    }

    /// An update that advances the version several times at once, to this one, whether or not another column changes.
    pub(crate) fn advance_to(model: E::ActiveModel, version: E::Version) -> Self {
        Self {
            version: Some(version),
            ..Self::new(model)
        }
    }

    /// The update that an upsert begins with, which advances the version whatever changes.
    pub(crate) fn upsert(model: E::ActiveModel) -> Self {
        Self {
            operation: Operation::Upsert,
            ..Self::new(model)
        }
    }

    /// Assigns an expression to a column, as in `qty = qty + 1`, beside what is `Set` in the active model.
    ///
    /// The version and the key cannot be assigned: [`Error::VersionAssigned`] and [`Error::Unsupported`], before any SQL.
    pub fn col_expr(mut self, column: E::Column, expression: SimpleExpr) -> Self {
        self.expressions.push((column, expression));
        self
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
        Row::<E>::of(&self.model, self.operation)?;
        Ok(self)
    }

    /// The statement that [`exec_without_returning`](Self::exec_without_returning) sends; without a column to set,
    /// one that only advances the version.
    ///
    /// # Errors
    ///
    /// [`Error::NotSet`], [`Error::Overflow`] and [`Error::Unsupported`].
    pub fn build(&self, backend: DbBackend) -> Result<Statement, Error> {
        Ok(backend.build(&self.clone().write(backend)?.statement))
    }

    /// Updates the row and returns it as it was stored. With no column `Set`, writes nothing, and returns the row
    /// after showing that it is still at the expected version; that takes the row's lock for a moment, or until the end
    /// of the transaction, and the right to write.
    ///
    /// MySQL and MariaDB cannot return a row from an update. Where its columns are not known, or may be rounded, it is
    /// read once more, at the version that was written; should somebody have changed it by then, columns that may be
    /// rounded are returned as they were sent.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] if the row is not at the expected version; [`Error::NotSet`], [`Error::Overflow`],
    /// [`Error::VersionAssigned`] and [`Error::Unsupported`] before any SQL; [`Error::TooManyRows`], [`Error::Unread`] and [`Error::Imprecise`] after
    /// the write; [`Error::Database`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the row as it was or updated in full; which of the two is not known, unless the
    /// update is part of a transaction, which is then rolled back as always.
    pub async fn exec<C: ConnectionTrait>(self, db: &C) -> Result<E::Model, Error> {
        if !self.has_changes() {
            require_support::<E>(db.get_database_backend())?;
            let row = Row::<E>::of(&self.model, self.operation)?;
            return confirm(db, &row, self.operation, self.filter).await;
        }
        let operation = self.operation;
        let write = self.write(db.get_database_backend())?;
        let knowledge = match capabilities(db.get_database_backend()).returning {
            // Whatever is known, the row that is returned is as good.
            Returning::Native => return write.returning(db, operation).await,
            Returning::OnRequest | Returning::Never => write.knowledge(),
        };
        if knowledge != Knowledge::Exact && is_available(db) {
            return write.returning(db, operation).await;
        }
        write.run(db, operation).await?;
        write.written(db, knowledge, operation).await
    }

    /// Updates the row. With no column `Set`, writes nothing, shows that the row is still at the expected version, and
    /// reports no rows affected.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec), without [`Error::Unread`]; with [`Error::Imprecise`] only where the version is a
    /// timestamp, whose row is then returned or read after all.
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_without_returning<C: ConnectionTrait>(self, db: &C) -> Result<UpdateResult, Error> {
        let mut result = UpdateResult::default();
        if !self.has_changes() {
            require_support::<E>(db.get_database_backend())?;
            let row = Row::<E>::of(&self.model, self.operation)?;
            confirm(db, &row, self.operation, self.filter).await?;
        } else if <E::Version as VersionType>::Repr::KIND == Kind::Timestamp {
            // The version that the column stored must be seen: one that rounds could have stored the old one again.
            match self.exec(db).await {
                Ok(_) | Err(Error::Unread(_)) => result.rows_affected = 1,
                Err(err) => return Err(err),
            }
        } else {
            let operation = self.operation;
            self.write(db.get_database_backend())?.run(db, operation).await?;
            result.rows_affected = 1;
        }
        Ok(result)
    }

    fn has_changes(&self) -> bool {
        let always = matches!(self.operation, Operation::Touch | Operation::Upsert) || self.version.is_some();
        always || !self.expressions.is_empty() || changes::<E>(&self.model).next().is_some()
    }

    fn write(self, backend: DbBackend) -> Result<Write<E>, Error> {
        let Self {
            model,
            expressions,
            filter,
            operation,
            version,
        } = self;
        let row = Row::<E>::of(&model, operation)?;
        let next = match version {
            Some(version) => version,
            None => next::<E>(backend, &row.expected, operation)?,
        };

        let mut update = <E as EntityTrait>::update_many();
        for (column, value) in changes::<E>(&model) {
            update = update.col_expr(column, column.save_as(Expr::val(value)));
        }
        let has_expressions = !expressions.is_empty();
        for (column, expression) in expressions {
            assignable::<E>(backend, column, operation)?;
            update = update.col_expr(column, expression);
        }
        // Last: MySQL assigns from left to right, so an expression of the caller's before it sees the old version.
        let version = E::version_column();
        update = update.col_expr(version, version.save_as(Expr::val(next.clone())));
        let mut condition = row.as_expected();
        if !filter.is_empty() {
            condition = condition.add(filter);
        }
        Ok(Write {
            model,
            row,
            next,
            has_expressions,
            statement: update.filter(condition).into_query(),
        })
    }
}

/// The columns that an update assigns: those that are `Set`, but never the key or the version.
pub(crate) fn changes<E: Versioned>(
    model: &E::ActiveModel,
) -> impl Iterator<Item = (E::Column, sea_orm::Value)> + use<'_, E> {
    E::Column::iter()
        .filter(|column| E::PrimaryKey::from_column(*column).is_none() && E::role(column) != Role::Version)
        .filter_map(|column| match model.get(column) {
            ActiveValue::Set(value) => Some((column, value)),
            ActiveValue::Unchanged(_) | ActiveValue::NotSet => None,
        })
}

/// Refuses a column that the caller must not assign.
pub(crate) fn assignable<E: Versioned>(
    backend: DbBackend,
    column: E::Column,
    operation: Operation,
) -> Result<(), Error> {
    if E::role(&column) == Role::Version {
        return Err(VersionAssigned::new(table::<E>(), column.as_str(), operation).into());
    }
    if E::PrimaryKey::from_column(column).is_some() {
        return Err(Unsupported::new(capabilities(backend).name, "an update that assigns a primary key").into());
    }
    Ok(())
}

impl<E: Versioned> Write<E> {
    fn knowledge(&self) -> Knowledge {
        if self.has_expressions {
            Knowledge::Partial
        } else {
            Knowledge::of_update::<E>(&self.model)
        }
    }

    async fn run<C: ConnectionTrait>(&self, db: &C, operation: Operation) -> Result<(), Error> {
        let result = db
            .execute(&self.statement)
            .await
            .map_err(|err| refused(&self.row, operation, err))?;
        exactly_one(db, &self.row, operation, result.rows_affected()).await
    }

    /// The row that was written, without a statement that could have returned it.
    async fn written<C: ConnectionTrait>(
        self,
        db: &C,
        knowledge: Knowledge,
        operation: Operation,
    ) -> Result<E::Model, Error> {
        let mut model = self.model;
        model.try_set(E::version_column(), self.next.clone().into())?;
        written::<E, C>(db, model, self.next, knowledge, operation).await
    }

    async fn returning<C: ConnectionTrait>(mut self, db: &C, operation: Operation) -> Result<E::Model, Error> {
        self.statement.returning(all_columns::<E>(db.get_database_backend()));
        let mut models = fetch::<E, _, C>(db, &self.statement)
            .await
            .map_err(|err| refused(&self.row, operation, err))?;
        exactly_one(db, &self.row, operation, models.len() as u64).await?;
        match models.pop() {
            Some(model) => stored::<E>(model, self.next, operation),
            None => Err(sea_orm::DbErr::RecordNotUpdated.into()),
        }
    }
}
