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

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectOptions, Database, DbBackend, Statement, TransactionTrait};

    use super::*;
    use crate::backend::capabilities;

    /// No way is known to have a server refuse a `ROLLBACK`, so this begins where that would have failed.
    #[tokio::test]
    async fn what_could_not_be_rolled_back_is_not_stored() {
        let mut options = ConnectOptions::new("sqlite::memory:");
        options.max_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await.unwrap();
        db.execute_unprepared("CREATE TABLE t (id INTEGER)").await.unwrap();
        let empty = capabilities(DbBackend::Sqlite).transactions.empty.unwrap();

        let txn = db.begin().await.unwrap();
        txn.execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap();
        let_go(txn, empty).await;

        let count = Statement::from_string(DbBackend::Sqlite, "SELECT COUNT(*) FROM t");
        let count: i64 = db
            .query_one_raw(count)
            .await
            .unwrap()
            .unwrap()
            .try_get_by_index(0)
            .unwrap();
        assert_eq!(count, 0);
        // Nothing is open.
        db.execute_unprepared("BEGIN; COMMIT").await.unwrap();
    }
}
