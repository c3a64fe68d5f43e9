//! Inserts of more rows than one statement takes.

use super::run::{Batch, run};
use crate::entity::{Versioned, table};
use crate::error::Error;
use crate::insert_many::InsertMany;
use crate::lock_mode::LockWait;
use crate::place::ModifyIn;
use crate::policy::Policy;
use crate::transaction::OpenTransaction;

impl<E: Versioned> InsertMany<E> {
    /// Inserts any number of rows, in as many statements as it takes, and returns their number: all of them or none. On a connection it is a transaction of
    /// its own, in which deadlocks and the like are retried by the default policy; in a transaction of the caller's, roll back after an error. No rows, no SQL.
    ///
    /// A statement holds about a megabyte at most. Rows that set other columns are in statements of their own, in the order in which the first of them appears: a
    /// column that is `NotSet` gets its default, also where another row sets it. (One statement, as of [`exec`](Self::exec), makes that NULL.)
    ///
    /// ```
    /// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
    /// # use fixture::product;
    /// use optlock::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (db, _) = fixture::shop().await?;
    /// let mugs = (0..20_000).map(|n| product::ActiveModel { name: Set(format!("mug {n}")), stock: Set(5), ..Default::default() });
    /// assert_eq!(product::Entity::insert_many(mugs).exec_in_parts(&db).await?, 20_000);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] before any SQL; what [`Policy::transaction`] returns of a transaction itself; [`Error::Database`].
    ///
    /// # Cancel safety
    ///
    /// As [`exec`](Self::exec).
    pub async fn exec_in_parts<C: ModifyIn>(self, db: &C) -> Result<u64, Error> {
        let backend = db.get_database_backend();
        let inserts = Inserts::<E> {
            parts: self.parts(backend)?,
        };
        if inserts.parts.is_empty() {
            return Ok(0);
        }
        let span = tracing::debug_span!("optlock.insert_many", table = table::<E>(), parts = inserts.parts.len());
        run(&Policy::new(), db, &inserts, span).await
    }
}

struct Inserts<E: Versioned> {
    parts: Vec<Vec<E::ActiveModel>>,
}

impl<E: Versioned> Batch for Inserts<E> {
    type Output = u64;

    async fn at_once<T: OpenTransaction>(&self, txn: &T, wait: LockWait) -> Result<Option<u64>, Error> {
        self.under_locks(txn, wait).await.map(Some)
    }

    /// There is nothing to lock.
    async fn under_locks<T: OpenTransaction>(&self, txn: &T, _: LockWait) -> Result<u64, Error> {
        let mut rows = 0;
        for part in &self.parts {
            rows += InsertMany::<E>::new(part.iter().cloned())
                .exec_without_returning(txn)
                .await?;
        }
        Ok(rows)
    }
}
