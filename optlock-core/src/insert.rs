//! `INSERT`, which gives rows their first version.

use sea_orm::sea_query::{InsertStatement, IntoValueTuple, OnConflict};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, InsertResult, Iterable, PrimaryKeyToColumn,
    PrimaryKeyTrait, QueryTrait, Statement, TryFromU64,
};

use crate::advance::{require_support, versioned};
use crate::backend::capabilities;
use crate::entity::Versioned;
use crate::error::{Error, Operation};
use crate::readback::{Knowledge, stored, written};
use crate::returning::{all_columns, fetch, is_available};
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
