//! `UPDATE` of one row by its key, under a condition and whatever its version, which advances.

mod answer;
#[cfg(all(test, feature = "sqlx-mysql"))]
mod tests;

use sea_orm::sea_query::{Condition, Expr, IntoCondition, IntoValueTuple, SimpleExpr, UpdateStatement};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait,
    Iterable, PrimaryKeyToColumn, PrimaryKeyTrait, QueryFilter, QueryTrait, Statement, UpdateResult, Value,
};

use answer::{Answer, in_one};

use crate::advance::{initial, next_in_sql};
use crate::backend::{Compound, Fault, capabilities};
use crate::diagnosis::select;
use crate::entity::{Versioned, table};
use crate::error::{Error, Imprecise, MissingRows, Operation, Refused, TooManyRows, Unread, fault};
use crate::overflow::overflow;
use crate::place::{ModifyIn, Place};
use crate::policy::Policy;
use crate::returning::{all_columns, is_available};
use crate::row::{by_key, version_of};
use crate::runner::attempt;
use crate::txn::Txn;
use crate::update::assignable;
use crate::value::{RowKey, RowVersion};
use crate::version::{Kind, Repr, VersionType};

const OPERATION: Operation = Operation::UpdateById;

/// An update of one row by expression and under a condition, made by `Entity::update_by_id(key)`.
///
/// For changes that need not read the row first: `stock = stock - 2`, where `stock >= 2`. One statement decides and writes,
/// so that any number of callers can have at one row without a conflict. It expects no version, but the version of the
/// row advances, so that everybody who holds an older copy is told. With nothing assigned, it advances all the same. No
/// hooks run.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::Error;
/// use optlock::prelude::*;
/// use sea_orm::sea_query::ExprTrait;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, old) = fixture::shop().await?;
/// let sell_two = || {
///     product::Entity::update_by_id(7)
///         .col_expr(product::Column::Stock, Expr::col(product::Column::Stock).sub(2))
///         .filter(product::Column::Stock.gte(2))
/// };
/// let tea = sell_two().exec(&db).await?;
/// assert_eq!((tea.stock, tea.version), (1, 2));
///
/// let Err(Error::Refused(refused)) = sell_two().exec(&db).await else { panic!("there is one left") };
/// assert_eq!(refused.current::<product::Model>(), Some(&tea));
/// assert!(old.touch(&db).await.unwrap_err().is_conflict(), "our copy is out of date now");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an update does nothing until it is executed"]
pub struct UpdateById<E: Versioned> {
    key: Vec<(E::Column, Value)>,
    assignments: Vec<(E::Column, SimpleExpr)>,
    filter: Condition,
}

impl<E: Versioned> UpdateById<E> {
    /// What `Entity::update_by_id` is for one entity, for code that is generic over versioned ones.
    pub fn new(key: impl Into<<E::PrimaryKey as PrimaryKeyTrait>::ValueType>) -> Self {
        let columns = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
        Self {
            key: columns.zip(key.into().into_value_tuple()).collect(),
            assignments: Vec::new(),
            filter: Condition::all(),
        }
    }

    /// Assigns the columns that are `Set` in the model.
    ///
    /// The version and the key cannot be assigned: [`Error::VersionAssigned`] and [`Error::Unsupported`], before any SQL.
    #[expect(clippy::needless_pass_by_value, reason = "so does the builder of many rows")]
    pub fn set<A: ActiveModelTrait<Entity = E>>(mut self, model: A) -> Self {
        for column in E::Column::iter() {
            if let ActiveValue::Set(value) = model.get(column) {
                self.assignments.push((column, column.save_as(Expr::val(value))));
            }
        }
        self
    }

    /// Assigns an expression to a column.
    ///
    /// The version and the key cannot be assigned: [`Error::VersionAssigned`] and [`Error::Unsupported`], before any SQL.
    pub fn col_expr(mut self, column: E::Column, expression: SimpleExpr) -> Self {
        self.assignments.push((column, expression));
        self
    }

    /// Adds a condition that the row must meet. If it does not, the write is [`Refused`].
    pub fn filter(mut self, condition: impl IntoCondition) -> Self {
        self.filter = self.filter.add(condition.into_condition());
        self
    }

    /// The statement that [`exec_without_returning`](Self::exec_without_returning) sends.
    ///
    /// # Errors
    ///
    /// [`Error::VersionAssigned`] and [`Error::Unsupported`].
    pub fn build(&self, backend: DbBackend) -> Result<Statement, Error> {
        Ok(backend.build(&self.write(backend)?.0))
    }

    /// Updates the row and returns it exactly as this write has stored it, whoever writes next.
    ///
    /// One statement where an update can return its row. MySQL and MariaDB cannot: there, on a connection, it has a short
    /// transaction of its own, in which MariaDB writes, reads and commits in one statement, and MySQL in three.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the row does not meet the condition, or a trigger or a policy held the write back, after one
    /// more statement that reads the row; [`Error::MissingRows`] if there is no row with the key; [`Error::VersionAssigned`] and [`Error::Unsupported`]
    /// (also on SQLite, where the version is a timestamp) before any SQL; [`Error::Overflow`] if the version cannot
    /// advance, but in a PostgreSQL transaction what the database reported; [`Error::TooManyRows`], [`Error::Imprecise`]
    /// and [`Error::Unread`] (whose version is `NULL`) after the write; [`Error::OutcomeUnknown`] if the answer to the
    /// commit of its transaction was lost, or the statement that commits was cut short; [`Error::Database`], also for a
    /// rival's change that the snapshot of a transaction does not show.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the row as it was or updated in full; which of the two is not known, unless the
    /// update is part of a transaction of the caller's, which is then rolled back as always.
    pub async fn exec<C: ModifyIn>(self, db: &C) -> Result<E::Model, Error> {
        let backend = db.get_database_backend();
        let (mut write, now) = self.write(backend)?;
        if is_available(db) {
            write.returning(all_columns::<E>(backend));
            let mut answer = match db.query_all(&write).await {
                Ok(rows) => Answer::returned(&rows),
                Err(err) => return Err(self.failed(db, err).await),
            };
            if answer.rows == 0 {
                answer.current = self.current(db).await;
            }
            return self.outcome(answer, now);
        }
        let answer = match db.place() {
            Place::Connection(db) => match self.in_own_transaction(db, &write).await {
                Err(Error::Database(err)) => Err(self.failed(db, err.into_db_err()).await),
                answer => answer,
            },
            Place::Transaction(txn) => match self.write_and_read(txn, &write).await {
                Err(err) => Err(self.failed(txn, err).await),
                Ok(answer) => Ok(answer),
            },
        };
        self.outcome(answer?, now)
    }

    /// Updates the row, in one statement on every database. Reports one row affected, or an error.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec), without those of a row that is read after the write.
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_without_returning<C: ConnectionTrait>(self, db: &C) -> Result<UpdateResult, Error> {
        let result = match db.execute(&self.write(db.get_database_backend())?.0).await {
            Ok(result) => result,
            Err(err) => return Err(self.failed(db, err).await),
        };
        let mut updated = UpdateResult::default();
        match result.rows_affected() {
            1 => updated.rows_affected = 1,
            rows => {
                let current = if rows == 0 { self.current(db).await } else { Ok(None) };
                self.outcome(Answer { rows, current }, None)?;
            }
        }
        Ok(updated)
    }

    /// The update with the version at the end of its assignments: MySQL assigns from left to right. With it the time
    /// that a timestamp is at or after.
    fn write(&self, backend: DbBackend) -> Result<(UpdateStatement, Option<E::Version>), Error> {
        let mut update = <E as EntityTrait>::update_many();
        for (column, expression) in &self.assignments {
            assignable::<E>(backend, *column, OPERATION)?;
            update = update.col_expr(*column, expression.clone());
        }
        let fresh = initial::<E>();
        update = update.col_expr(
            E::version_column(),
            next_in_sql::<E>(backend, fresh.clone(), OPERATION)?,
        );
        let is_time = <E::Version as VersionType>::Repr::KIND == Kind::Timestamp;
        Ok((update.filter(self.condition()).into_query(), is_time.then_some(fresh)))
    }

    fn condition(&self) -> Condition {
        let condition = by_key::<E>(&self.key);
        if self.filter.is_empty() {
            condition
        } else {
            condition.add(self.filter.clone())
        }
    }

    /// The row as it is, after a write that has not reached it.
    async fn current<C: ConnectionTrait>(&self, db: &C) -> Result<Option<E::Model>, DbErr> {
        let lock = capabilities(db.get_database_backend()).conflict_read;
        select::<E>(by_key::<E>(&self.key), lock).one(db).await
    }

    /// Writes the row and reads it, in a transaction: nobody else can write it in between.
    async fn write_and_read<C: ConnectionTrait>(
        &self,
        txn: &C,
        write: &UpdateStatement,
    ) -> Result<Answer<E::Model>, DbErr> {
        let rows = txn.execute(write).await?.rows_affected();
        let current = if rows == 0 {
            self.current(txn).await
        } else {
            select::<E>(by_key::<E>(&self.key), None).one(txn).await
        };
        Ok(Answer { rows, current })
    }

    /// The same in a transaction of its own, and in one statement if the server can.
    async fn in_own_transaction(
        &self,
        db: &DatabaseConnection,
        write: &UpdateStatement,
    ) -> Result<Answer<E::Model>, Error> {
        let backend = db.get_database_backend();
        let Some(compound) = capabilities(backend).compound else {
            return self.one_by_one(db, write).await;
        };
        let read = select::<E>(by_key::<E>(&self.key), None).build(backend);
        let Some(statement) = compound.build(backend.build(write), read) else {
            return self.one_by_one(db, write).await;
        };
        match in_one(db, compound, statement).await {
            Err(Error::Database(err)) if (compound.is_unknown)(err.as_db_err()) => {
                let answer = self.one_by_one(db, write).await?;
                // It was not something in the write itself.
                Compound::forget();
                Ok(answer)
            }
            answer => answer,
        }
    }

    /// In statements of their own. A read that fails takes the write along, so that its error is true.
    async fn one_by_one(&self, db: &DatabaseConnection, write: &UpdateStatement) -> Result<Answer<E::Model>, Error> {
        let work = |txn: Txn| async move {
            let answer = self.write_and_read(&txn, write).await?;
            match answer.current {
                Err(err) if answer.rows == 1 => Err(Error::from(err)),
                current => Ok(Answer { current, ..answer }),
            }
        };
        let outcome = attempt(&Policy::new(), db, &|err: &Error| fault(err), work).await;
        outcome.map_err(|failed| failed.error)
    }

    /// The error of a write that the database has refused.
    async fn failed<C: ConnectionTrait>(&self, db: &C, err: DbErr) -> Error {
        overflow::<E, C>(db, self.condition(), OPERATION, err).await
    }

    fn outcome(&self, answer: Answer<E::Model>, now: Option<E::Version>) -> Result<E::Model, Error> {
        let key = RowKey::new(self.key.iter().map(|(_, value)| value.clone()));
        let refused = match (answer.rows, answer.current) {
            (1, Ok(Some(model))) => return precise::<E>(model, key, now),
            (1, Ok(None)) => {
                let what = format!("{} {key}, which was updated", table::<E>());
                return Err(unread::<E>(key, DbErr::RecordNotFound(what)));
            }
            (1, Err(err)) => return Err(unread::<E>(key, err)),
            (0, Ok(None)) => return Err(MissingRows::new(table::<E>(), 1, 0, vec![key]).into()),
            (0, Ok(Some(current))) => Refused::new(table::<E>(), key, OPERATION, current),
            (0, Err(err)) => Refused::unread(table::<E>(), key, OPERATION, err),
            (rows, _) => return Err(TooManyRows::new(table::<E>(), key, OPERATION, rows).into()),
        };
        tracing::debug!(table = table::<E>(), key = %refused.key(), operation = %OPERATION, "refused");
        Err(refused.into())
    }
}

/// The row, unless its column has cut the time that it was sent.
fn precise<E: Versioned>(model: E::Model, key: RowKey, now: Option<E::Version>) -> Result<E::Model, Error> {
    if let Some(now) = now {
        let stored = version_of::<E>(&model)?;
        if stored.to_repr().precedes(&now.to_repr()) {
            return Err(Imprecise::new(
                table::<E>(),
                key,
                OPERATION,
                RowVersion::from(now),
                RowVersion::from(stored),
            )
            .into());
        }
    }
    Ok(model)
}

/// The error of the read of a row that was written, unless it has undone the write.
fn unread<E: Versioned>(key: RowKey, err: DbErr) -> Error {
    let err = match Error::from(err) {
        Error::Database(err) => err,
        ours => return ours,
    };
    match err.fault() {
        Fault::Serialization | Fault::Deadlock | Fault::OutOfLocks | Fault::ConnectionLost | Fault::Aborted => {
            err.into()
        }
        _ => {
            let version = RowVersion::from(initial::<E>()).to_null();
            Unread::new(table::<E>(), key, OPERATION, version, Some(err.into_db_err())).into()
        }
    }
}
