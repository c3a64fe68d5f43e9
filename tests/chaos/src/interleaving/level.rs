//! Isolation levels.

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};

use crate::backend::Backend;

/// How transactions are begun, and what GUARANTEES.md calls it.
#[derive(Debug)]
pub(crate) struct Level {
    name: &'static str,
    isolation: Option<IsolationLevel>,
    mode: Option<SqliteTransactionMode>,
    /// What a session is told ahead of its transactions.
    setting: Option<&'static str>,
}

const POSTGRES: [Level; 3] = [
    server("PostgreSQL, READ COMMITTED", IsolationLevel::ReadCommitted, None),
    server("PostgreSQL, REPEATABLE READ", IsolationLevel::RepeatableRead, None),
    server("PostgreSQL, SERIALIZABLE", IsolationLevel::Serializable, None),
];

/// The default of this setting has changed with MariaDB 11.6.
const LOOSE: Option<&str> = Some("SET SESSION innodb_snapshot_isolation = OFF");

const MARIADB: [Level; 5] = [
    server("MariaDB, READ UNCOMMITTED", IsolationLevel::ReadUncommitted, LOOSE),
    server("MariaDB, READ COMMITTED", IsolationLevel::ReadCommitted, LOOSE),
    server("MariaDB, REPEATABLE READ", IsolationLevel::RepeatableRead, LOOSE),
    server(
        "MariaDB, REPEATABLE READ with innodb_snapshot_isolation",
        IsolationLevel::RepeatableRead,
        Some("SET SESSION innodb_snapshot_isolation = ON"),
    ),
    server("MariaDB, SERIALIZABLE", IsolationLevel::Serializable, LOOSE),
];

const SQLITE: [Level; 2] = [
    file("SQLite, BEGIN DEFERRED", SqliteTransactionMode::Deferred),
    file("SQLite, BEGIN IMMEDIATE", SqliteTransactionMode::Immediate),
];

impl Level {
    pub(crate) const fn all(backend: Backend) -> &'static [Self] {
        match backend {
            Backend::Sqlite => &SQLITE,
            Backend::Postgres => &POSTGRES,
            Backend::MariaDb => &MARIADB,
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the database lets a transaction overwrite what another one has changed since it was read.
    pub(crate) fn overwrites(&self) -> bool {
        match self.isolation {
            None | Some(IsolationLevel::Serializable) => false,
            Some(IsolationLevel::ReadCommitted | IsolationLevel::ReadUncommitted) => true,
            Some(_) => self.setting == LOOSE,
        }
    }

    /// Whether the order in which transactions seem to have run is one that they could have run in.
    pub(crate) fn is_serializable(&self) -> bool {
        matches!(self.isolation, None | Some(IsolationLevel::Serializable))
    }

    /// Whether transactions read what others have not committed.
    pub(crate) fn is_dirty(&self) -> bool {
        self.isolation == Some(IsolationLevel::ReadUncommitted)
    }

    /// Makes a session ready for transactions of this level.
    pub(crate) async fn set(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        if let Some(setting) = self.setting {
            db.execute_unprepared(setting).await?;
        }
        Ok(())
    }

    pub(crate) async fn begin(&self, db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
        db.begin_with_options(TransactionOptions {
            isolation_level: self.isolation,
            access_mode: None,
            sqlite_transaction_mode: self.mode,
        })
        .await
    }
}

const fn server(name: &'static str, isolation: IsolationLevel, setting: Option<&'static str>) -> Level {
    Level {
        name,
        isolation: Some(isolation),
        mode: None,
        setting,
    }
}

const fn file(name: &'static str, mode: SqliteTransactionMode) -> Level {
    Level {
        name,
        isolation: None,
        mode: Some(mode),
        setting: None,
    }
}
