//! What backends need for a named lock, filled in by each backend's own file.

use sea_orm::{DatabaseConnection, DbErr, Statement};
#[cfg(feature = "sqlx-mysql")]
use sea_orm::{DatabaseConnectionType, SqlxMySqlConnector};

use crate::lock_mode::LockWait;

/// How one backend takes named locks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advisory {
    /// The statement that takes the lock of a name. Its only column is 1 if it has it, and something else if not.
    pub(crate) take: fn(&str, LockWait) -> Statement,
    /// Whether the lock is the session's and not the transaction's, so that it outlives a rollback.
    pub(crate) outlives_transaction: bool,
}

/// A session beside the pool, set up like the pool's own, which ends when it is closed or dropped.
///
/// It connects when it is used first.
#[cfg(feature = "sqlx-mysql")]
pub(crate) fn session_of_its_own(db: &DatabaseConnection) -> Result<DatabaseConnection, DbErr> {
    // `get_mysql_connection_pool` panics for any other kind.
    if !matches!(db.inner, DatabaseConnectionType::SqlxMySqlPoolConnection(_)) {
        return Err(not_a_pool());
    }
    let pool = db.get_mysql_connection_pool();
    let options = pool.options().clone().min_connections(0).max_connections(1);
    let pool = options.connect_lazy_with(pool.connect_options().as_ref().clone());
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
}

#[cfg(not(feature = "sqlx-mysql"))]
pub(crate) fn session_of_its_own(_: &DatabaseConnection) -> Result<DatabaseConnection, DbErr> {
    Err(not_a_pool())
}

fn not_a_pool() -> DbErr {
    DbErr::Custom("a named lock needs a connection pool of sqlx, and the feature `sqlx-mysql` of optlock".to_owned())
}
