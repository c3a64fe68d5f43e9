//! One round: a closure applied to a row, and what it changed written.

use sea_orm::sea_query::{IntoValueTuple, ValueTuple};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ActiveValue, ConnectionTrait, DbBackend, DbErr, EntityTrait, Iterable,
    PrimaryKeyToColumn, PrimaryKeyTrait, Select, TryInsertResult,
};

use crate::active;
use crate::backend::{Fault, capabilities};
use crate::change::changes;
use crate::entity::{Versioned, table};
use crate::error::{Conflict, Error, Found, MissingRows, Unsupported, fault};
use crate::lock::{Locked, for_write};
use crate::lock_mode::LockWait;
use crate::policy::Undone;
use crate::transaction::OpenTransaction;
use crate::value::RowKey;

pub(super) type Key<E> = <<E as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType;

/// Why a round did not succeed.
pub(super) enum Failure<E> {
    /// The closure does not want to.
    Refused(E),
    /// The row could not be read or locked.
    Read(Error),
    /// It could not be written.
    Write(Error),
    /// It could not be inserted.
    Insert(Error),
    /// It was written, and SeaORM's hook after that has failed.
    After(Error),
}

/// What comes of a transaction itself: its beginning and its commit.
impl<E> From<Error> for Failure<E> {
    fn from(err: Error) -> Self {
        Self::Write(err)
    }
}

impl<E: From<Error>> Failure<E> {
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Refused(_) => Fault::Other,
            Self::Read(err) | Self::Write(err) | Self::Insert(err) | Self::After(err) => fault(err),
        }
    }

    /// What is known of a round outside of a transaction.
    pub(super) fn undone(&self) -> Undone {
        match self {
            Self::Write(_) | Self::Insert(_) => Undone::by(self.fault()),
            Self::After(_) => Undone::Done,
            Self::Refused(_) | Self::Read(_) => Undone::Known,
        }
    }

    pub(super) fn is_of_insert(&self) -> bool {
        matches!(self, Self::Insert(_))
    }

    /// The row that won, if the round was lost to one.
    pub(super) fn winner<M: Clone + 'static>(&self, table: &str, target: &Target) -> Option<M> {
        self.conflict(table, target)?.current::<M>().cloned()
    }

    /// Whether the round was lost to somebody who has deleted the row.
    pub(super) fn is_of_a_deleted_row(&self, table: &str, target: &Target) -> bool {
        let conflict = self.conflict(table, target);
        conflict.is_some_and(|conflict| *conflict.found() == Found::Deleted)
    }

    /// Whether the round was lost to somebody else, in a way in which another one can be won.
    pub(super) fn is_lost(&self, table: &str, target: &Target) -> bool {
        let conflict = self.conflict(table, target);
        conflict.is_some_and(|conflict| matches!(conflict.found(), Found::Changed { .. } | Found::Deleted))
    }

    /// The conflict over this row. A hook can have met one over another.
    fn conflict(&self, table: &str, target: &Target) -> Option<&Conflict> {
        match self {
            Self::Write(Error::Conflict(conflict))
                if conflict.table() == table && *conflict.key() == target.row_key() =>
            {
                Some(conflict)
            }
            _ => None,
        }
    }

    pub(super) fn into_error(self) -> E {
        match self {
            Self::Refused(err) => err,
            Self::Read(err) | Self::Write(err) | Self::Insert(err) | Self::After(err) => err.into(),
        }
    }
}

/// A row to be changed, by its key.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) key: ValueTuple,
}

impl Target {
    pub(super) fn new<E: EntityTrait>(key: impl Into<Key<E>>) -> Self {
        Self {
            key: key.into().into_value_tuple(),
        }
    }

    /// The key, for errors.
    pub(super) fn row_key(&self) -> RowKey {
        RowKey::new(self.key.clone())
    }

    fn select<E: EntityTrait>(&self) -> Select<E> {
        let keys = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
        keys.zip(self.key.clone()).fold(E::find(), |select, (column, value)| {
            use sea_orm::{ColumnTrait, QueryFilter};

            select.filter(column.eq(value))
        })
    }

    pub(super) async fn read<E: Versioned>(&self, db: &impl ConnectionTrait) -> Result<Option<E::Model>, Error> {
        self.select::<E>().one(db).await.map_err(Error::from)
    }

    pub(super) async fn lock<E: Versioned>(
        &self,
        txn: &impl OpenTransaction,
        wait: LockWait,
    ) -> Result<Option<E::Model>, Error> {
        let select = for_write(self.select::<E>(), txn.get_database_backend(), wait);
        Ok(select.one(txn).await?.map(Locked::into_model))
    }

    pub(super) fn missing<E: EntityTrait>(&self) -> Error {
        MissingRows::new(table::<E>(), 1, 0, vec![self.row_key()]).into()
    }

    /// Inserts a new row with this key.
    pub(super) async fn insert<En: Versioned, E>(
        &self,
        model: En::ActiveModel,
        db: &impl ConnectionTrait,
    ) -> Result<En::Model, Failure<E>> {
        let model = self.keyed::<En, E>(model, db.get_database_backend())?;
        let model = model.before_save(db, true).await.map_err(before_write)?;
        let inserted = active::insert_one::<En>(model).exec_with_returning(db).await;
        let inserted = inserted.map_err(Failure::Insert)?;
        let saved = En::ActiveModel::after_save(inserted, db, true).await;
        saved.map_err(|err| Failure::After(err.into()))
    }

    /// Inserts a new row with this key unless there is one: `None`.
    pub(super) async fn insert_unless_taken<En: Versioned, E>(
        &self,
        model: En::ActiveModel,
        txn: &impl OpenTransaction,
    ) -> Result<Option<En::Model>, Failure<E>> {
        let model = self.keyed::<En, E>(model, txn.get_database_backend())?;
        let model = model.before_save(txn, true).await.map_err(before_write)?;
        let insert = active::insert_one::<En>(model).on_conflict_do_nothing();
        let inserted = insert.exec_without_returning(txn).await.map_err(Failure::Insert)?;
        if !matches!(inserted, TryInsertResult::Inserted(1)) {
            return Ok(None);
        }
        // By key, since SeaORM would return it to those alone whose models turn into active ones in its own way.
        let Some(inserted) = self.lock::<En>(txn, LockWait::AsSet).await.map_err(Failure::Read)? else {
            return Ok(None);
        };
        let saved = En::ActiveModel::after_save(inserted, txn, true).await;
        saved.map(Some).map_err(|err| Failure::After(err.into()))
    }

    fn keyed<En: Versioned, E>(
        &self,
        mut model: En::ActiveModel,
        backend: DbBackend,
    ) -> Result<En::ActiveModel, Failure<E>> {
        let keys = En::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
        for (column, key) in keys.zip(self.key.clone()) {
            match model.get(column) {
                ActiveValue::Set(value) | ActiveValue::Unchanged(value) if value != key => {
                    let what = "a new row with another key than the one that was asked for";
                    let refusal = Unsupported::new(capabilities(backend).name, what);
                    return Err(Failure::Write(refusal.into()));
                }
                _ => model.try_set(column, key).map_err(before_write)?,
            }
        }
        Ok(model)
    }
}

/// Applies the closure to a row and writes what it changes.
pub(super) async fn change<En, E>(
    db: &impl ConnectionTrait,
    before: &En::Model,
    is_current: bool,
    change: &mut impl FnMut(&mut En::Model) -> Result<(), E>,
) -> Result<En::Model, Failure<E>>
where
    En: Versioned,
{
    let model = apply::<En, E>(before, db.get_database_backend(), change)?;
    // A row that has just been read needs no proof that nothing has happened to it.
    if is_current && !model.is_changed() {
        return Ok(before.clone());
    }
    let stored = write::<En, E>(db, model).await?;
    after::<En, E>(db, stored).await
}

/// What the closure changes in a row.
pub(super) fn apply<En: Versioned, E>(
    before: &En::Model,
    backend: DbBackend,
    change: &mut impl FnMut(&mut En::Model) -> Result<(), E>,
) -> Result<En::ActiveModel, Failure<E>> {
    let mut after = before.clone();
    change(&mut after).map_err(Failure::Refused)?;
    changes::<En::Model>(before, &after, backend).map_err(Failure::Write)
}

/// Writes it.
pub(super) async fn write<En: Versioned, E>(
    db: &impl ConnectionTrait,
    model: En::ActiveModel,
) -> Result<En::Model, Failure<E>> {
    let model = before::<En, E>(db, model).await?;
    send::<En, E>(db, model).await
}

/// What comes before that.
pub(super) async fn before<En: Versioned, E>(
    db: &impl ConnectionTrait,
    model: En::ActiveModel,
) -> Result<En::ActiveModel, Failure<E>> {
    model.before_save(db, false).await.map_err(before_write)
}

/// The write itself.
pub(super) async fn send<En: Versioned, E>(
    db: &impl ConnectionTrait,
    model: En::ActiveModel,
) -> Result<En::Model, Failure<E>> {
    active::update_one::<En>(model).exec(db).await.map_err(Failure::Write)
}

/// What comes after that.
pub(super) async fn after<En: Versioned, E>(
    db: &impl ConnectionTrait,
    stored: En::Model,
) -> Result<En::Model, Failure<E>> {
    let saved = En::ActiveModel::after_save(stored, db, false).await;
    saved.map_err(|err| Failure::After(err.into()))
}

/// Nothing has been written by then.
fn before_write<E>(err: DbErr) -> Failure<E> {
    Failure::Write(err.into())
}
