//! Inserts of more rows than one statement takes.

use tracing::Instrument;

use crate::entity::{Versioned, table};
use crate::error::Error;
use crate::insert_many::InsertMany;
use crate::place::{ModifyIn, Place};
use crate::policy::Policy;
use crate::transaction::OpenTransaction;
use crate::txn::Txn;

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
        let parts = self.parts(db.get_database_backend())?;
        if parts.is_empty() {
            return Ok(0);
        }
        let span = tracing::debug_span!("optlock.insert_many", table = table::<E>(), parts = parts.len());
        let parts = parts.as_slice();
        let inserts = async {
            match db.place() {
                Place::Connection(db) => {
                    let work = |txn: Txn| async move { insert::<E, Txn>(&txn, parts).await };
                    Policy::new().transaction(db, work).await
                }
                Place::Transaction(txn) => insert::<E, C::Transaction>(txn, parts).await,
            }
        };
        inserts.instrument(span).await
    }
}

/// Inserts the parts one by one.
async fn insert<E: Versioned, T: OpenTransaction>(txn: &T, parts: &[Vec<E::ActiveModel>]) -> Result<u64, Error> {
    let mut rows = 0;
    for part in parts {
        rows += InsertMany::<E>::new(part.iter().cloned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(rows)
}
