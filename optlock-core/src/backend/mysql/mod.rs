//! MySQL and MariaDB, which SeaORM does not tell apart, and what speaks their protocol.

#[cfg(feature = "sqlx-mysql")]
mod fault;

use std::time::Duration;

use sea_orm::sea_query::extension::mysql::{IndexHintScope, MySqlSelectStatementExt};
use sea_orm::sea_query::{Expr, ExprTrait, LockType, SelectStatement, SimpleExpr};
use sea_orm::{DbBackend, Statement};

#[cfg(feature = "sqlx-mysql")]
pub(super) use fault::fault;

use super::advisory::Advisory;
use super::locking::{Attempt, LockRequest, LockUnit, Locking, OuterJoinLocks, Quotes};
use super::transactions::{Transactions, as_asked};
use super::{Capabilities, Confirming, Fault, Returning, batch, compound};
use crate::lock_mode::{LockStrength, LockWait, millis};
use crate::transaction::TransactionState;

pub(super) const CAPABILITIES: Capabilities = Capabilities {
    name: "MySQL or MariaDB",
    // SeaORM's feature `mariadb-use-returning` says yes, but sea-query then writes an UPDATE without RETURNING and
    // takes the missing row for a missing record.
    returning: Returning::Never,
    // At REPEATABLE READ, the default, a plain read shows the snapshot, and a locking one the newest row. The update
    // that came before has locked the row in this way already.
    conflict_read: Some(LockType::Update),
    confirming_read: Confirming::Locking(LockType::Update),
    counts_from_zero: true,
    u32_limit: u32::MAX as u64,
    u64_limit: Some(u64::MAX),
    fail_on,
    fail_on_fault: Fault::OutOfRange,
    advance_timestamp: Some(advance_timestamp),
    compound: compound::OF_MARIADB,
    batching: batch::MYSQL,
    locking: Locking {
        read: locking_read,
        of_a_write: LockStrength::Update,
        unit: LockUnit::Row,
        quotes: Quotes::Backslash,
        outer_joins: OuterJoinLocks::UnlessSkipping,
        // A statement says itself how long it waits.
        wait_setting: None,
        in_key_order,
        locks_as_sorted: false,
        // Far below the 32,000 from which on MariaDB gives up the range of an index, and reads and locks all of it
        // (`optimizer_max_sel_arg_weight`). MySQL does so a little later (`range_optimizer_max_mem_size`).
        max_parameters: 8_000,
        lock_fault,
        aftermath,
        timeout_rolls_back: Some("SELECT @@innodb_rollback_on_timeout"),
        seal: Some(SEAL),
    },
    transactions: Transactions {
        aborted_probe: None,
        ended_probe: None,
        empty: None,
        finishes_statements: true,
        finishes_begin: true,
        is_setting: |_| false,
        options: as_asked,
    },
    advisory: Some(Advisory {
        take: take_advisory_lock,
        // The server looks whether the connection is still there, and takes the goodbye that it finds for a sign of life.
        longest_wait: Some(LONGEST_WAIT_FOR_A_NAME),
        release: Some("DO RELEASE_ALL_LOCKS()"),
        // The snapshot is the one of the first read of a table, which comes after the lock.
        isolation_level: None,
    }),
};

/// In one piece, so that nothing comes in between. ROLLBACK first: START TRANSACTION would commit a transaction that is open
/// after all.
///
/// The savepoints of nested transactions are not set again, though that would let their rollbacks succeed: somebody who handles the
/// error, rolls back a nested transaction and commits the outer one would not be told that all of it is gone.
const SEAL: &str = "ROLLBACK; START TRANSACTION READ ONLY";

/// One text for both servers, and nothing that a session would keep.
///
/// - MySQL runs `/*!80001 … */` and takes `/*M! … */` for a comment; MariaDB does it the other way round.
/// - MariaDB waits for a number of seconds, MySQL has a limit in milliseconds for the whole statement. MariaDB has known that
///   hint from version 12 on, and takes it for a comment before.
fn locking_read(mut query: SelectStatement, request: &LockRequest) -> Result<Statement, String> {
    if request.of.is_some() {
        // MySQL could; MariaDB would lock the rows of every table.
        return Err(format!("{} OF a table", request.strength));
    }
    let clause = match (request.strength, request.wait) {
        (LockStrength::Update, LockWait::AsSet) => "FOR UPDATE".to_owned(),
        (LockStrength::Update, LockWait::NoWait) => "FOR UPDATE NOWAIT".to_owned(),
        (LockStrength::Update, LockWait::SkipLocked) => "FOR UPDATE SKIP LOCKED".to_owned(),
        (LockStrength::Update, LockWait::AtMost(limit)) => format!("FOR UPDATE /*M! WAIT {} */", seconds(limit)),
        // MySQL would take FOR SHARE, too; this it shares with MariaDB.
        (LockStrength::Share, LockWait::AsSet) => "LOCK IN SHARE MODE".to_owned(),
        (LockStrength::Share, LockWait::NoWait) => {
            "/*!80001 FOR SHARE NOWAIT */ /*M! LOCK IN SHARE MODE NOWAIT */".to_owned()
        }
        (LockStrength::Share, LockWait::SkipLocked) => {
            "/*!80001 FOR SHARE SKIP LOCKED */ /*M! LOCK IN SHARE MODE SKIP LOCKED */".to_owned()
        }
        (LockStrength::Share, LockWait::AtMost(limit)) => format!("LOCK IN SHARE MODE /*M! WAIT {} */", seconds(limit)),
        (LockStrength::NoKeyUpdate | LockStrength::KeyShare, _) => return Err(request.strength.to_string()),
    };
    // sea-query's own clause marks the place, and takes that of any that the caller has set.
    query.lock(LockType::Update);
    let Statement { sql, values, .. } = DbBackend::MySql.build(&query);
    let select = sql
        .strip_prefix("SELECT ")
        .and_then(|sql| sql.strip_suffix("FOR UPDATE"))
        .ok_or_else(|| format!("{} of this query", request.strength))?;
    let sql = match request.wait {
        LockWait::AtMost(limit) => format!("SELECT /*+ MAX_EXECUTION_TIME({}) */ {select}{clause}", millis(limit)),
        LockWait::AsSet | LockWait::NoWait | LockWait::SkipLocked => format!("SELECT {select}{clause}"),
    };
    Ok(Statement {
        sql,
        values,
        db_backend: DbBackend::MySql,
    })
}

/// Whole seconds, rounded up.
fn seconds(limit: Duration) -> u128 {
    millis(limit).div_ceil(1000)
}

/// Rows are locked as an index yields them, whatever the `ORDER BY`.
fn in_key_order(query: &mut SelectStatement) {
    query.force_index("PRIMARY", IndexHintScope::All);
}

/// MariaDB reports `NOWAIT` as a timeout. MySQL reports the end of `MAX_EXECUTION_TIME` as one of the statement.
fn lock_fault(fault: Fault, attempt: &Attempt) -> Option<Fault> {
    match fault {
        Fault::LockTimeout if attempt.wait == LockWait::NoWait => Some(Fault::LockNotAvailable),
        Fault::Cancelled if matches!(attempt.wait, LockWait::AtMost(_)) && attempt.waited_in_full() => {
            Some(Fault::LockTimeout)
        }
        Fault::LockTimeout | Fault::LockNotAvailable | Fault::Deadlock | Fault::Serialization | Fault::OutOfLocks => {
            Some(fault)
        }
        _ => None,
    }
}

fn aftermath(fault: Fault) -> TransactionState {
    match fault {
        Fault::Deadlock | Fault::Serialization | Fault::OutOfLocks => TransactionState::RolledBack,
        _ => TransactionState::Usable,
    }
}

const LONGEST_WAIT_FOR_A_NAME: Duration = Duration::from_secs(5);

/// Names of the server's are at most 64 characters, compared without case, and the same in every database: a hash of the
/// database and the name is none of that.
fn take_advisory_lock(name: &str, wait: LockWait) -> Statement {
    let seconds = match wait {
        LockWait::NoWait | LockWait::SkipLocked => 0,
        LockWait::AtMost(limit) => seconds(limit),
        LockWait::AsSet => seconds(LONGEST_WAIT_FOR_A_NAME),
    };
    let sql = format!("SELECT GET_LOCK(CONCAT('optlock:', SHA2(CONCAT_WS(CHAR(0), DATABASE(), ?), 224)), {seconds})");
    Statement::from_sql_and_values(DbBackend::MySql, sql, [name.into()])
}

/// `column + 18446744073709551615`: "out of range" in every SQL mode for every column above zero.
fn fail_on(column: SimpleExpr) -> SimpleExpr {
    column.add(u64::MAX)
}

fn advance_timestamp(column: SimpleExpr, micros: i64, now: sea_orm::Value) -> SimpleExpr {
    // sea-query has no interval arithmetic.
    Expr::cust_with_exprs(
        format!("GREATEST(? + INTERVAL {micros} MICROSECOND, ?)"),
        [column, Expr::val(now)],
    )
}

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::{Alias, Query};

    use super::*;

    #[test]
    fn a_wait_is_never_shorter_than_what_was_asked_for() {
        for (limit, expected) in [
            (Duration::from_nanos(1), 1),
            (Duration::from_secs(1), 1),
            (Duration::from_millis(1_001), 2),
            (Duration::from_secs(5), 5),
        ] {
            assert_eq!(seconds(limit), expected, "{limit:?}");
        }
    }

    /// A statement that ends early was not ended by the limit of its wait.
    #[test]
    fn a_statement_that_was_cancelled_at_its_limit_has_waited_for_the_lock() {
        let limit = Duration::from_secs(2);
        let (early, late) = (Duration::from_secs(1), Duration::from_secs(3));
        for (fault, wait, elapsed, expected) in [
            (
                Fault::Cancelled,
                LockWait::AtMost(limit),
                late,
                Some(Fault::LockTimeout),
            ),
            (Fault::Cancelled, LockWait::AtMost(limit), early, None),
            (Fault::Cancelled, LockWait::AsSet, late, None),
            (
                Fault::LockTimeout,
                LockWait::NoWait,
                early,
                Some(Fault::LockNotAvailable),
            ),
            (
                Fault::LockTimeout,
                LockWait::AtMost(limit),
                late,
                Some(Fault::LockTimeout),
            ),
            (Fault::Deadlock, LockWait::AsSet, early, Some(Fault::Deadlock)),
            (Fault::Unique, LockWait::AsSet, late, None),
        ] {
            let attempt = Attempt {
                wait,
                elapsed,
                patience: None,
            };
            assert_eq!(
                lock_fault(fault, &attempt),
                expected,
                "{fault:?} of {wait:?} after {elapsed:?}"
            );
        }
    }

    #[test]
    fn each_of_the_two_servers_reads_a_limit_in_its_own_unit() {
        let request = |strength| LockRequest {
            strength,
            wait: LockWait::AtMost(Duration::from_millis(2_500)),
            of: None,
        };
        for (strength, clause) in [
            (LockStrength::Update, "FOR UPDATE /*M! WAIT 3 */"),
            (LockStrength::Share, "LOCK IN SHARE MODE /*M! WAIT 3 */"),
        ] {
            let mut query = Query::select();
            query.column(Alias::new("id")).from(Alias::new("item"));
            let statement = locking_read(query, &request(strength)).unwrap();
            assert_eq!(
                statement.sql,
                format!("SELECT /*+ MAX_EXECUTION_TIME(2500) */ `id` FROM `item` {clause}")
            );
        }
    }

    #[test]
    fn a_name_is_waited_for_no_shorter_than_asked_and_not_for_ever() {
        for (wait, expected) in [
            (LockWait::NoWait, "0"),
            (LockWait::AtMost(Duration::from_millis(2_500)), "3"),
            (LockWait::AsSet, "5"),
        ] {
            let statement = take_advisory_lock("job", wait);
            let end = format!(", {expected})");
            assert!(statement.sql.ends_with(&end), "{}", statement.sql);
        }
    }
}
