//! From a model in hand to a locked row.

use std::future::Future;
use std::time::Duration;

use sea_orm::{EntityTrait, FromQueryResult, ModelTrait, QueryFilter, QueryTrait};

use super::locked::Locked;
use crate::backend::{Fault, LockRequest};
use crate::diagnosis::{changed_since, gone, refused};
use crate::entity::Versioned;
use crate::error::{Error, Operation};
use crate::lock_mode::{LockStrength, LockWait};
use crate::locking_read::rows;
use crate::row::{Row, version_of};
use crate::transaction::OpenTransaction;

/// Row locks for models that were read before.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use sea_orm::TransactionTrait;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, tea) = fixture::shop().await?;
/// let stale = tea.clone();
/// let txn = db.begin().await?;
/// let tea = tea.lock(&txn).await?;
/// tea.update(|tea| tea.stock = 0).await?;
///
/// let err = stale.lock(&txn).await.unwrap_err();
/// assert_eq!(err.to_string(), "lock of product 7 at version 1 conflicts: the row is at version 2");
/// txn.commit().await?;
/// # Ok(())
/// # }
/// ```
pub trait LockModel: ModelTrait<Entity: Versioned<Model = Self>> + FromQueryResult {
    /// Locks the row `FOR UPDATE`, reads it once more, and returns it if it is still at the version of this model. The
    /// model is consumed: after this it is either known to be current, or out of date.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] if the row is at another version or gone, with the row that won. Where that is what
    /// is returned, the row is locked all the same. Otherwise as [`LockSelect::one`](super::LockSelect::one).
    ///
    /// # Cancel safety
    ///
    /// As [`LockSelect::one`](super::LockSelect::one).
    fn lock<T: OpenTransaction>(self, txn: &T) -> impl Future<Output = Result<Locked<'_, Self, T>, Error>> + Send {
        refresh(self, txn, LockWait::AsSet)
    }

    /// As [`lock`](Self::lock), but waits for the row for no longer than `limit`: see
    /// [`LockSelect::wait`](super::LockSelect::wait).
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    fn lock_within<T: OpenTransaction>(
        self,
        txn: &T,
        limit: Duration,
    ) -> impl Future<Output = Result<Locked<'_, Self, T>, Error>> + Send {
        refresh(self, txn, LockWait::at_most(limit))
    }
}

impl<M> LockModel for M where M: ModelTrait<Entity: Versioned<Model = M>> + FromQueryResult {}

async fn refresh<M, T>(model: M, txn: &T, wait: LockWait) -> Result<Locked<'_, M, T>, Error>
where
    M: LockModel,
    T: OpenTransaction,
{
    let row = Row::<M::Entity>::of(&M::Entity::into_active_model(model), Operation::Lock)?;
    let query = M::Entity::find().filter(row.by_key()).into_query();
    let request = LockRequest {
        strength: LockStrength::Update,
        wait,
        of: None,
    };
    let read = rows::<M::Entity, T>(txn, query, &request).await;
    let read = read.map_err(|err| match err {
        Error::Lock(err) if err.fault() == Fault::Serialization => refused(&row, Operation::Lock, err.into_db_err()),
        err => err,
    })?;
    let Some(result) = read.first() else {
        return Err(gone(&row, Operation::Lock));
    };
    let model = M::from_query_result(result, "")?;
    let version = version_of::<M::Entity>(&model)?;
    if version == row.expected {
        Ok(Locked::new(model, txn))
    } else {
        Err(changed_since(&row, Operation::Lock, version, model))
    }
}
