//! PostgreSQL, and what speaks its protocol.

use sea_orm::sea_query::{Alias, Expr, ExprTrait, LockBehavior, LockType, SelectStatement, SimpleExpr};
use sea_orm::{DbBackend, IsolationLevel, Statement};

use super::advisory::Advisory;
use super::locking::{Attempt, LockRequest, LockUnit, Locking, OuterJoinLocks, Quotes, WaitSetting};
use super::transactions::{Transactions, as_asked};
use super::{Capabilities, Confirming, Fault, Returning, batch};
use crate::lock_mode::{LockStrength, LockWait, millis};
use crate::transaction::TransactionState;

pub(super) const CAPABILITIES: Capabilities = Capabilities {
    name: "PostgreSQL",
    returning: Returning::Native,
    // At READ COMMITTED a plain read sees the row that won. Above it a row that changed after the snapshot is not a
    // zero-row write but an error, and after an error there is nothing to read.
    conflict_read: None,
    // The lock makes the read see the newest row at READ COMMITTED and fail above it, as a write would.
    confirming_read: Confirming::Locking(LockType::NoKeyUpdate),
    counts_from_zero: false,
    // SeaORM maps u32 to `integer`, which is signed.
    u32_limit: i32::MAX.unsigned_abs() as u64,
    u64_limit: None,
    fail_on,
    fail_on_fault: Fault::OutOfRange,
    advance_timestamp: Some(advance_timestamp),
    compound: None,
    batching: batch::POSTGRES,
    locking: Locking {
        read: |query, request| Ok(locking_read(query, request)),
        of_a_write: LockStrength::NoKeyUpdate,
        unit: LockUnit::Row,
        quotes: Quotes::Doubled,
        outer_joins: OuterJoinLocks::Never,
        wait_setting: Some(LOCK_TIMEOUT),
        // Rows are locked after they are sorted.
        in_key_order: |_| {},
        locks_as_sorted: true,
        max_parameters: u16::MAX as usize,
        lock_fault,
        aftermath: |_| TransactionState::MustRollBack,
        timeout_rolls_back: None,
        seal: None,
    },
    transactions: Transactions {
        aborted_probe: Some("SELECT 1"),
        ended_probe: None,
        empty: None,
        finishes_statements: false,
        finishes_begin: true,
        is_setting: |_| false,
        options: as_asked,
    },
    advisory: Some(Advisory {
        take: take_advisory_lock,
        longest_wait: None,
        release: None,
        // Above it, the snapshot would be the one of the statement that waits for the lock: what its holder committed
        // meanwhile would not be seen.
        isolation_level: Some(IsolationLevel::ReadCommitted),
    }),
};

/// Ends with the transaction, or with the rollback to a savepoint, as what `SET LOCAL` sets does.
const LOCK_TIMEOUT: WaitSetting = WaitSetting {
    value: |wait| match wait {
        LockWait::AtMost(limit) => Some(format!("{}ms", millis(limit))),
        LockWait::AsSet | LockWait::NoWait | LockWait::SkipLocked => None,
    },
    read: |value| {
        let sql = "SELECT current_setting('lock_timeout'), set_config('lock_timeout', $1, TRUE)";
        Statement::from_sql_and_values(DbBackend::Postgres, sql, [value.into()])
    },
    set: |value| {
        let sql = "SELECT set_config('lock_timeout', $1, TRUE)";
        Statement::from_sql_and_values(DbBackend::Postgres, sql, [value.into()])
    },
    read_sets: true,
    // An error of its own says that it ran out.
    time: |_| None,
    outlives_transaction: false,
};

fn locking_read(mut query: SelectStatement, request: &LockRequest) -> Statement {
    let strength = match request.strength {
        LockStrength::Update => LockType::Update,
        LockStrength::NoKeyUpdate => LockType::NoKeyUpdate,
        LockStrength::Share => LockType::Share,
        LockStrength::KeyShare => LockType::KeyShare,
    };
    // By the bare name, also for a table of another schema.
    let tables = request.of.map(Alias::new);
    match request.wait {
        LockWait::NoWait => query.lock_with_tables_behavior(strength, tables, LockBehavior::Nowait),
        LockWait::SkipLocked => query.lock_with_tables_behavior(strength, tables, LockBehavior::SkipLocked),
        LockWait::AsSet | LockWait::AtMost(_) => query.lock_with_tables(strength, tables),
    };
    DbBackend::Postgres.build(&query)
}

/// `NOWAIT` and `lock_timeout` share a code.
fn lock_fault(fault: Fault, attempt: &Attempt) -> Option<Fault> {
    match fault {
        Fault::LockNotAvailable if attempt.wait == LockWait::NoWait => Some(Fault::LockNotAvailable),
        Fault::LockNotAvailable => Some(Fault::LockTimeout),
        Fault::Deadlock | Fault::Serialization => Some(fault),
        _ => None,
    }
}

/// The key is 64 bits of a hash, which the server computes: the same for every client, whatever it is written in.
fn take_advisory_lock(name: &str, wait: LockWait) -> Statement {
    let taken = match wait {
        LockWait::NoWait | LockWait::SkipLocked => "pg_try_advisory_xact_lock(hashtextextended($1, 0))",
        // The function is `void`, which is an empty text.
        LockWait::AsSet | LockWait::AtMost(_) => "pg_advisory_xact_lock(hashtextextended($1, 0))::text = ''",
    };
    let sql = format!("SELECT CASE WHEN {taken} THEN 1 ELSE 0 END::bigint");
    Statement::from_sql_and_values(DbBackend::Postgres, sql, [name.into()])
}

/// `column + 9223372036854775807`: "bigint out of range" for every column above zero.
fn fail_on(column: SimpleExpr) -> SimpleExpr {
    column.add(i64::MAX)
}

fn advance_timestamp(column: SimpleExpr, micros: i64, now: sea_orm::Value) -> SimpleExpr {
    // sea-query has no interval arithmetic.
    Expr::cust_with_exprs(
        format!("GREATEST($1 + INTERVAL '{micros} microseconds', $2)"),
        [column, Expr::val(now)],
    )
}

/// SQLSTATEs: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
#[cfg(feature = "sqlx-postgres")]
mod code {
    pub(super) const NOT_NULL_VIOLATION: &str = "23502";
    pub(super) const FOREIGN_KEY_VIOLATION: &str = "23503";
    pub(super) const UNIQUE_VIOLATION: &str = "23505";
    pub(super) const CHECK_VIOLATION: &str = "23514";
    pub(super) const EXCLUSION_VIOLATION: &str = "23P01";
    pub(super) const NUMERIC_VALUE_OUT_OF_RANGE: &str = "22003";
    pub(super) const READ_ONLY_SQL_TRANSACTION: &str = "25006";
    pub(super) const IN_FAILED_SQL_TRANSACTION: &str = "25P02";
    pub(super) const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: &str = "25P03";
    pub(super) const TRANSACTION_TIMEOUT: &str = "25P04";
    pub(super) const SERIALIZATION_FAILURE: &str = "40001";
    /// Only at COMMIT or in autocommit, where CockroachDB uses it for an outcome it does not know.
    pub(super) const STATEMENT_COMPLETION_UNKNOWN: &str = "40003";
    pub(super) const DEADLOCK_DETECTED: &str = "40P01";
    pub(super) const TOO_MANY_CONNECTIONS: &str = "53300";
    pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(super) const QUERY_CANCELED: &str = "57014";
    pub(super) const ADMIN_SHUTDOWN: &str = "57P01";
    pub(super) const CRASH_SHUTDOWN: &str = "57P02";
    pub(super) const CANNOT_CONNECT_NOW: &str = "57P03";
    pub(super) const IDLE_SESSION_TIMEOUT: &str = "57P05";
    pub(super) const RAISE_EXCEPTION: &str = "P0001";
    /// Class 08, "connection exception".
    pub(super) const CONNECTION_CLASS: &str = "08";
}

#[cfg(feature = "sqlx-postgres")]
pub(super) fn fault(err: &(dyn sea_orm::sqlx::error::DatabaseError + 'static)) -> Option<Fault> {
    use sea_orm::sqlx::postgres::PgSeverity;

    let err = err.try_downcast_ref::<sea_orm::SqlxPostgresError>()?;
    Some(match (meaning(err.code()), err.severity()) {
        // Whatever it is, the session has not outlived it.
        (Fault::Other, PgSeverity::Fatal | PgSeverity::Panic) => Fault::ConnectionLost,
        (fault, _) => fault,
    })
}

#[cfg(feature = "sqlx-postgres")]
fn meaning(sqlstate: &str) -> Fault {
    match sqlstate {
        code::SERIALIZATION_FAILURE => Fault::Serialization,
        code::DEADLOCK_DETECTED => Fault::Deadlock,
        code::LOCK_NOT_AVAILABLE => Fault::LockNotAvailable,
        code::UNIQUE_VIOLATION | code::EXCLUSION_VIOLATION => Fault::Unique,
        code::FOREIGN_KEY_VIOLATION => Fault::ForeignKey,
        code::NOT_NULL_VIOLATION => Fault::NotNull,
        code::CHECK_VIOLATION => Fault::Check,
        code::NUMERIC_VALUE_OUT_OF_RANGE => Fault::OutOfRange,
        code::RAISE_EXCEPTION => Fault::Raised,
        code::READ_ONLY_SQL_TRANSACTION => Fault::ReadOnly,
        code::QUERY_CANCELED | code::TRANSACTION_TIMEOUT => Fault::Cancelled,
        code::IN_FAILED_SQL_TRANSACTION => Fault::Aborted,
        code::STATEMENT_COMPLETION_UNKNOWN => Fault::OutcomeUnknown,
        code::TOO_MANY_CONNECTIONS | code::CANNOT_CONNECT_NOW => Fault::Unavailable,
        code::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | code::ADMIN_SHUTDOWN
        | code::CRASH_SHUTDOWN
        | code::IDLE_SESSION_TIMEOUT => Fault::ConnectionLost,
        other if other.starts_with(code::CONNECTION_CLASS) => Fault::ConnectionLost,
        _ => Fault::Other,
    }
}

#[cfg(all(test, feature = "sqlx-postgres"))]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_meaning() {
        let table = [
            ("40001", Fault::Serialization),
            ("40P01", Fault::Deadlock),
            ("55P03", Fault::LockNotAvailable),
            ("23505", Fault::Unique),
            ("23P01", Fault::Unique),
            ("23503", Fault::ForeignKey),
            ("23502", Fault::NotNull),
            ("23514", Fault::Check),
            ("22003", Fault::OutOfRange),
            ("P0001", Fault::Raised),
            ("25006", Fault::ReadOnly),
            ("57014", Fault::Cancelled),
            ("25P04", Fault::Cancelled),
            ("25P02", Fault::Aborted),
            ("25P03", Fault::ConnectionLost),
            ("53300", Fault::Unavailable),
            ("57P03", Fault::Unavailable),
            ("57P01", Fault::ConnectionLost),
            ("08006", Fault::ConnectionLost),
            ("40003", Fault::OutcomeUnknown),
            ("42P01", Fault::Other),
        ];
        for (sqlstate, fault) in table {
            assert_eq!(meaning(sqlstate), fault, "{sqlstate}");
        }
    }
}
