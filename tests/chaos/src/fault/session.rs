//! Sessions as the server sees them: what was sent may be at work for longer than its connection is there.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::Result;
use crate::backend::Backend;

/// The number of the session that a statement of this connection runs in.
pub(super) async fn session(backend: Backend, db: &DatabaseConnection) -> Result<i64> {
    let sql = backend.pick(
        "",
        "SELECT pg_backend_pid()::bigint",
        "SELECT CAST(CONNECTION_ID() AS SIGNED)",
    );
    number(db, sql.to_owned()).await
}

/// Whether a session of this pool, with nothing going on in it, is within a transaction.
pub(super) async fn is_in_transaction(
    backend: Backend,
    db: &DatabaseConnection,
    direct: &DatabaseConnection,
    session: i64,
) -> Result<bool> {
    let open = match backend {
        Backend::Sqlite => 0,
        Backend::Postgres => {
            let condition = format!("pid = {session} AND state LIKE 'idle in transaction%'");
            let sql = format!("SELECT COUNT(*) FROM pg_stat_activity WHERE {condition}");
            number(direct, sql).await?
        }
        Backend::MariaDb => number(db, "SELECT CAST(@@in_transaction AS SIGNED)".to_owned()).await?,
    };
    Ok(open > 0)
}

/// Waits until a session has ended, with all that it had begun.
pub(super) async fn has_ended(backend: Backend, db: &DatabaseConnection, session: i64) -> Result<()> {
    let condition = backend.pick("", "pid = ", "id = ");
    until_none(backend, db, &format!("{condition}{session}")).await
}

/// The same for all sessions of a database, other than those of whoever asks: of the schema of this name on PostgreSQL, where they
/// have that as the name of their application.
pub(super) async fn all_have_ended(backend: Backend, db: &DatabaseConnection, name: &str) -> Result<()> {
    let column = backend.pick("", "application_name", "db");
    until_none(backend, db, &format!("{column} = '{name}'")).await
}

async fn until_none(backend: Backend, db: &DatabaseConnection, condition: &str) -> Result<()> {
    let view = backend.pick("", "pg_stat_activity", "information_schema.processlist");
    let sql = format!("SELECT COUNT(*) FROM {view} WHERE {condition}");
    let since = Instant::now();
    while number(db, sql.clone()).await? > 0 {
        if since.elapsed() > Duration::from_secs(20) {
            return Err(format!("sessions with {condition} are still there").into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn number(db: &DatabaseConnection, sql: String) -> Result<i64> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await?.ok_or("no row")?;
    Ok(row.try_get_by_index(0)?)
}
