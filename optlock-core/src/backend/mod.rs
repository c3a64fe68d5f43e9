//! What each database can do and what its errors mean. Above this module no error code and no backend name appears.

mod advisory;
mod batch;
mod compound;
#[cfg(test)]
#[cfg(feature = "sqlx-mysql")]
pub(crate) mod driver_error;
mod fault;
mod locking;
mod mysql;
mod pool;
mod postgres;
mod sqlite;
mod transactions;

use sea_orm::sea_query::{Expr, LockType, SimpleExpr, Value};
use sea_orm::{ConnAcquireErr, DbBackend, DbErr};

pub use fault::{Fault, Redo};

pub(crate) use advisory::{Advisory, Session};
pub(crate) use batch::{BatchColumn, BatchUpdate, Batching};
pub(crate) use compound::Compound;
pub(crate) use locking::{Attempt, LockRequest, LockUnit, OuterJoinLocks, Quotes, WaitSetting};
pub(crate) use pool::pool;
pub(crate) use transactions::{Transactions, may_have_committed};

use locking::Locking;

use crate::lock_mode::LockStrength;
use crate::transaction::TransactionState;

/// The facts about one backend that decide how a write is sent and how its outcome is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capabilities {
    /// The name that errors show.
    pub(crate) name: &'static str,
    /// Whether a write can hand back the row that it wrote.
    pub(crate) returning: Returning,
    /// How the row that won a conflict is read. A lock where a plain read would show the transaction's snapshot, in
    /// which the conflict has not happened.
    pub(crate) conflict_read: Option<LockType>,
    /// How a row is read that must be shown to be current although nothing is written to it.
    pub(crate) confirming_read: Confirming,
    /// Whether a zero that is sent for an auto-increment key stands for the next key.
    pub(crate) counts_from_zero: bool,
    /// The largest `u32` version that SeaORM can store and read back.
    pub(crate) u32_limit: u64,
    /// The largest `u64` version that SeaORM can store and read back; `None` where it supports no `u64` at all.
    pub(crate) u64_limit: Option<u64>,
    /// An expression over a counter column that fails the whole statement, on every setting of the server, for a row
    /// in which it is evaluated. Used for rows at the counter's maximum, which some servers would clamp or turn into
    /// a float.
    pub(crate) fail_on: fn(SimpleExpr) -> SimpleExpr,
    /// What the error of that expression means here.
    pub(crate) fail_on_fault: Fault,
    /// `max(column + ticks of so many microseconds, now)` for timestamp columns; `None` where the server cannot
    /// compute it to the microsecond.
    pub(crate) advance_timestamp: Option<fn(SimpleExpr, i64, Value) -> SimpleExpr>,
    /// How a row is written, read and committed in one statement; `None` where a write returns its row, or that cannot be said.
    pub(crate) compound: Option<Compound>,
    /// How many rows are updated in one statement.
    pub(crate) batching: Batching,
    /// How rows are locked.
    pub(crate) locking: Locking,
    /// How transactions are run.
    pub(crate) transactions: Transactions,
    /// How named locks are taken; `None` where there are none.
    pub(crate) advisory: Option<Advisory>,
}

/// Support for `RETURNING` on writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returning {
    /// Always there, and it costs nothing extra.
    Native,
    /// There if the connection says so, but a plain write is cheaper.
    OnRequest,
    /// Not there on `UPDATE`, whatever the connection says.
    Never,
}

/// A read that shows the newest row, or fails, where a plain one would show the transaction's snapshot.
///
/// The locks are exclusive: of two readers who share a lock and then write, one would be the victim of a deadlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirming {
    /// A locking read.
    Locking(LockType),
    /// A plain read, after a write to no row has taken the database's write lock.
    AfterWriteLock,
}

/// The capabilities of a backend.
pub(crate) fn capabilities(backend: DbBackend) -> Capabilities {
    match backend {
        DbBackend::Postgres => postgres::CAPABILITIES,
        DbBackend::MySql => mysql::CAPABILITIES,
        DbBackend::Sqlite => sqlite::CAPABILITIES,
        // `DbBackend` may grow. The strictest of the known ones would be a guess; SQL for it cannot be built either.
        _ => UNKNOWN,
    }
}

/// A backend that this version of optlock does not know.
const UNKNOWN: Capabilities = Capabilities {
    name: "an unknown database",
    returning: Returning::Never,
    conflict_read: None,
    confirming_read: Confirming::AfterWriteLock,
    counts_from_zero: false,
    u32_limit: 0,
    u64_limit: None,
    fail_on: |column| column,
    fail_on_fault: Fault::OutOfRange,
    advance_timestamp: None,
    compound: None,
    batching: batch::SQLITE,
    locking: Locking {
        read: |_, request| Err(request.strength.to_string()),
        of_a_write: LockStrength::Update,
        unit: LockUnit::Row,
        quotes: Quotes::Doubled,
        outer_joins: OuterJoinLocks::Never,
        wait_setting: None,
        in_key_order: |_| {},
        locks_as_sorted: false,
        max_parameters: 1,
        lock_fault: |_, _| None,
        aftermath: |_| TransactionState::MustRollBack,
        timeout_rolls_back: None,
        seal: None,
    },
    transactions: Transactions {
        aborted_probe: None,
        ended_probe: None,
        empty: None,
        finishes_statements: false,
        finishes_begin: false,
        is_setting: |_| false,
        options: |_, _| Err("a transaction"),
    },
    advisory: None,
};

/// What a database error means, whichever call of SeaORM it came from and whichever variant of `DbErr` carries it.
pub(crate) fn fault(err: &DbErr) -> Fault {
    #[cfg(any(feature = "sqlx-sqlite", feature = "sqlx-postgres", feature = "sqlx-mysql"))]
    {
        use sea_orm::RuntimeErr;

        match err {
            DbErr::Conn(RuntimeErr::SqlxError(err))
            | DbErr::Exec(RuntimeErr::SqlxError(err))
            | DbErr::Query(RuntimeErr::SqlxError(err)) => return driver_fault(err),
            _ => {}
        }
    }
    match err {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Fault::PoolTimeout,
        DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => Fault::ConnectionLost,
        DbErr::Conn(_) | DbErr::Exec(_) | DbErr::Query(_) => Fault::Unclassified,
        _ => Fault::Other,
    }
}

/// What a part of a `DbErr` means, where it stands alone among the causes of an error: behind `#[error(transparent)]`, which passes on the source of what
/// it wraps, or in code that uses the driver by itself.
pub(crate) fn fault_of_part(err: &(dyn std::error::Error + 'static)) -> Option<Fault> {
    #[cfg(any(feature = "sqlx-sqlite", feature = "sqlx-postgres", feature = "sqlx-mysql"))]
    {
        use sea_orm::{RuntimeErr, SqlxError};

        if let Some(RuntimeErr::SqlxError(err)) = err.downcast_ref() {
            return Some(driver_fault(err));
        }
        if let Some(err) = err.downcast_ref::<SqlxError>() {
            return Some(driver_fault(err));
        }
    }
    let err = err.downcast_ref::<ConnAcquireErr>()?;
    Some(fault(&DbErr::ConnectionAcquire(*err)))
}

#[cfg(any(feature = "sqlx-sqlite", feature = "sqlx-postgres", feature = "sqlx-mysql"))]
fn driver_fault(err: &sea_orm::SqlxError) -> Fault {
    use sea_orm::SqlxError;

    match err {
        SqlxError::Database(err) => {
            let err = err.as_ref();
            #[cfg(feature = "sqlx-postgres")]
            if let Some(fault) = postgres::fault(err) {
                return fault;
            }
            #[cfg(feature = "sqlx-mysql")]
            if let Some(fault) = mysql::fault(err) {
                return fault;
            }
            #[cfg(feature = "sqlx-sqlite")]
            if let Some(fault) = sqlite::fault(err) {
                return fault;
            }
            Fault::Unclassified
        }
        // Not `Protocol`, which is also what sqlx says of a statement with too many parameters, before it sends anything.
        SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::WorkerCrashed | SqlxError::PoolClosed => {
            Fault::ConnectionLost
        }
        SqlxError::PoolTimedOut => Fault::PoolTimeout,
        _ => Fault::Other,
    }
}

/// `CASE WHEN column < max THEN column + 1 ELSE <fails> END`: the next value of a counter column, in SQL.
pub(crate) fn advance_counter(backend: DbBackend, column: &SimpleExpr, max: u64) -> SimpleExpr {
    use sea_orm::sea_query::ExprTrait;

    // Signed where it fits: PostgreSQL has no unsigned integers.
    let max: Value = i64::try_from(max).map_or_else(|_| Value::from(max), Value::from);
    Expr::case(column.clone().lt(Expr::val(max)), column.clone().add(1))
        .finally((capabilities(backend).fail_on)(column.clone()))
        .into()
}
