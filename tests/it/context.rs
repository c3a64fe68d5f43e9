//! What a case runs in: a database of its own, connections to it, and a log of the statements that went through.

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use optlock::prelude::*;
use sea_orm::{ConnectOptions, Database, QueryResult, Schema, Statement};
use tempfile::TempDir;

use crate::backend::Backend;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

pub(crate) struct Context {
    pub(crate) backend: Backend,
    /// The connection under test. Its statements are in the log.
    pub(crate) db: DatabaseConnection,
    /// A rival's connection, and the one that looks at what is stored.
    pub(crate) other: DatabaseConnection,
    /// The schema or database of this case; no other case has the same.
    pub(crate) name: String,
    statements: Arc<Mutex<Vec<String>>>,
    options: ConnectOptions,
    /// Holds the file of an SQLite database.
    _directory: Option<TempDir>,
}

impl Context {
    pub(crate) async fn open(backend: Backend) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Process ids come back, and a server may have been there for longer.
        let started = std::time::UNIX_EPOCH.elapsed()?.as_secs() % 100_000;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("case_{}_{started}_{number}", std::process::id());
        let (options, directory) = create_database(backend, &name).await?;
        let statements = Arc::new(Mutex::new(Vec::new()));
        let mut db = Database::connect(options.clone()).await?;
        let log = Arc::clone(&statements);
        db.set_metric_callback(move |info| log.lock().unwrap().push(info.statement.sql.clone()));
        let other = Database::connect(options.clone()).await?;
        if backend == Backend::Sqlite {
            other.execute_unprepared("PRAGMA journal_mode = WAL").await?;
        }
        Ok(Self {
            backend,
            db,
            other,
            name,
            statements,
            options,
            _directory: directory,
        })
    }

    /// A pool of this many further connections.
    pub(crate) async fn connect(&self, connections: u32) -> Result<DatabaseConnection> {
        let mut options = self.options.clone();
        options.max_connections(connections).min_connections(1);
        Ok(Database::connect(options).await?)
    }

    /// A pool of this many further connections whose callers do not wait long for one.
    pub(crate) async fn connect_impatiently(&self, connections: u32) -> Result<DatabaseConnection> {
        let mut options = self.options.clone();
        options
            .max_connections(connections)
            .acquire_timeout(Duration::from_millis(200));
        Ok(Database::connect(options).await?)
    }

    /// How another process connects: the URL, and the schema to search.
    pub(crate) fn address(&self) -> (&str, Option<&str>) {
        let schema = (self.backend == Backend::Postgres).then_some(self.name.as_str());
        (self.options.get_url(), schema)
    }

    /// Creates the table of an entity, as SeaORM would.
    pub(crate) async fn create<E: EntityTrait>(&self, entity: E) -> Result<()> {
        let schema = Schema::new(self.other.get_database_backend());
        self.other.execute(&schema.create_table_from_entity(entity)).await?;
        Ok(())
    }

    /// Runs statements on the other connection.
    pub(crate) async fn sql(&self, statements: &str) -> Result<()> {
        self.other.execute_unprepared(statements).await?;
        Ok(())
    }

    /// One row, read on the other connection.
    pub(crate) async fn row(&self, query: &str) -> Result<QueryResult> {
        let statement = Statement::from_string(self.other.get_database_backend(), query);
        self.other
            .query_one_raw(statement)
            .await?
            .ok_or_else(|| format!("no row: {query}").into())
    }

    /// One integer, read on the other connection.
    pub(crate) async fn number(&self, query: &str) -> Result<i64> {
        Ok(self.row(query).await?.try_get_by_index(0)?)
    }

    /// The statements that were sent through [`db`](Self::db) since the last call.
    pub(crate) fn take_statements(&self) -> Vec<String> {
        std::mem::take(&mut *self.statements.lock().unwrap())
    }
}

/// Creates an empty database and returns how to connect to it.
async fn create_database(backend: Backend, name: &str) -> Result<(ConnectOptions, Option<TempDir>)> {
    let url = backend.url().ok_or("no server")?;

    let mut directory = None;
    let mut options = match backend {
        Backend::Sqlite => {
            let created = tempfile::tempdir()?;
            let path = created.path().join("case.db");
            directory = Some(created);
            ConnectOptions::new(format!("sqlite:{}?mode=rwc", path.display()))
        }
        Backend::Postgres => {
            let server = Database::connect(single(&url)).await?;
            server.execute_unprepared(&format!("CREATE SCHEMA {name}")).await?;
            server.close().await?;
            let mut options = ConnectOptions::new(url);
            options.set_schema_search_path(name);
            options
        }
        Backend::MariaDb => {
            let server = Database::connect(single(&url)).await?;
            server.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
            server.close().await?;
            let (server, _) = url.rsplit_once('/').ok_or("the URL names no database")?;
            ConnectOptions::new(format!("{server}/{name}"))
        }
    };
    options.max_connections(4).sqlx_logging(false);
    Ok((options, directory))
}

fn single(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    options
}
