//! An insert of a row that is not there, or an update at the version it was read at.

use sea_orm::sea_query::LockType;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, PrimaryKeyTrait, Value};

use crate::advance::{initial, next, require_support};
use crate::backend::{Fault, capabilities};
use crate::diagnosis::{select, taken};
use crate::entity::Versioned;
use crate::error::{Error, Operation, Unsupported};
use crate::insert::Insert;
use crate::row::{by_key, key, version_in};
use crate::update::UpdateOne;
use crate::value::{RowKey, RowVersion};

const OPERATION: Operation = Operation::Upsert;

/// A row that is stored whether or not it was there, made by `Entity::upsert(active_model)`. No hooks run.
///
/// The active model must have its key. Its version, `Set` or unchanged, is the one at which the caller has seen the row: **afterwards the
/// row is at the version after that**. A row at that version is updated, and one that is not there is inserted, at the next version as
/// well, so that whoever holds a copy from before it was deleted is told. A row at another version is a [`Conflict`](crate::Conflict).
///
/// Without a version the caller has seen no row: it is inserted at its first version, and one that is there is a conflict,
/// whose [`expected`](crate::Conflict::expected) version is `NULL`.
///
/// An insert stores every column that is not `NotSet`; an update those that are `Set`, and it advances the version even if
/// there are none, or none that differ.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// let mug = |version| product::ActiveModel { id: Set(8), name: Set("mug".to_owned()), stock: Set(5), version };
/// let inserted = product::Entity::upsert(mug(NotSet)).exec(&db).await?;
/// assert!(inserted.is_inserted());
/// let updated = product::Entity::upsert(mug(Set(1))).exec(&db).await?;
/// assert!(!updated.is_inserted());
/// assert_eq!(updated.into_model().version, 2);
///
/// let stale = product::Entity::upsert(mug(Set(1))).exec(&db).await.unwrap_err();
/// assert_eq!(stale.to_string(), "upsert of product 8 at version 1 conflicts: the row is at version 2");
/// let there = product::Entity::upsert(mug(NotSet)).exec(&db).await.unwrap_err();
/// assert_eq!(
///     there.to_string(),
///     "upsert of product 8, which was expected not to be there, conflicts: the row is at version 2"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an upsert does nothing until it is executed"]
pub struct Upsert<E: Versioned> {
    model: E::ActiveModel,
}

/// What an [`Upsert`] has done, with the row as it was stored.
///
/// Not `non_exhaustive`: there is no third way to store a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upserted<M> {
    /// The row was not there.
    Inserted(M),
    /// The row was there, at the expected version.
    Updated(M),
}

impl<M> Upserted<M> {
    /// The row as it was stored.
    pub fn into_model(self) -> M {
        match self {
            Self::Inserted(model) | Self::Updated(model) => model,
        }
    }

    /// Whether the row was not there.
    pub const fn is_inserted(&self) -> bool {
        matches!(self, Self::Inserted(_))
    }
}

impl<E: Versioned> Upsert<E> {
    /// What `Entity::upsert` is for one entity, for code that is generic over versioned ones.
    pub fn new(model: E::ActiveModel) -> Self {
        Self { model }
    }

    /// Inserts or updates the row, and returns it as it was stored.
    ///
    /// With a version, a checked update comes first, and an insert if the row is not there; without one, an insert. Two
    /// callers who race are told apart by the primary key: one inserts, and the other has a conflict.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] if the row is at another version, or there although none was expected; [`Error::NotSet`] (the
    /// key), [`Error::Overflow`] and [`Error::Unsupported`] (also for the key 0 of an auto-increment on MySQL and MariaDB,
    /// which stands for the next key there) before any SQL; [`Error::TooManyRows`], [`Error::Unread`] and
    /// [`Error::Imprecise`] after the write; [`Error::Database`], also if the row meets another unique constraint.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the row as it was, or stored in full; which of the two is not known, unless the upsert
    /// is part of a transaction, which is then rolled back as always.
    pub async fn exec<C: ConnectionTrait>(self, db: &C) -> Result<Upserted<E::Model>, Error> {
        let backend = db.get_database_backend();
        require_support::<E>(backend)?;
        let mut model = self.model;
        require_key::<E>(backend, &model)?;
        let version = E::version_column();
        let expected = if model.get(version).is_not_set() {
            RowVersion::from(initial::<E>()).to_null()
        } else {
            let expected = version_in::<E>(&model, OPERATION)?;
            let next = next::<E>(backend, &expected, OPERATION)?;
            match UpdateOne::<E>::upsert(model.clone()).exec(db).await {
                Ok(updated) => return Ok(Upserted::Updated(updated)),
                Err(err) if err.is_gone() => {}
                Err(err) => return Err(err),
            }
            model.try_set(version, next.into())?;
            RowVersion::from(expected)
        };
        insert::<E, C>(db, model, expected).await.map(Upserted::Inserted)
    }
}

/// Inserts the row, unless somebody else has: a conflict.
async fn insert<E, C>(db: &C, model: E::ActiveModel, expected: RowVersion) -> Result<E::Model, Error>
where
    E: Versioned,
    C: ConnectionTrait,
{
    let key = key::<E>(&model, OPERATION)?;
    let row_key = || RowKey::new(key.iter().map(|(_, value)| value.clone()));
    let conflict = |current| taken::<E>(row_key(), expected.clone(), OPERATION, current);
    let capabilities = capabilities(db.get_database_backend());
    let aborts = capabilities.transactions.aborted_probe.is_some();
    let mut was_gone = false;
    loop {
        let insert = Insert::<E>::upsert(model.clone());
        let inserted = if aborts && !was_gone {
            // An error would end the transaction, so there is none.
            insert.unless_taken(db).await
        } else {
            insert.exec_with_returning(db).await.map(Some)
        };
        let refused = match inserted {
            Ok(Some(inserted)) => return Ok(inserted),
            Ok(None) => None,
            // The row was inserted after the snapshot.
            Err(Error::Database(err)) if err.fault() == Fault::Serialization => {
                return Err(conflict(Err(err.into_db_err())));
            }
            Err(err) if err.fault() == Some(Fault::Unique) => Some(err),
            Err(err) => return Err(err),
        };
        // The insert that met the row has shared its lock: to ask for more would be a deadlock with the others who did.
        let lock = capabilities.conflict_read.map(|_| LockType::Share);
        match (select::<E>(by_key::<E>(&key), lock).one(db).await, refused) {
            (Ok(Some(current)), _) => return Err(conflict(Ok(current))),
            // It is another constraint, or something has swallowed it (an error now, if it is one), or the row is gone again.
            (Ok(None), _) if !was_gone => was_gone = true,
            // It is another constraint, or nobody can say: in a transaction that the error has ended.
            (Ok(None) | Err(_), Some(refused)) => return Err(refused),
            (Err(err), None) => return Err(conflict(Err(err))),
            (Ok(None), None) => return Err(DbErr::RecordNotInserted.into()),
        }
    }
}

/// Refuses a key that is not that of a row: none, or a zero that stands for the next one.
fn require_key<E: Versioned>(backend: DbBackend, model: &E::ActiveModel) -> Result<(), Error> {
    let key = key::<E>(model, OPERATION)?;
    let capabilities = capabilities(backend);
    let is_counted = capabilities.counts_from_zero && E::PrimaryKey::auto_increment();
    if is_counted && key.iter().any(|(_, value)| is_zero(value)) {
        return Err(Unsupported::new(capabilities.name, "an upsert of the key 0 of an auto-increment").into());
    }
    Ok(())
}

const fn is_zero(value: &Value) -> bool {
    matches!(
        value,
        Value::TinyInt(Some(0))
            | Value::SmallInt(Some(0))
            | Value::Int(Some(0))
            | Value::BigInt(Some(0))
            | Value::TinyUnsigned(Some(0))
            | Value::SmallUnsigned(Some(0))
            | Value::Unsigned(Some(0))
            | Value::BigUnsigned(Some(0))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upsert_says_what_it_has_done() {
        assert!(Upserted::Inserted(7).is_inserted());
        assert!(!Upserted::Updated(7).is_inserted());
    }

    #[test]
    fn a_zero_of_every_width_stands_for_the_next_key() {
        let table: [[Value; 2]; 8] = [
            [0_i8.into(), 1_i8.into()],
            [0_i16.into(), (-1_i16).into()],
            [0_i32.into(), 10_i32.into()],
            [0_i64.into(), i64::MIN.into()],
            [0_u8.into(), u8::MAX.into()],
            [0_u16.into(), 1_u16.into()],
            [0_u32.into(), 1_u32.into()],
            [0_u64.into(), u64::MAX.into()],
        ];
        for [zero, other] in table {
            assert!(is_zero(&zero), "{zero:?}");
            assert!(!is_zero(&other), "{other:?}");
        }
        for other in [Value::BigInt(None), "0".into(), vec![0_u8].into()] {
            assert!(!is_zero(&other), "{other:?}");
        }
    }
}
