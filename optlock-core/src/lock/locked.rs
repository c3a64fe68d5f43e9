//! A row that is locked until its transaction ends.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::time::Instant;

use sea_orm::{DatabaseTransaction, DeleteResult, EntityTrait, ModelTrait};

use crate::active;
use crate::backend::Attempt;
use crate::change::changes;
use crate::entity::{Versioned, table};
use crate::error::{Error, Operation};
use crate::lock_mode::LockWait;
use crate::locking_read::{failure, settle};
use crate::transaction::OpenTransaction;

/// A row that nobody else can change until the transaction ends, as it was read when it was locked.
///
/// It borrows its transaction: it cannot be used after the commit, nor be returned from the transaction. It derefs to the
/// model, and [`into_model`](Self::into_model) lets the model go.
///
/// Rows of a versioned entity are written through it. A write advances the version, so that everybody who holds an older
/// copy is told. Rows of other entities are written as usual:
/// `row.into_model().into_active_model()`, then SeaORM's `update`.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use sea_orm::TransactionTrait;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// let txn = db.begin().await?;
/// let tea = product::Entity::find_by_id(7).for_update().one(&txn).await?.ok_or("no tea")?;
/// if tea.stock >= 3 {
///     let tea = tea.update(|tea| tea.stock -= 3).await?;
///     assert_eq!(tea.stock, 0);
///     tea.delete().await?;
/// }
/// txn.commit().await?;
/// # Ok(())
/// # }
/// ```
pub struct Locked<'t, M, T = DatabaseTransaction> {
    model: M,
    txn: &'t T,
}

impl<'t, M: ModelTrait, T: OpenTransaction> Locked<'t, M, T> {
    pub(crate) fn new(model: M, txn: &'t T) -> Self {
        Self { model, txn }
    }

    /// The model, which can outlive the transaction. The row stays locked until that ends.
    pub fn into_model(self) -> M {
        self.model
    }
}

impl<M, T> Deref for Locked<'_, M, T> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.model
    }
}

impl<M: fmt::Debug, T> fmt::Debug for Locked<'_, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Locked").field(&self.model).finish()
    }
}

impl<M, T> Locked<'_, M, T>
where
    M: ModelTrait<Entity: Versioned<Model = M>>,
    T: OpenTransaction,
{
    /// Writes the columns that `change` changes, advances the version, and returns the row as it was stored, still
    /// locked. If nothing changes, nothing is written and the version stays. Runs SeaORM's save hooks.
    ///
    /// The version is in the condition, as in any update, at no extra cost: the row cannot have another one while it is
    /// locked. A lock can be lost, though, by the rollback of a savepoint in which it was taken, and a `for_key_share`
    /// lets others change the row; that, then, is a conflict and no lost update.
    ///
    /// # Errors
    ///
    /// [`Error::VersionAssigned`], [`Error::Overflow`] and [`Error::Unsupported`] (`change` has changed the key) before any SQL;
    /// [`Error::Lock`] if the write meets somebody else's lock, on this row if it is shared, or on a row that it refers
    /// to; otherwise as `ActiveModel::update`. An error takes the row with it: lock it again if the transaction can go on.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the row as it was or updated in full. After it, roll back: what became of the transaction
    /// is not known.
    pub async fn update(self, change: impl FnOnce(&mut M)) -> Result<Self, Error> {
        let mut after = self.model.clone();
        change(&mut after);
        let model = changes::<M>(&self.model, &after, self.txn.get_database_backend())?;
        let write = active::update::<M::Entity, T>(model, self.txn);
        let model = written::<M::Entity, _, _>(self.txn, Operation::Update, write).await?;
        Ok(Self { model, ..self })
    }

    /// Advances the version and changes nothing else, so that everybody who holds an older copy is told. Runs SeaORM's
    /// save hooks.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    ///
    /// # Cancel safety
    ///
    /// As [`update`](Self::update).
    pub async fn touch(self) -> Result<Self, Error> {
        let write = active::touch::<M::Entity, T>(M::Entity::into_active_model(self.model), self.txn);
        let model = written::<M::Entity, _, _>(self.txn, Operation::Touch, write).await?;
        Ok(Self { model, txn: self.txn })
    }

    /// Deletes the row. Runs SeaORM's delete hooks.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the row as it was or deleted. After it, roll back: what became of the transaction is not
    /// known.
    pub async fn delete(self) -> Result<DeleteResult, Error> {
        let write = active::delete::<M::Entity, T>(M::Entity::into_active_model(self.model), self.txn);
        written::<M::Entity, _, _>(self.txn, Operation::Delete, write).await
    }
}

/// The outcome of a write to a locked row, whose transaction an error may have ended.
async fn written<E, T, R>(
    txn: &T,
    operation: Operation,
    write: impl Future<Output = Result<R, Error>>,
) -> Result<R, Error>
where
    E: EntityTrait,
    T: OpenTransaction,
{
    let started = Instant::now();
    let err = match write.await {
        Ok(output) => return Ok(output),
        Err(Error::Database(err)) => err.into_db_err(),
        Err(err) => {
            if let Some(fault) = err.fault() {
                settle(txn, fault, fault).await;
            }
            return Err(err);
        }
    };
    let attempt = Attempt {
        wait: LockWait::AsSet,
        elapsed: started.elapsed(),
        patience: None,
    };
    Err(failure(txn, table::<E>(), operation, err, &attempt).await)
}
