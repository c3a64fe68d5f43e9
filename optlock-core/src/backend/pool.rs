//! Which pool a connection is of.

use sea_orm::DatabaseConnection;

/// Tells the pools of this process apart, as long as they are there: clones of a connection share theirs. `None` for a connection that is not of a
/// pool, or whose driver's feature is not on.
pub(crate) fn pool(db: &DatabaseConnection) -> Option<usize> {
    #[cfg(any(feature = "sqlx-sqlite", feature = "sqlx-postgres", feature = "sqlx-mysql"))]
    {
        use sea_orm::DatabaseConnectionType;

        // The options are the pool's own, and behind its `Arc`: nothing else has their address.
        match &db.inner {
            #[cfg(feature = "sqlx-postgres")]
            DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
                return Some(std::ptr::from_ref(db.get_postgres_connection_pool().options()).addr());
            }
            #[cfg(feature = "sqlx-mysql")]
            DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                return Some(std::ptr::from_ref(db.get_mysql_connection_pool().options()).addr());
            }
            #[cfg(feature = "sqlx-sqlite")]
            DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
                return Some(std::ptr::from_ref(db.get_sqlite_connection_pool().options()).addr());
            }
            _ => {}
        }
    }
    let _ = db;
    None
}
