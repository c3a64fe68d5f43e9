//! Waiting for a state of the server, seen in its own views and never guessed from the clock.

use std::error::Error;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::backend::Backend;
use crate::context::Context;

/// InnoDB serves its view from a cache that it renews only when nobody has read it for 100 ms: one case asks at a time, and
/// leaves that long between its questions.
static ASKING: Mutex<()> = Mutex::const_new(());

/// Returns once some statement in the case's database waits for a lock.
pub(crate) async fn until_blocked(context: &Context) -> Result<(), Box<dyn Error + Send + Sync>> {
    let query = match context.backend {
        Backend::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%item%' \
             AND EXISTS (SELECT 1 FROM pg_locks held JOIN pg_class c ON c.oid = held.relation \
                         WHERE held.pid = pg_stat_activity.pid AND c.relnamespace = current_schema()::regnamespace)"
        }
        Backend::MariaDb => {
            "SELECT COUNT(*) FROM information_schema.innodb_trx t \
             JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
             WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
        }
        Backend::Sqlite => return Err("SQLite has no view of who waits".into()),
    };
    let (_alone, pause) = match context.backend {
        Backend::MariaDb => (Some(ASKING.lock().await), Duration::from_millis(120)),
        Backend::Postgres | Backend::Sqlite => (None, Duration::from_millis(1)),
    };
    loop {
        tokio::time::sleep(pause).await;
        if context.number(query).await? > 0 {
            return Ok(());
        }
    }
}
