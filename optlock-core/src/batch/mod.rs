//! Writes to many rows that were loaded, each checked against its own version.

mod delete;
mod insert;
mod rows;
mod run;
mod statement;
mod update;
mod write;

use sea_orm::{DeleteResult, EntityTrait, UpdateResult};

use delete::Deletes;
use rows::Mode;
use run::run;
use update::{Reads, Updates};

use crate::advance::require_support;
use crate::entity::{Versioned, table};
use crate::error::{Conflict, Error, Operation};
use crate::lock_mode::LockWait;
use crate::place::ModifyIn;
use crate::policy::Policy;
use crate::transaction::OpenTransaction;

type ActiveModel<E> = <E as EntityTrait>::ActiveModel;

/// An update of many rows that were loaded, each at its own version, made by `Entity::update_batch(active_models)`.
///
/// Each row is written as `Entity::update` writes it: the columns that are `Set` in its active model, which may be others for each row, and its next
/// version, if it is at the version that the active model holds. A row with nothing `Set` is not written, but must be at its version. It takes a few statements for
/// all rows: one for up to 1,000 rows that have the same columns `Set` (fewer where they are large, or of types that the list of rows cannot carry: see GUARANTEES.md).
/// The hooks of SeaORM do not run, as with its own builders.
///
/// On a connection, the batch is a transaction of its own. It is first written without a look at the rows; if some are not as expected, that is undone, and the
/// rows are locked in the order of their keys and looked at. A deadlock with somebody else, a serialization failure and a database that is busy are retried by
/// the default policy, or that of [`policy`](Self::policy); a conflict is an answer, and is not. In a transaction of the caller's, the rows are locked first, and nothing is
/// retried.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, tea) = fixture::shop().await?;
/// # let mug = product::ActiveModel { name: Set("mug".to_owned()), stock: Set(1), ..Default::default() }.insert(&db).await?;
/// let stock = |product: product::Model, stock| product::ActiveModel { stock: Set(stock), ..product.into_active_model() };
/// let stale = stock(mug.clone(), 9);
/// let products = product::Entity::update_batch([stock(tea, 5), stock(mug, 6)]).exec(&db).await?;
/// assert!(products.iter().all(|product| product.version == 2));
///
/// // What can be done, and why the rest was not.
/// let mut tea = products[0].clone().into_active_model();
/// tea.name = Set("green tea".to_owned());
/// let verdicts = product::Entity::update_batch([stale, tea]).exec_each(&db).await?;
/// let [Err(conflict), Ok(tea)] = verdicts.as_slice() else { panic!("one of them is stale") };
/// assert_eq!(conflict.to_string(), "update_batch of product 8 at version 1 conflicts: the row is at version 2");
/// assert_eq!((tea.name.as_str(), tea.version), ("green tea", 3));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a batch does nothing until it is executed"]
pub struct UpdateBatch<E: Versioned> {
    models: Vec<ActiveModel<E>>,
    policy: Policy<'static>,
}

impl<E: Versioned> UpdateBatch<E> {
    /// What `Entity::update_batch` is for one entity, for code that is generic over versioned ones.
    pub fn new(models: impl IntoIterator<Item = ActiveModel<E>>) -> Self {
        Self {
            models: models.into_iter().collect(),
            policy: Policy::new(),
        }
    }

    /// Retries by this policy, on a connection. Whatever the policy says, it does not retry a conflict, nor [`Fault::OutcomeUnknown`](crate::Fault::OutcomeUnknown):
    /// the rows may then be at the versions that the batch gave them, and would look like a rival's. With a `lock_wait`, the rows are locked first.
    pub fn policy(mut self, policy: Policy<'static>) -> Self {
        self.policy = policy;
        self
    }

    /// Updates all rows, or none, and returns them as they were stored, in the caller's order. No rows, no SQL.
    ///
    /// # Errors
    ///
    /// [`Error::Conflicts`], which names every row that is not at its expected version, or that something in the database holds back; then nothing is written. In a
    /// transaction of the caller's, roll back if one of them is [`Found::Blocked`](crate::Found::Blocked): the others are written by then.
    ///
    /// [`Error::NotSet`], [`Error::DuplicateKey`], [`Error::Overflow`] and [`Error::Unsupported`] before any SQL; [`Error::Lock`]; [`Error::TooManyRows`] and
    /// [`Error::Imprecise`], which roll back what is on a connection; what [`Policy::transaction`] returns of a transaction itself; [`Error::Database`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves all rows as they were or all updated; which of the two is not known, unless the batch is part of a
    /// transaction: roll that back, since what became of it is not known.
    pub async fn exec<C: ModifyIn>(self, db: &C) -> Result<Vec<E::Model>, Error> {
        let verdicts = self.run(db, Mode::AllOrNone, Reads::Unknown).await?;
        // All of them are `Ok`, and have been read.
        Ok(verdicts.into_iter().filter_map(Result::ok).flatten().collect())
    }

    /// Updates the rows that can be, and says of each, in the caller's order, what it is now or why it was not written. No rows, no SQL.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec), without [`Error::Conflicts`]: those are in the verdicts.
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec), for the rows that can be written.
    pub async fn exec_each<C: ModifyIn>(self, db: &C) -> Result<Vec<Result<E::Model, Conflict>>, Error> {
        let verdicts = self.run(db, Mode::Each, Reads::Unknown).await?;
        // Each has a model or a conflict.
        Ok(verdicts.into_iter().filter_map(Result::transpose).collect())
    }

    /// Updates all rows, or none, and returns how many were written: not those with nothing `Set`.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec).
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_without_returning<C: ModifyIn>(self, db: &C) -> Result<UpdateResult, Error> {
        let models = self.models.iter();
        let written = models
            .filter(|model| crate::update::changes::<E>(model).next().is_some())
            .count();
        self.run(db, Mode::AllOrNone, Reads::None).await?;
        let mut result = UpdateResult::default();
        result.rows_affected = written as u64;
        Ok(result)
    }

    async fn run<C: ModifyIn>(
        self,
        db: &C,
        mode: Mode,
        reads: Reads,
    ) -> Result<Vec<Result<Option<E::Model>, Conflict>>, Error> {
        let backend = db.get_database_backend();
        require_support::<E>(backend)?;
        let span = tracing::debug_span!("optlock.update_batch", table = table::<E>(), rows = self.models.len());
        let updates = Updates::<E>::of(self.models, backend, Operation::UpdateBatch, mode, reads)?;
        if updates.rows.len() == 0 {
            return Ok(Vec::new());
        }
        run(&self.policy, db, &updates, span).await
    }
}

/// A delete of many rows that were loaded, each at its own version, made by `Entity::delete_batch(active_models)`: in a few statements, as an
/// [`UpdateBatch`] updates them.
///
/// On PostgreSQL, the locking read that looks at rows that are not as expected (and at all rows in a transaction of the caller's, and with a `lock_wait`) needs
/// the privilege UPDATE, beside SELECT and DELETE.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, tea) = fixture::shop().await?;
/// # let mug = product::ActiveModel { name: Set("mug".to_owned()), stock: Set(1), ..Default::default() }.insert(&db).await?;
/// let stale = tea.clone();
/// tea.touch(&db).await?;
/// let verdicts = product::Entity::delete_batch([mug, stale]).exec_each(&db).await?;
/// assert!(verdicts[0].is_ok() && verdicts[1].is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a batch does nothing until it is executed"]
pub struct DeleteBatch<E: Versioned> {
    models: Vec<ActiveModel<E>>,
    policy: Policy<'static>,
}

impl<E: Versioned> DeleteBatch<E> {
    /// What `Entity::delete_batch` is for one entity, for code that is generic over versioned ones.
    pub fn new(models: impl IntoIterator<Item = ActiveModel<E>>) -> Self {
        Self {
            models: models.into_iter().collect(),
            policy: Policy::new(),
        }
    }

    /// Retries by this policy, on a connection. Whatever the policy says, it does not retry a conflict, nor [`Fault::OutcomeUnknown`](crate::Fault::OutcomeUnknown):
    /// the rows may then be at the versions that the batch gave them, and would look like a rival's. With a `lock_wait`, the rows are locked first.
    pub fn policy(mut self, policy: Policy<'static>) -> Self {
        self.policy = policy;
        self
    }

    /// Deletes all rows, or none. No rows, no SQL.
    ///
    /// # Errors
    ///
    /// As [`UpdateBatch::exec`], without [`Error::Overflow`] and [`Error::Imprecise`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves all rows as they were or all deleted; which of the two is not known, unless the batch is part of a
    /// transaction: roll that back, since what became of it is not known.
    pub async fn exec<C: ModifyIn>(self, db: &C) -> Result<DeleteResult, Error> {
        let verdicts = self.run(db, Mode::AllOrNone).await?;
        let mut result = DeleteResult::empty();
        result.rows_affected = verdicts.len() as u64;
        Ok(result)
    }

    /// Deletes the rows that can be, and says of each, in the caller's order, whether it is deleted or why it is not. No rows, no SQL.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec), without [`Error::Conflicts`]: those are in the verdicts.
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec), for the rows that can be deleted.
    pub async fn exec_each<C: ModifyIn>(self, db: &C) -> Result<Vec<Result<(), Conflict>>, Error> {
        self.run(db, Mode::Each).await
    }

    async fn run<C: ModifyIn>(self, db: &C, mode: Mode) -> Result<Vec<Result<(), Conflict>>, Error> {
        require_support::<E>(db.get_database_backend())?;
        if self.models.is_empty() {
            return Ok(Vec::new());
        }
        let span = tracing::debug_span!("optlock.delete_batch", table = table::<E>(), rows = self.models.len());
        let deletes = Deletes::<E>::of(&self.models, mode)?;
        run(&self.policy, db, &deletes, span).await
    }
}

/// `Entity::update_batch`.
pub fn update_batch<E, I, A>(models: I) -> UpdateBatch<E>
where
    E: Versioned,
    I: IntoIterator<Item = A>,
    A: Into<ActiveModel<E>>,
{
    UpdateBatch::new(models.into_iter().map(Into::into))
}

/// `Entity::delete_batch`.
pub fn delete_batch<E, I, A>(models: I) -> DeleteBatch<E>
where
    E: Versioned,
    I: IntoIterator<Item = A>,
    A: Into<ActiveModel<E>>,
{
    DeleteBatch::new(models.into_iter().map(Into::into))
}

/// Updates rows that are locked and have something `Set`, and returns them in the caller's order.
pub(crate) async fn update_locked<E, T>(
    txn: &T,
    wait: LockWait,
    models: Vec<ActiveModel<E>>,
) -> Result<Vec<E::Model>, Error>
where
    E: Versioned,
    T: OpenTransaction,
{
    let backend = txn.get_database_backend();
    let updates = Updates::<E>::of(models, backend, Operation::Update, Mode::Each, Reads::All)?;
    let mut verdicts = updates.rows.unknown();
    let all = updates.rows.ordered(|_| true);
    updates.write_held(txn, wait, all, &mut verdicts).await?;
    let models = verdicts.into_iter().flatten().filter_map(Result::transpose);
    models.map(|verdict| verdict.map_err(Error::from)).collect()
}
