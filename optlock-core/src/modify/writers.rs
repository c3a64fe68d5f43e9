//! Callers of this process who write to the same database, one after another, where there is no smaller lock.

use std::any::TypeId;
use std::time::Duration;

use sea_orm::DatabaseConnection;
use sea_orm::sea_query::ValueTuple;

use crate::backend::{LockUnit, capabilities, pool};
use crate::clock::TOKIO_CLOCK;
use crate::queue::{Queue, Turn};

/// Shorter than in the queue of a row: a future that nobody polls would hold up the writes to all of them, as would somebody else's long transaction. Those who
/// go on then meet in the database, as they would without a queue.
const STANDSTILL: Duration = Duration::from_millis(500);

/// Stands for all rows of a database.
struct Writers;

/// The turn to write, where whoever writes locks the whole database: rows of their own do not keep callers apart there, and the database has whoever comes
/// second sleep on a connection, for longer than the write takes.
///
/// For the write alone: a hook may want to write, too.
pub(super) async fn to_write(db: &DatabaseConnection) -> Option<Turn> {
    if capabilities(db.get_database_backend()).locking.unit == LockUnit::Row {
        return None;
    }
    let writers = Queue::of(pool(db)?, TypeId::of::<Writers>(), &ValueTuple::Many(Vec::new()));
    writers.patient_for(STANDSTILL).turn(&TOKIO_CLOCK).await
}
