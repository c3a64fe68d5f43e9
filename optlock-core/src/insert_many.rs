//! `INSERT` of many rows.

use sea_orm::sea_query::{FromValueTuple, InsertStatement, OnConflict};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, InsertManyResult, Iterable, ModelTrait, PrimaryKeyTrait,
    QueryTrait,
};

use crate::advance::{require_support, versioned};
use crate::backend::{Batching, capabilities};
use crate::entity::Versioned;
use crate::error::{Error, Operation, Unsupported};
use crate::readback::stored_among;
use crate::returning::{all_columns, fetch, require};
use crate::row::version_in;
use crate::try_insert::TryInsert;

type KeyOf<E> = <<E as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType;

/// An insert of many rows, made by `Entity::insert_many(active_models)`. Each gets its first version, as with
/// [`Insert`](crate::Insert).
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

    /// The rows in pieces that a statement has parameters and room for. In each all rows set the same columns: what a row does not set would be NULL beside one that does.
    pub(crate) fn parts(self, backend: DbBackend) -> Result<Vec<Vec<E::ActiveModel>>, Error> {
        require_support::<E>(backend)?;
        let most = capabilities(backend).batching.max_parameters;
        // Which columns are set, and the parts of the rows that set these, in the order in which such a row first appears.
        let mut groups: Vec<(Vec<bool>, Vec<Part<E>>)> = Vec::new();
        for model in self.models {
            let values: Vec<_> = E::Column::iter().map(|column| model.get(column).into_value()).collect();
            let set: Vec<_> = values.iter().map(Option::is_some).collect();
            let size: usize = values.iter().flatten().map(Batching::size).sum();
            let columns = values.iter().flatten().count().max(1);
            let known = groups.iter().position(|(columns, _)| *columns == set);
            let group = known.unwrap_or_else(|| {
                groups.push((set, Vec::new()));
                groups.len() - 1
            });
            let of_group = &mut groups[group].1;
            let fits = |part: &&mut Part<E>| {
                (part.models.len() + 1).saturating_mul(columns) <= most && part.bytes + size <= Batching::BYTES
            };
            if let Some(part) = of_group.last_mut().filter(fits) {
                part.bytes += size;
                part.models.push(model);
            } else {
                of_group.push(Part {
                    bytes: size,
                    models: vec![model],
                });
            }
        }
        let parts = groups.into_iter().flat_map(|(_, of_group)| of_group);
        Ok(parts.map(|part| part.models).collect())
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

/// Rows of one statement.
struct Part<E: Versioned> {
    bytes: usize,
    models: Vec<E::ActiveModel>,
}
