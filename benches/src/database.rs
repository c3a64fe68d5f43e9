//! The databases: where they are, how a pool to one is opened, and the table with its rows.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, EntityTrait, Statement};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use tempfile::TempDir;

use crate::table::plain;
use crate::{Result, machine};

const DATABASE: &str = "optlock_bench";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Backend {
    Postgres,
    MariaDb,
    Sqlite,
}

impl Backend {
    pub(crate) const ALL: [Self; 3] = [Self::Postgres, Self::MariaDb, Self::Sqlite];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
            Self::Sqlite => "sqlite",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
            Self::Sqlite => "SQLite",
        }
    }
}

/// An empty database of our own.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) backend: Backend,
    /// None on SQLite, where each file has one.
    url: Option<String>,
    directory: TempDir,
}

impl Target {
    /// Makes the database anew, and refuses one that is not durable.
    pub(crate) async fn open(backend: Backend) -> Result<Self> {
        let mut target = Self {
            backend,
            url: None,
            directory: tempfile::Builder::new().prefix("optlock-bench-").tempdir()?,
        };
        let variable = match backend {
            Backend::Postgres => "OPTLOCK_POSTGRES_URL",
            Backend::MariaDb => "OPTLOCK_MARIADB_URL",
            Backend::Sqlite => return Ok(target),
        };
        let url = std::env::var(variable).map_err(|_| format!("{variable} is not set; `cargo xtask bench` sets it"))?;
        let admin = Database::connect(quiet(&url)).await?;
        // Whoever is still connected is a candidate of the case before.
        let force = if backend == Backend::Postgres {
            " WITH (FORCE)"
        } else {
            ""
        };
        admin
            .execute_unprepared(&format!("DROP DATABASE IF EXISTS {DATABASE}{force}"))
            .await?;
        admin.execute_unprepared(&format!("CREATE DATABASE {DATABASE}")).await?;
        admin.close().await?;
        let (server, _) = url
            .rsplit_once('/')
            .ok_or_else(|| format!("{variable} names no database"))?;
        target.url = Some(format!("{server}/{DATABASE}"));
        target.require_durability().await?;
        Ok(target)
    }

    /// Where the data is; `file` counts on SQLite only, where candidates do not share one.
    pub(crate) fn url(&self, file: &str) -> String {
        let sqlite = || format!("sqlite://{}?mode=rwc", self.path(file).display());
        self.url.clone().unwrap_or_else(sqlite)
    }

    /// The file of an SQLite database.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(format!("{file}.db"))
    }

    /// A pool that does not ping before each use, which is what everybody turns off first.
    pub(crate) async fn pool(&self, file: &str, connections: u32) -> Result<DatabaseConnection> {
        let mut options = quiet(&self.url(file));
        options
            .max_connections(connections)
            .min_connections(connections)
            .acquire_timeout(Duration::from_mins(1))
            .test_before_acquire(false)
            .map_sqlx_sqlite_opts(|options| {
                options
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(Duration::from_mins(1))
            });
        Ok(Database::connect(options).await?)
    }

    /// The settings that decide what a commit costs, as the server says them, and its version.
    pub(crate) async fn settings(&self) -> Result<Vec<(String, String)>> {
        let questions: &[(&str, &str)] = match self.backend {
            Backend::Postgres => &[
                ("version", "SHOW server_version"),
                ("fsync", "SHOW fsync"),
                ("synchronous_commit", "SHOW synchronous_commit"),
                ("wal_sync_method", "SHOW wal_sync_method"),
                ("full_page_writes", "SHOW full_page_writes"),
                ("shared_buffers", "SHOW shared_buffers"),
                ("default_transaction_isolation", "SHOW default_transaction_isolation"),
            ],
            Backend::MariaDb => &[
                ("version", "SELECT CAST(VERSION() AS CHAR)"),
                (
                    "innodb_flush_log_at_trx_commit",
                    "SELECT CAST(@@innodb_flush_log_at_trx_commit AS CHAR)",
                ),
                ("innodb_flush_method", "SELECT CAST(@@innodb_flush_method AS CHAR)"),
                ("log_bin", "SELECT CAST(@@log_bin AS CHAR)"),
                (
                    "innodb_buffer_pool_size",
                    "SELECT CAST(@@innodb_buffer_pool_size AS CHAR)",
                ),
                ("tx_isolation", "SELECT CAST(@@tx_isolation AS CHAR)"),
            ],
            Backend::Sqlite => &[
                ("version", "SELECT sqlite_version()"),
                ("journal_mode", "PRAGMA journal_mode"),
                ("synchronous (2 is FULL)", "PRAGMA synchronous"),
                ("wal_autocheckpoint", "PRAGMA wal_autocheckpoint"),
            ],
        };
        let pool = self.pool("settings", 1).await?;
        let mut settings = Vec::new();
        for (name, question) in questions {
            settings.push(((*name).to_owned(), text(&pool, question).await?));
        }
        let directory = match self.backend {
            Backend::Postgres => PathBuf::from(text(&pool, "SHOW data_directory").await?),
            Backend::MariaDb => PathBuf::from(text(&pool, "SELECT CAST(@@datadir AS CHAR)").await?),
            Backend::Sqlite => self.directory.path().to_owned(),
        };
        settings.push(("file system".to_owned(), machine::file_system(&directory)));
        pool.close().await?;
        Ok(settings)
    }

    async fn require_durability(&self) -> Result<()> {
        let durable: &[(&str, &str)] = match self.backend {
            Backend::Postgres => &[("fsync", "on"), ("synchronous_commit", "on")],
            Backend::MariaDb => &[("innodb_flush_log_at_trx_commit", "1")],
            Backend::Sqlite => &[],
        };
        let settings = self.settings().await?;
        for (name, wanted) in durable {
            let found = settings.iter().find(|(setting, _)| setting == name);
            if found.is_none_or(|(_, value)| value != wanted) {
                return Err(format!("the server must run with {name} = {wanted}: figures of others mislead").into());
            }
        }
        Ok(())
    }
}

/// Creates the table anew, with this many rows.
pub(crate) async fn fill(db: &DatabaseConnection, rows: i32, stock: i32) -> Result<()> {
    db.execute_unprepared("DROP TABLE IF EXISTS product").await?;
    let table = "CREATE TABLE product (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL, stock INTEGER NOT NULL, \
                 price INTEGER NOT NULL, note VARCHAR(64) NOT NULL, version BIGINT NOT NULL)";
    db.execute_unprepared(table).await?;
    let note = "n".repeat(64);
    let ids: Vec<i32> = (1..=rows).collect();
    for ids in ids.chunks(500) {
        let mut insert = "INSERT INTO product (id, name, stock, price, note, version) VALUES ".to_owned();
        for (index, id) in ids.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(
                insert,
                "{comma}({id}, 'product {id}', {stock}, {}, '{note}', 1)",
                id % 1000
            )?;
        }
        db.execute_unprepared(&insert).await?;
    }
    Ok(())
}

/// What is stored, by key.
pub(crate) async fn rows(db: &DatabaseConnection) -> Result<Vec<plain::Model>> {
    let mut rows = plain::Entity::find().all(db).await?;
    rows.sort_by_key(|row| row.id);
    Ok(rows)
}

async fn text(db: &DatabaseConnection, question: &str) -> Result<String> {
    let statement = Statement::from_string(db.get_database_backend(), question);
    let row = db
        .query_one_raw(statement)
        .await?
        .ok_or_else(|| format!("no answer to {question}"))?;
    // Pragmas answer with numbers.
    match row.try_get_by_index::<i32>(0) {
        Ok(number) => Ok(number.to_string()),
        Err(_) => Ok(row.try_get_by_index(0)?),
    }
}

fn quiet(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.sqlx_logging(false);
    options
}

/// SeaORM's name for it.
impl From<Backend> for DbBackend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Postgres => Self::Postgres,
            Backend::MariaDb => Self::MySql,
            Backend::Sqlite => Self::Sqlite,
        }
    }
}
