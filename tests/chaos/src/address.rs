//! Where a database of ours is, for this process and for others.

use std::path::Path;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};

use crate::Result;
use crate::backend::Backend;

/// A database, and how to connect to it.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) backend: Backend,
    pub(crate) url: String,
    /// Where to look for tables, on PostgreSQL.
    pub(crate) schema: Option<String>,
}

impl Address {
    /// Creates an empty database; on SQLite, as a file in this directory.
    pub(crate) async fn create(backend: Backend, name: &str, directory: &Path) -> Result<Self> {
        let server = backend.url();
        let (url, schema) = match (backend, server) {
            (Backend::Sqlite, _) => {
                let url = format!("sqlite:{}?mode=rwc", directory.join(format!("{name}.db")).display());
                let db = Database::connect(single(&url)).await?;
                sea_orm::ConnectionTrait::execute_unprepared(&db, "PRAGMA journal_mode = WAL").await?;
                db.close().await?;
                (url, None)
            }
            (_, None) => return Err(format!("there is no server for {}", backend.name()).into()),
            (Backend::Postgres, Some(url)) => {
                execute(&url, &format!("CREATE SCHEMA {name}")).await?;
                (url, Some(name.to_owned()))
            }
            (Backend::MariaDb, Some(url)) => {
                execute(&url, &format!("CREATE DATABASE {name}")).await?;
                let (server, _) = url.rsplit_once('/').ok_or("the URL names no database")?;
                (format!("{server}/{name}"), None)
            }
        };
        Ok(Self { backend, url, schema })
    }

    /// How a pool of at most this many connections is made.
    pub(crate) fn options(&self, connections: u32) -> ConnectOptions {
        let mut options = ConnectOptions::new(&self.url);
        options
            .max_connections(connections)
            .sqlx_logging(false)
            .test_before_acquire(false);
        if let Some(schema) = &self.schema {
            options.set_schema_search_path(schema);
        }
        options
    }

    /// A pool of at most this many connections.
    pub(crate) async fn connect(&self, connections: u32) -> Result<DatabaseConnection> {
        Ok(Database::connect(self.options(connections)).await?)
    }
}

fn single(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    options
}

async fn execute(url: &str, sql: &str) -> Result<()> {
    let server = Database::connect(single(url)).await?;
    sea_orm::ConnectionTrait::execute_unprepared(&server, sql).await?;
    Ok(server.close().await?)
}
