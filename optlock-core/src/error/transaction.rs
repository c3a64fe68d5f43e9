//! Transactions that did not end as their owner meant them to.

use sea_orm::DbErr;

use super::reason::Reason;
use crate::backend::Fault;

/// A statement, or the commit, of a transaction that had failed before. It was not done, and nothing of the transaction is stored.
///
/// `source()` is the error with which it failed, which somebody has seen and gone on. On PostgreSQL, every error ends the transaction until it is rolled
/// back, or a savepoint from before the error is, and a commit then stores nothing without a word. On MySQL and MariaDB a deadlock and its
/// like do, and the next statement would be committed on its own.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// use optlock::Error;
/// use sea_orm::{ConnectionTrait, DatabaseConnection};
///
/// /// On PostgreSQL this is `Error::TransactionFailed`, and not a success that stores nothing.
/// async fn careless(db: &DatabaseConnection) -> Result<(), Error> {
///     optlock::transaction(db, |txn| async move {
///         txn.execute_unprepared("UPDATE product SET stock = 2").await?;
///         let _ = txn.execute_unprepared("INSERT INTO product SELECT * FROM product").await;
///         Ok(())
///     })
///     .await
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// careless(&db).await?; // SQLite undoes the failed statement alone
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct TransactionFailed(Box<Failure>);

#[derive(Clone, Debug, thiserror::Error)]
#[error("the transaction had failed before, so this was not done")]
struct Failure {
    source: DbErr,
}

impl TransactionFailed {
    pub(crate) fn new(cause: DbErr) -> Self {
        Self(Box::new(Failure { source: cause }))
    }

    /// What the error was with which the transaction failed.
    pub fn fault(&self) -> Fault {
        crate::backend::fault(&self.0.source)
    }

    /// The error with which the transaction failed.
    pub fn as_db_err(&self) -> &DbErr {
        &self.0.source
    }
}

/// A [`Txn`](crate::Txn), or a [`Savepoint`](crate::Savepoint), that was kept for longer than what it is the handle of.
///
/// The closure of a transaction must let go of its handle before it returns: whoever has it could go on writing after the commit. If it has not, this is
/// what comes of the transaction, which is rolled back. Statements through the handle are refused with it, too, and so are those through a savepoint
/// that has ended with one around it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a handle was kept for longer than its transaction or savepoint")]
pub struct Escaped {
    _private: (),
}

impl Escaped {
    pub(crate) fn new() -> Self {
        Self { _private: () }
    }
}

/// A transaction of which nobody knows whether it was committed: `COMMIT` was sent, and its answer was lost, or, where it is
/// part of a longer statement, that was cut short.
///
/// It is not redone, for that could do the work twice. Give [`Policy::transaction_verified`](crate::Policy::transaction_verified) a way to find out,
/// or say that doing it twice does no harm ([`Policy::idempotent`](crate::Policy::idempotent)). What became of the connection is among its causes.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct OutcomeUnknown(Box<LostAnswer>);

#[derive(Clone, Debug, thiserror::Error)]
#[error("the answer to the commit was lost: whether the transaction is stored is not known")]
struct LostAnswer {
    source: Reason,
}

impl OutcomeUnknown {
    pub(crate) fn new(cause: DbErr) -> Self {
        let source = Reason::new(Fault::OutcomeUnknown, Some(cause));
        Self(Box::new(LostAnswer { source }))
    }
}
