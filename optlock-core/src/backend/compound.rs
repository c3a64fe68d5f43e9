//! A write and the read of its row in one statement, for a server that cannot return a row from an update.

use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::{Fault, fault};

/// How a row is written, read and committed in one statement, so that it is locked while the server works, and not while its answers travel.
///
/// It is sent in a transaction that was begun for it, and rolled back or committed in vain afterwards: if the statement is killed half-way, the
/// server leaves the transaction open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compound {
    build: fn(Statement, Statement) -> Statement,
    /// Whether the server has refused the statement because it knows none of this kind. Then nothing was done.
    pub(crate) is_unknown: fn(&DbErr) -> bool,
    /// Asks whether the transaction is still open, which it is not from the beginning of its commit on: one, or zero.
    is_open: &'static str,
}

/// Set once a server has refused such a statement. Where a process talks to several servers, the others are spoken to as to that one, which is
/// slower and nothing else.
static IS_UNKNOWN: AtomicBool = AtomicBool::new(false);

impl Compound {
    /// The statement: its first row is the number of rows that the write has reached, and the others are those of the read. `None` if it was found
    /// not to be known, or cannot be made of these.
    pub(crate) fn build(&self, write: Statement, read: Statement) -> Option<Statement> {
        // An expression that is SQL of the caller's may have one. By itself the server refuses it.
        if IS_UNKNOWN.load(Ordering::Relaxed) || write.sql.contains(';') {
            return None;
        }
        Some((self.build)(write, read))
    }

    /// Whether nothing was stored by a statement that has failed with this error, on the connection that it was sent on. A
    /// statement that is killed, or runs into its time limit, while it commits or right after fails as one that has done nothing.
    pub(crate) async fn has_stored_nothing<C: ConnectionTrait>(&self, txn: &C, err: &DbErr) -> bool {
        if refuses(fault(err)) || (self.is_unknown)(err) {
            return true;
        }
        let question = Statement::from_string(txn.get_database_backend(), self.is_open);
        let answer = txn.query_one_raw(question).await;
        // What is open is rolled back now. What is not may be stored, or rolled back.
        matches!(answer, Ok(Some(row)) if row.try_get_by_index::<i64>(0).is_ok_and(|is_open| is_open == 1))
    }

    /// Asks for no other one.
    pub(crate) fn forget() {
        IS_UNKNOWN.store(true, Ordering::Relaxed);
    }
}

/// <https://mariadb.com/kb/en/begin-end/>. MySQL has these in stored programs alone.
pub(super) const OF_MARIADB: Option<Compound> = if cfg!(feature = "sqlx-mysql") {
    Some(Compound {
        build: of_mariadb,
        is_unknown: is_unknown_to_mysql,
        is_open: "SELECT CAST(@@in_transaction AS SIGNED)",
    })
} else {
    // Nobody could tell that it is not known.
    None
};

/// Whether a statement that fails with this has not come to its commit, or its commit was refused.
const fn refuses(fault: Fault) -> bool {
    fault.is_constraint()
        || matches!(
            fault,
            Fault::Raised
                | Fault::Serialization
                | Fault::Deadlock
                | Fault::LockTimeout
                | Fault::LockNotAvailable
                | Fault::OutOfLocks
                | Fault::ReadOnly
        )
}

fn of_mariadb(write: Statement, read: Statement) -> Statement {
    let sql = format!(
        "BEGIN NOT ATOMIC {}; SELECT ROW_COUNT(); {}; COMMIT; END",
        write.sql, read.sql
    );
    let values = [write.values, read.values].into_iter().flatten();
    Statement::from_sql_and_values(write.db_backend, sql, values.flat_map(|values| values.0))
}

#[cfg(feature = "sqlx-mysql")]
fn is_unknown_to_mysql(err: &DbErr) -> bool {
    /// MySQL: the syntax is none of its own.
    const PARSE_ERROR: u16 = 1064;
    /// MariaDB before 10.6: the statement cannot be prepared.
    const UNSUPPORTED_PS: u16 = 1295;

    use sea_orm::{RuntimeErr, SqlxError, SqlxMySqlError};

    let (DbErr::Exec(RuntimeErr::SqlxError(err)) | DbErr::Query(RuntimeErr::SqlxError(err))) = err else {
        return false;
    };
    let SqlxError::Database(err) = &**err else {
        return false;
    };
    let number = err
        .as_ref()
        .try_downcast_ref::<SqlxMySqlError>()
        .map(SqlxMySqlError::number);
    matches!(number, Some(PARSE_ERROR | UNSUPPORTED_PS))
}

#[cfg(not(feature = "sqlx-mysql"))]
fn is_unknown_to_mysql(_: &DbErr) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use sea_orm::DbBackend;

    use super::*;

    fn statement(sql: &str, values: [i32; 2]) -> Statement {
        Statement::from_sql_and_values(DbBackend::MySql, sql, values.map(Into::into))
    }

    #[test]
    fn a_write_is_read_and_committed_in_one_statement() {
        let write = statement("UPDATE t SET a = a - ? WHERE id = ?", [2, 7]);
        let both = of_mariadb(write, statement("SELECT a FROM t WHERE id = ? AND b = ?", [7, 8]));
        assert_eq!(
            both.sql,
            "BEGIN NOT ATOMIC UPDATE t SET a = a - ? WHERE id = ?; SELECT ROW_COUNT(); \
             SELECT a FROM t WHERE id = ? AND b = ?; COMMIT; END"
        );
        assert_eq!(both.values.map(|values| values.0.len()), Some(4));
    }

    #[test]
    fn an_error_that_may_follow_the_commit_refuses_nothing() {
        for fault in [Fault::Unique, Fault::OutOfRange, Fault::Raised, Fault::Deadlock] {
            assert!(refuses(fault), "{fault}");
        }
        for fault in [
            Fault::Cancelled,
            Fault::Other,
            Fault::Unclassified,
            Fault::ConnectionLost,
            Fault::OutcomeUnknown,
        ] {
            assert!(!refuses(fault), "{fault}");
        }
    }

    #[cfg(feature = "sqlx-mysql")]
    #[tokio::test]
    async fn a_server_that_does_not_know_the_statement_cannot_parse_or_prepare_it() {
        use crate::backend::driver_error::of_mysql;

        for (number, expected) in [(1064, true), (1295, true), (1062, false), (1146, false), (1317, false)] {
            let err = of_mysql(number).await;
            assert_eq!(is_unknown_to_mysql(&err), expected, "{err:?}");
        }
        assert!(!is_unknown_to_mysql(&DbErr::RecordNotUpdated));
    }

    /// The server is asked where its error does not say it, and nothing but an open transaction is a yes.
    #[cfg(all(feature = "sqlx-mysql", feature = "sqlx-sqlite"))]
    #[tokio::test]
    async fn nothing_is_stored_where_the_error_or_the_server_says_so() {
        use crate::backend::driver_error::of_mysql;

        let db = sea_orm::Database::connect("sqlite::memory:").await.unwrap();
        for (number, is_open, expected) in [
            (1062, "SELECT 0", true),
            (1213, "SELECT 0", true),
            (1064, "SELECT 0", true),
            (1317, "SELECT 1", true),
            (1317, "SELECT 0", false),
            (1317, "SELECT 1 WHERE FALSE", false),
            (1317, "SELECT nothing", false),
        ] {
            let compound = Compound {
                is_open,
                ..OF_MARIADB.unwrap()
            };
            let err = of_mysql(number).await;
            let has_stored_nothing = compound.has_stored_nothing(&db, &err).await;
            assert_eq!(has_stored_nothing, expected, "{number}, {is_open}");
        }
    }

    #[test]
    fn sql_that_is_more_than_one_statement_is_sent_as_it_is() {
        let Some(compound) = OF_MARIADB else { return };
        let read = || statement("SELECT 1", [1, 2]);
        assert!(
            compound
                .build(statement("UPDATE t SET a = 1; DROP TABLE t", [1, 2]), read())
                .is_none()
        );
        assert!(
            compound
                .build(statement("UPDATE t SET a = 1", [1, 2]), read())
                .is_some()
        );
    }
}
