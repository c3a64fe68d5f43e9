//! Open transactions: what row locks live in.

use std::fmt;

use sea_orm::{ConnectionTrait, TransactionSession};

/// An open transaction: SeaORM's `DatabaseTransaction`, which an [`AdvisoryTransaction`](crate::AdvisoryTransaction) derefs to (`&*txn`), its
/// `RestrictedTransaction`, and whatever else can be committed as a `TransactionSession`.
///
/// Row locks are taken in one, because the database gives them up when the transaction ends: on a connection or a pool,
/// where every statement is a transaction of its own, a lock would be gone before the call returns.
///
/// Bound by it, generic code takes either kind of transaction and no connection:
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use optlock::{Error, OpenTransaction};
/// use sea_orm::TransactionTrait;
///
/// async fn take<T: OpenTransaction>(txn: &T, id: i32) -> Result<i32, Error> {
///     let row = product::Entity::find_by_id(id).for_update().one(txn).await?;
///     Ok(row.map_or(0, |row| row.stock))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// let txn = db.begin().await?;
/// assert_eq!(take(&txn, 7).await?, 3);
/// txn.commit().await?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an open transaction",
    label = "a row lock that is taken here would be given up before this call returns",
    note = "locks live in transactions: `let txn = db.begin().await?;`, then pass `&txn`",
    note = "of an `AdvisoryTransaction`, pass `&*txn`",
    note = "generic code says `T: OpenTransaction` instead of `C: ConnectionTrait`"
)]
pub trait OpenTransaction: ConnectionTrait {}

#[diagnostic::do_not_recommend]
impl<T: ConnectionTrait + TransactionSession> OpenTransaction for T {}

/// What a failed statement has left of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionState {
    /// The statement was undone alone. What came before it stands, its locks are held, and the transaction can go on.
    Usable,
    /// The transaction can only be rolled back, at least to a savepoint from before the statement. On PostgreSQL this
    /// follows every error; on SQLite, it is a transaction whose snapshot is out of date, which can never write.
    MustRollBack,
    /// The server has rolled back the whole transaction, with its locks and its savepoints (MariaDB and MySQL, after a deadlock).
    /// Statements on the same handle would be committed one by one, so optlock has put the session into a read-only
    /// transaction: writes and exclusive locks are refused until the handle is rolled back. So roll back, whatever comes
    /// next: a commit would be `Ok`, with nothing left to store.
    RolledBack,
}

impl fmt::Display for TransactionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usable => "the transaction can go on",
            Self::MustRollBack => "the transaction must be rolled back",
            Self::RolledBack => "the server has rolled back the whole transaction",
        })
    }
}
