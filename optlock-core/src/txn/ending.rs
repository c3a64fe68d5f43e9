//! The end of a transaction whose driver may lose count of it.
//!
//! sqlx 0.9 counts the transactions of a connection by itself. A `COMMIT` in which SQLite has rolled back (a full disk, an error of the disk) goes on counting, since
//! the `ROLLBACK` that comes after it fails, too. The next transaction of that connection is then begun as a savepoint, and one that is rolled back is left open: what
//! follows on the connection is never stored, and reported as if it were. So both ends are SQL of ours, and what the driver ends is an empty transaction, which counts.
//!
//! None of this may be cut short.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

pub(super) async fn commit(txn: DatabaseTransaction, empty: &'static str) -> Result<(), DbErr> {
    let committed = txn.execute_unprepared("COMMIT").await.map(drop);
    if committed.is_err() {
        // Some failures leave the transaction open. The error is that there is none.
        let _ = txn.execute_unprepared("ROLLBACK").await;
    }
    let_go(txn, empty).await;
    committed
}

pub(super) async fn rollback(txn: DatabaseTransaction, empty: &'static str) -> Result<(), DbErr> {
    let rolled_back = txn.execute_unprepared("ROLLBACK").await.map(drop);
    let_go(txn, empty).await;
    rolled_back
}

/// Has the driver end a transaction in which there is nothing.
async fn let_go(txn: DatabaseTransaction, empty: &'static str) {
    let ended = match txn.execute_unprepared(empty).await {
        Ok(_) => txn.commit().await,
        // Something is open after all, and must not be stored.
        Err(_) => txn.rollback().await,
    };
    if let Err(err) = ended {
        tracing::warn!(error = %err, "a connection may go back to its pool within a transaction");
    }
}
