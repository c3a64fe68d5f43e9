//! What backends need for a named lock, filled in by each backend's own file.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, IsolationLevel, Statement};
#[cfg(feature = "sqlx-mysql")]
use sea_orm::{DatabaseConnectionType, SqlxMySqlConnector};

use crate::lock_mode::LockWait;

/// How one backend takes named locks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advisory {
    /// The statement that takes the lock of a name. Its only column is 1 if it has it, 0 if somebody else has it still, and
    /// null if the wait was cancelled.
    pub(crate) take: fn(&str, LockWait) -> Statement,
    /// How long one statement waits, where that must be bounded because a server goes on waiting for a caller who is gone.
    pub(crate) longest_wait: Option<Duration>,
    /// Gives up all named locks of the session, where they are the session's and outlive its transactions.
    pub(crate) release: Option<&'static str>,
    /// The level of the transaction, where the session's own could hide what the last holder of the lock has written.
    pub(crate) isolation_level: Option<IsolationLevel>,
}

/// A session beside the pool, set up like the pool's own, which connects when it is used first.
///
/// It ends when this is closed or dropped, whatever its connection is doing.
#[derive(Debug)]
pub(crate) struct Session(DatabaseConnection);

impl Session {
    #[cfg(feature = "sqlx-mysql")]
    pub(crate) fn beside(db: &DatabaseConnection) -> Result<Self, DbErr> {
        // `get_mysql_connection_pool` panics for any other kind.
        if !matches!(db.inner, DatabaseConnectionType::SqlxMySqlPoolConnection(_)) {
            return Err(not_a_pool());
        }
        let pool = db.get_mysql_connection_pool();
        let options = pool.options().clone().min_connections(0).max_connections(1);
        let pool = options.connect_lazy_with(pool.connect_options().as_ref().clone());
        Ok(Self(SqlxMySqlConnector::from_sqlx_mysql_pool(pool)))
    }

    #[cfg(not(feature = "sqlx-mysql"))]
    pub(crate) fn beside(_: &DatabaseConnection) -> Result<Self, DbErr> {
        Err(not_a_pool())
    }

    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.0
    }

    /// Gives up the locks, once the transaction has ended, and ends the session.
    ///
    /// In two steps, because a server takes its time to notice that a session has ended.
    pub(crate) async fn close(self, release: &str) {
        // What fails here is a connection that is broken, and gives its locks up with that.
        let _ = self.0.execute_unprepared(release).await;
        let _ = self.0.close_by_ref().await;
    }
}

impl Drop for Session {
    /// A connection that comes back to a closed pool is closed at once. An open one would first wait for the answer to what
    /// the connection was asked last.
    fn drop(&mut self) {
        #[cfg(feature = "sqlx-mysql")]
        drop(self.0.get_mysql_connection_pool().close());
    }
}

fn not_a_pool() -> DbErr {
    DbErr::Custom("a named lock needs a connection pool of sqlx, and the feature `sqlx-mysql` of optlock".to_owned())
}
