//! `INSERT`, which gives rows their first version.

use sea_orm::sea_query::{FromValueTuple, InsertStatement, IntoValueTuple, OnConflict};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, InsertManyResult, InsertResult, Iterable,
    ModelTrait, PrimaryKeyToColumn, PrimaryKeyTrait, QueryTrait, Statement, TryFromU64,
};

use crate::advance::{initial, require_support};
use crate::backend::capabilities;
use crate::entity::Versioned;
use crate::error::{Error, Operation, Unsupported};
use crate::readback::{Knowledge, stored, stored_among, written};
use crate::returning::{all_columns, fetch, is_available, require};
use crate::row::{key, version_in};
use crate::try_insert::TryInsert;

type KeyOf<E> = <<E as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType;

/// An insert of one row, made by `Entity::insert(active_model)`.
///
/// What SeaORM's builder of the same name does, with the version set: to the first one, or to the one that the active
/// model holds (as for a row that is restored). No hooks run.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// let mate = product::ActiveModel { name: Set("mate".to_owned()), stock: Set(5), ..Default::default() };
/// let mate = product::Entity::insert(mate).exec_with_returning(&db).await?;
/// assert_eq!(mate.version, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an insert does nothing until it is executed"]
pub struct Insert<E: Versioned> {
    model: E::ActiveModel,
    operation: Operation,
}

impl<E: Versioned> Insert<E> {
    /// What `Entity::insert` is for one entity, for code that is generic over versioned ones.
    pub fn new(model: E::ActiveModel) -> Self {
        Self {
            model: versioned::<E>(model),
            operation: Operation::Insert,
        }
    }

    /// The insert of an upsert.
    pub(crate) fn upsert(model: E::ActiveModel) -> Self {
        Self {
            operation: Operation::Upsert,
            ..Self::new(model)
        }
    }

    /// The statement that [`exec_without_returning`](Self::exec_without_returning) sends.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`].
    pub fn build(&self, backend: DbBackend) -> Result<Statement, Error> {
        require_support::<E>(backend)?;
        Ok(<E as EntityTrait>::insert(self.model.clone()).build(backend))
    }

    /// Inserts the row and returns its key.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] before any SQL; [`Error::Database`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future inserts the row or does not; which of the two is not known, unless the insert is part of a
    /// transaction, which is then rolled back as always.
    pub async fn exec<C: ConnectionTrait>(self, db: &C) -> Result<InsertResult<E::ActiveModel>, Error> {
        require_support::<E>(db.get_database_backend())?;
        Ok(<E as EntityTrait>::insert(self.model).exec(db).await?)
    }

    /// Inserts the row and returns the number of rows inserted.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec).
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_without_returning<C: ConnectionTrait>(self, db: &C) -> Result<u64, Error> {
        require_support::<E>(db.get_database_backend())?;
        Ok(<E as EntityTrait>::insert(self.model)
            .exec_without_returning(db)
            .await?)
    }

    /// Inserts the row and returns it as it was stored.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec), and [`Error::Unread`] and [`Error::Imprecise`] after the insert; where an insert
    /// cannot return its row (MySQL and MariaDB), [`Error::NotSet`] before any SQL for a key that is neither set nor
    /// made by the database as an auto-increment.
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_with_returning<C: ConnectionTrait>(self, db: &C) -> Result<E::Model, Error> {
        let backend = db.get_database_backend();
        require_support::<E>(backend)?;
        let Self { mut model, operation } = self;
        let version = version_in::<E>(&model, operation)?;
        let mut statement: InsertStatement = <E as EntityTrait>::insert(model.clone()).into_query();

        if is_available(db) {
            statement.returning(all_columns::<E>(backend));
            return match fetch::<E, _, C>(db, &statement).await?.pop() {
                Some(inserted) => stored::<E>(inserted, version, operation),
                None => Err(DbErr::RecordNotInserted.into()),
            };
        }

        let is_counted = E::PrimaryKey::auto_increment();
        if !is_counted {
            key::<E>(&model, operation)?;
        }
        let knowledge = Knowledge::of_insert::<E>(&model);
        let result = db.execute(&statement).await?;
        if result.rows_affected() != 1 {
            // A trigger that swallowed it, for one.
            return Err(DbErr::RecordNotInserted.into());
        }
        if is_counted {
            take_counted_key::<E>(&mut model, backend, result.last_insert_id())?;
        }
        written::<E, C>(db, model, version, knowledge, operation).await
    }

    /// Inserts the row and returns it, unless one is there that has its key, or what else is unique: without an error, and where an insert can return
    /// its row.
    pub(crate) async fn unless_taken<C: ConnectionTrait>(self, db: &C) -> Result<Option<E::Model>, Error> {
        let Self { model, operation } = self;
        let version = version_in::<E>(&model, operation)?;
        let mut statement: InsertStatement = <E as EntityTrait>::insert(model).into_query();
        // Of whatever constraint: PostgreSQL may meet another one first, if a rival is inserting a row that has both in common with this one.
        statement.on_conflict(OnConflict::new().do_nothing().to_owned());
        statement.returning(all_columns::<E>(db.get_database_backend()));
        match fetch::<E, _, C>(db, &statement).await?.pop() {
            Some(inserted) => stored::<E>(inserted, version, operation).map(Some),
            None => Ok(None),
        }
    }

    /// Inserts the row unless one with the same primary key is there.
    pub fn on_conflict_do_nothing(self) -> TryInsert<E> {
        TryInsert::new(<E as EntityTrait>::insert(self.model).on_conflict_do_nothing())
    }

    /// Inserts the row unless one with the same values in these columns is there.
    pub fn on_conflict_do_nothing_on<I>(self, columns: I) -> TryInsert<E>
    where
        I: IntoIterator<Item = E::Column>,
    {
        TryInsert::new(<E as EntityTrait>::insert(self.model).on_conflict_do_nothing_on(columns))
    }

    /// **Unchecked.** SeaORM's own builder with a conflict clause of the caller's: an update in that clause is not
    /// checked, and advances no version unless the clause does.
    pub fn on_conflict_unchecked(self, on_conflict: OnConflict) -> sea_orm::Insert<E::ActiveModel> {
        <E as EntityTrait>::insert(self.model).on_conflict(on_conflict)
    }
}

/// An insert of many rows, made by `Entity::insert_many(active_models)`. Each gets its first version, as with
/// [`Insert`].
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// let drinks = ["mate", "cocoa"].map(|name| product::ActiveModel {
///     name: Set(name.to_owned()),
///     stock: Set(5),
///     ..Default::default()
/// });
/// let drinks = product::Entity::insert_many(drinks).exec_with_returning(&db).await?;
/// assert!(drinks.iter().all(|drink| drink.version == 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an insert does nothing until it is executed"]
pub struct InsertMany<E: Versioned> {
    models: Vec<E::ActiveModel>,
}

impl<E: Versioned> InsertMany<E> {
    /// What `Entity::insert_many` is for one entity, for code that is generic over versioned ones.
    pub fn new(models: impl IntoIterator<Item = E::ActiveModel>) -> Self {
        Self {
            models: models.into_iter().map(versioned::<E>).collect(),
        }
    }

    /// Inserts the rows and returns the key of the last one. No rows is no SQL.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] before any SQL, also for more values than one statement takes (65,535; 32,766 on SQLite), which
    /// [`exec_in_parts`](Self::exec_in_parts) inserts; [`Error::Database`], in which case no row is inserted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future inserts all rows or none; which of the two is not known, unless the insert is part of a
    /// transaction, which is then rolled back as always.
    pub async fn exec<C: ConnectionTrait>(self, db: &C) -> Result<InsertManyResult<E::ActiveModel>, Error> {
        self.require_one_statement(db.get_database_backend())?;
        Ok(<E as EntityTrait>::insert_many(self.models).exec(db).await?)
    }

    /// Inserts the rows and returns their number.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec).
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_without_returning<C: ConnectionTrait>(self, db: &C) -> Result<u64, Error> {
        self.require_one_statement(db.get_database_backend())?;
        Ok(<E as EntityTrait>::insert_many(self.models)
            .exec_without_returning(db)
            .await?)
    }

    /// Inserts the rows and returns them.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec), [`Error::Unsupported`] where an insert cannot return its rows (MySQL and MariaDB),
    /// and [`Error::Imprecise`] after the insert.
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_with_returning<C: ConnectionTrait>(self, db: &C) -> Result<Vec<E::Model>, Error> {
        let backend = db.get_database_backend();
        self.require_one_statement(backend)?;
        require(db, "insert_many that returns its rows")?;
        if self.models.is_empty() {
            return Ok(Vec::new());
        }
        let versions: Vec<_> = self
            .models
            .iter()
            .map(|model| version_in::<E>(model, Operation::InsertMany))
            .collect::<Result<_, _>>()?;
        let mut statement: InsertStatement = <E as EntityTrait>::insert_many(self.models).into_query();
        statement.returning(all_columns::<E>(backend));
        let inserted = fetch::<E, _, C>(db, &statement).await?;
        inserted
            .into_iter()
            // Neither the order nor the number of the rows is promised: a trigger can leave one out.
            .map(|model| stored_among::<E>(model, &versions, Operation::InsertMany))
            .collect()
    }

    /// Inserts the rows and returns their keys.
    ///
    /// # Errors
    ///
    /// As [`exec_with_returning`](Self::exec_with_returning).
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_with_returning_keys<C: ConnectionTrait>(self, db: &C) -> Result<Vec<KeyOf<E>>, Error> {
        let inserted = self.exec_with_returning(db).await?;
        let keys = inserted.iter().map(ModelTrait::get_primary_key_value);
        Ok(keys.map(FromValueTuple::from_value_tuple).collect())
    }

    /// The rows in pieces that a statement has parameters for.
    pub(crate) fn parts(self, backend: DbBackend) -> Result<Vec<Vec<E::ActiveModel>>, Error> {
        require_support::<E>(backend)?;
        let rows = (capabilities(backend).batching.max_parameters / self.columns().max(1)).max(1);
        Ok(self.models.chunks(rows).map(<[_]>::to_vec).collect())
    }

    fn require_one_statement(&self, backend: DbBackend) -> Result<(), Error> {
        require_support::<E>(backend)?;
        let capabilities = capabilities(backend);
        let most = capabilities.batching.max_parameters;
        if self.models.len().saturating_mul(self.columns()) > most {
            let what = format!("insert_many of more than {most} values in one statement; `exec_in_parts` inserts them");
            return Err(Unsupported::new(capabilities.name, what).into());
        }
        Ok(())
    }

    /// How many columns are sent: those that are not `NotSet` in each row.
    fn columns(&self) -> usize {
        let is_sent = |column: &E::Column| self.models.iter().any(|model| !model.get(*column).is_not_set());
        E::Column::iter().filter(is_sent).count()
    }

    /// Inserts the rows whose primary key is not there yet.
    pub fn on_conflict_do_nothing(self) -> TryInsert<E> {
        TryInsert::new(<E as EntityTrait>::insert_many(self.models).on_conflict_do_nothing())
    }

    /// Inserts the rows whose values in these columns are not there yet.
    pub fn on_conflict_do_nothing_on<I>(self, columns: I) -> TryInsert<E>
    where
        I: IntoIterator<Item = E::Column>,
    {
        TryInsert::new(<E as EntityTrait>::insert_many(self.models).on_conflict_do_nothing_on(columns))
    }

    /// **Unchecked.** SeaORM's own builder with a conflict clause of the caller's: an update in that clause is not
    /// checked, and advances no version unless the clause does.
    pub fn on_conflict_unchecked(self, on_conflict: OnConflict) -> sea_orm::InsertMany<E::ActiveModel> {
        <E as EntityTrait>::insert_many(self.models).on_conflict(on_conflict)
    }
}

/// Puts the key that the database counted up into the model.
fn take_counted_key<E: Versioned>(model: &mut E::ActiveModel, backend: DbBackend, id: u64) -> Result<(), Error> {
    let is_set = model.get_primary_key_value().is_some();
    // A key that was sent is the row's, but for a zero that MySQL takes as a request for the next one. A count of zero
    // says that the table counted nothing.
    if is_set && (id == 0 || !capabilities(backend).counts_from_zero) {
        return Ok(());
    }
    let id = match KeyOf::<E>::try_from_u64(id) {
        Ok(id) => id,
        // A negative key is not counted, and no u64.
        Err(_) if is_set => return Ok(()),
        Err(err) => return Err(err.into()),
    };
    for (key, value) in E::PrimaryKey::iter().zip(id.into_value_tuple()) {
        model.try_set(key.into_column(), value)?;
    }
    Ok(())
}

/// The model with a version: the first one, unless the caller has set another.
fn versioned<E: Versioned>(mut model: E::ActiveModel) -> E::ActiveModel {
    let version = E::version_column();
    if model.get(version).is_not_set() {
        model.set(version, initial::<E>().into());
    }
    model
}
