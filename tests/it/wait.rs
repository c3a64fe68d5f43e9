//! Waiting for a state of the server, seen in its own views and never guessed from the clock.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::backend::Backend;
use crate::case::Outcome;
use crate::context::Context;

/// InnoDB serves its view from a cache that it renews only when nobody has read it for 100 ms: one case asks at a time, and
/// leaves that long between its questions.
static ASKING: Mutex<()> = Mutex::const_new(());

/// Returns once some statement about `item` in the case's database waits for a lock.
pub(crate) async fn until_blocked(context: &Context) -> Outcome {
    until_blocked_on(context, "item").await
}

/// Returns once some statement in the case's database waits for a lock: about a table, on PostgreSQL, or any.
pub(crate) async fn until_blocked_on(context: &Context, table: &str) -> Outcome {
    let query = match context.backend {
        Backend::Postgres => format!(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%{table}%' \
             AND EXISTS (SELECT 1 FROM pg_locks held JOIN pg_class c ON c.oid = held.relation \
                         WHERE held.pid = pg_stat_activity.pid AND c.relnamespace = current_schema()::regnamespace)"
        ),
        Backend::MariaDb => "SELECT COUNT(*) FROM information_schema.innodb_trx t \
             JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
             WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
            .to_owned(),
        Backend::Sqlite => return Err("SQLite has no view of who waits".into()),
    };
    let (_alone, pause) = match context.backend {
        Backend::MariaDb => (Some(ASKING.lock().await), Duration::from_millis(120)),
        Backend::Postgres | Backend::Sqlite => (None, Duration::from_millis(1)),
    };
    until_any(context, &query, pause).await
}

/// Returns once somebody waits for a named lock: that of a text, on PostgreSQL, or any in the case's database.
pub(crate) async fn until_waiting_for_name(context: &Context, name: &str) -> Outcome {
    let query = match context.backend {
        Backend::Postgres => format!(
            "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
             AND ((classid::bigint << 32) | objid::bigint) = hashtextextended('{name}', 0)"
        ),
        Backend::MariaDb => {
            "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock' AND db = DATABASE()"
                .to_owned()
        }
        Backend::Sqlite => return Err("SQLite has no named locks".into()),
    };
    until_any(context, &query, Duration::from_millis(1)).await
}

/// Returns once nobody waits for a named lock in the case's database.
pub(crate) async fn until_nobody_waits_for_a_name(context: &Context) -> Outcome {
    let query = "SELECT COUNT(*) = 0 FROM information_schema.processlist WHERE state = 'User lock' AND db = DATABASE()";
    until_any(context, query, Duration::from_millis(1)).await
}

async fn until_any(context: &Context, query: &str, pause: Duration) -> Outcome {
    loop {
        tokio::time::sleep(pause).await;
        if context.number(query).await? > 0 {
            return Ok(());
        }
    }
}
