//! How long a statement waits for a lock, where a setting of the session says it.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use sea_orm::{DbErr, Statement};

use crate::backend::{Attempt, WaitSetting, capabilities};
use crate::lock_mode::LockWait;
use crate::transaction::OpenTransaction;

/// Runs a statement that may wait for a lock, for as long as `wait` says, and puts the session's setting back.
///
/// On failure it says how the attempt went.
pub(crate) async fn waiting<T, F, R>(txn: &T, wait: LockWait, statement: F) -> Result<R, (DbErr, Attempt)>
where
    T: OpenTransaction,
    F: Future<Output = Result<R, DbErr>>,
{
    let untimed = |err| (err, attempt(wait, Duration::ZERO, None));
    let setting = capabilities(txn.get_database_backend()).locking.wait_setting;
    let change = setting.and_then(|setting| Some((setting, (setting.value)(wait)?)));
    let old = match change {
        Some((setting, value)) => Some(Changed::change(txn, setting, &value).await.map_err(untimed)?),
        None => None,
    };
    let started = Instant::now();
    let outcome = statement.await;
    let elapsed = started.elapsed();
    match (outcome, old) {
        (Ok(output), Some(old)) => {
            old.put_back().await.map_err(untimed)?;
            Ok(output)
        }
        (Ok(output), None) => Ok(output),
        (Err(err), old) => {
            let patience = match old {
                Some(old) => {
                    old.put_back_after_failure().await;
                    None
                }
                None => patience(txn, setting).await,
            };
            Err((err, attempt(wait, elapsed, patience)))
        }
    }
}

fn attempt(wait: LockWait, elapsed: Duration, patience: Option<Duration>) -> Attempt {
    Attempt {
        wait,
        elapsed,
        patience,
    }
}

/// How long the session lets a statement wait, if it can still be asked. Costs a statement, on the failing path only.
async fn patience<T: OpenTransaction>(txn: &T, setting: Option<WaitSetting>) -> Option<Duration> {
    let setting = setting.filter(|setting| !setting.read_sets)?;
    let value = read(txn, (setting.read)("")).await.ok()?;
    (setting.time)(&value)
}

async fn read<T: OpenTransaction>(txn: &T, statement: Statement) -> Result<String, DbErr> {
    let rows = txn.query_all_raw(statement).await?;
    let row = rows.first();
    let row = row.ok_or_else(|| DbErr::RecordNotFound("a setting of the session".to_owned()))?;
    row.try_get_by_index::<String>(0)
        .or_else(|_| row.try_get_by_index::<i32>(0).map(|number| number.to_string()))
}

/// A setting that was changed, and must be put back.
struct Changed<'t, T: OpenTransaction> {
    txn: &'t T,
    setting: WaitSetting,
    /// The statement that puts it back, until that is done.
    restore: Option<Statement>,
}

impl<'t, T: OpenTransaction> Changed<'t, T> {
    async fn change(txn: &'t T, setting: WaitSetting, value: &str) -> Result<Self, DbErr> {
        let old = read(txn, (setting.read)(value)).await?;
        let changed = Self {
            txn,
            setting,
            restore: Some((setting.set)(&old)),
        };
        if !setting.read_sets {
            // The guard is there before this is sent, so that dropping the future undoes it.
            txn.execute_raw((setting.set)(value)).await?;
        }
        Ok(changed)
    }

    async fn put_back(mut self) -> Result<(), DbErr> {
        if let Some(statement) = &self.restore {
            self.txn.execute_raw(statement.clone()).await?;
        }
        self.restore = None;
        Ok(())
    }

    /// What fails here is a session that is broken, or a transaction that takes its setting with it.
    async fn put_back_after_failure(mut self) {
        if !self.setting.outlives_transaction {
            self.restore = None;
        }
        let _ = self.put_back().await;
    }
}

impl<T: OpenTransaction> Drop for Changed<'_, T> {
    /// Reached with something to put back if the future is dropped half-way.
    ///
    /// A connection of SQLite hands its statements to a thread of its own, in order, when they are first polled: one poll
    /// is enough, however busy the thread is. Servers need none, since their setting ends with the transaction.
    fn drop(&mut self) {
        if let Some(statement) = self.restore.take()
            && self.setting.outlives_transaction
        {
            let restore = pin!(self.txn.execute_raw(statement));
            let _ = restore.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}
