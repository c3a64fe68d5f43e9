//! What the server shows of who waits for a row.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::Result;
use crate::backend::Backend;
use crate::stage::Stage;

/// The server's number of a connection.
pub(crate) type Session = i64;

/// One look at a time, for all who ask. On SQLite nobody ever waits.
pub(crate) struct View {
    shared: Arc<Shared>,
    watching: Option<JoinHandle<()>>,
}

struct Shared {
    /// How many looks were begun.
    begun: AtomicU64,
    asked: Notify,
    last: watch::Sender<Look>,
}

#[derive(Default)]
struct Look {
    number: u64,
    waiting: HashSet<Session>,
}

impl View {
    pub(crate) async fn open(stage: &Stage) -> Result<Self> {
        let shared = Arc::new(Shared {
            begun: AtomicU64::new(0),
            asked: Notify::new(),
            last: watch::Sender::new(Look::default()),
        });
        let watching = match stage.backend {
            Backend::Sqlite => None,
            backend => {
                let db = stage.database().await?.connect(1).await?;
                if backend == Backend::MariaDb {
                    // So that the view shows whoever looks, too.
                    db.execute_unprepared("START TRANSACTION WITH CONSISTENT SNAPSHOT")
                        .await?;
                }
                Some(tokio::spawn(Arc::clone(&shared).watch(db, backend)))
            }
        };
        Ok(Self { shared, watching })
    }

    /// Returns once a look that was begun after this call has found the session waiting for a row.
    pub(crate) async fn shows_waiting(&self, session: Session) {
        let mut last = self.shared.last.subscribe();
        let begun = self.shared.begun.load(Ordering::SeqCst);
        self.shared.asked.notify_one();
        let shown = last.wait_for(|look| look.number > begun && look.waiting.contains(&session));
        shown.await.expect("the sender is ours");
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Some(watching) = &self.watching {
            watching.abort();
        }
    }
}

impl Shared {
    async fn watch(self: Arc<Self>, db: DatabaseConnection, backend: Backend) {
        loop {
            if self.last.receiver_count() == 0 {
                self.asked.notified().await;
                continue;
            }
            let pause = if backend == Backend::MariaDb {
                FRESH_AFTER
            } else {
                PAUSE
            };
            sleep(pause).await;
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let waiting = if backend == Backend::MariaDb {
                waiting_in_innodb(&db, number).await
            } else {
                waiting_in_postgres(&db).await
            };
            match waiting {
                Ok(Some(waiting)) => drop(self.last.send_replace(Look { number, waiting })),
                // As it was before; somebody else reads it, too, and has to come out of step.
                Ok(None) => sleep(Duration::from_millis(fastrand::u64(0..50))).await,
                Err(err) => panic!("the server does not show who waits: {err}"),
            }
        }
    }
}

const PAUSE: Duration = Duration::from_millis(2);

/// InnoDB shows what it has shown before until nobody has looked for 100 ms.
const FRESH_AFTER: Duration = Duration::from_millis(102);

async fn waiting_in_postgres(db: &DatabaseConnection) -> Result<Option<HashSet<Session>>> {
    // Rows alone: sessions that make their tables larger wait for each other, too, and not for long.
    let sql = "SELECT DISTINCT pid::bigint FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')";
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await?;
    let sessions: Result<_, _> = rows.iter().map(|row| row.try_get_by_index(0)).collect();
    Ok(Some(sessions?))
}

/// `None` if this is what was shown to somebody before: the statement that looks is in it, if it is of now.
async fn waiting_in_innodb(db: &DatabaseConnection, number: u64) -> Result<Option<HashSet<Session>>> {
    let mark = format!("/* look {number} */");
    let sql = format!(
        "SELECT {mark} CAST(trx_mysql_thread_id AS SIGNED), trx_state = 'LOCK WAIT', COALESCE(trx_query, '') \
         FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' OR trx_mysql_thread_id = CONNECTION_ID()"
    );
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await?;
    let (mut waiting, mut is_fresh) = (HashSet::new(), false);
    for row in rows {
        if row.try_get_by_index::<i64>(1)? == 1 {
            waiting.insert(row.try_get_by_index(0)?);
        } else {
            is_fresh = row.try_get_by_index::<String>(2)?.contains(&mark);
        }
    }
    Ok(is_fresh.then_some(waiting))
}
