//! What the error numbers of MySQL and MariaDB mean.

use crate::backend::Fault;

/// Error numbers: <https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html> and
/// <https://mariadb.com/kb/en/mariadb-error-code-reference/>. SQLSTATEs are of no use: HY000 stands for most of these.
mod code {
    /// MariaDB, with `innodb_snapshot_isolation`: the row changed after the snapshot. The transaction is gone.
    pub(super) const CHECKREAD: u16 = 1020;
    pub(super) const DUP_KEY: u16 = 1022;
    pub(super) const CON_COUNT_ERROR: u16 = 1040;
    /// Galera: the node has lost its cluster.
    pub(super) const UNKNOWN_COM_ERROR: u16 = 1047;
    pub(super) const BAD_NULL_ERROR: u16 = 1048;
    pub(super) const SERVER_SHUTDOWN: u16 = 1053;
    pub(super) const DUP_ENTRY: u16 = 1062;
    pub(super) const DUP_UNIQUE: u16 = 1169;
    /// The engine failed while it committed.
    pub(super) const ERROR_DURING_COMMIT: u16 = 1180;
    pub(super) const TOO_MANY_USER_CONNECTIONS: u16 = 1203;
    pub(super) const LOCK_WAIT_TIMEOUT: u16 = 1205;
    /// The whole transaction is rolled back, as after a deadlock.
    pub(super) const LOCK_TABLE_FULL: u16 = 1206;
    pub(super) const LOCK_DEADLOCK: u16 = 1213;
    pub(super) const NO_REFERENCED_ROW: u16 = 1216;
    pub(super) const ROW_IS_REFERENCED: u16 = 1217;
    pub(super) const WARN_DATA_OUT_OF_RANGE: u16 = 1264;
    pub(super) const OPTION_PREVENTS_STATEMENT: u16 = 1290;
    pub(super) const SP_DOES_NOT_EXIST: u16 = 1305;
    pub(super) const QUERY_INTERRUPTED: u16 = 1317;
    pub(super) const NO_DEFAULT_FOR_FIELD: u16 = 1364;
    pub(super) const ROW_IS_REFERENCED_2: u16 = 1451;
    pub(super) const NO_REFERENCED_ROW_2: u16 = 1452;
    pub(super) const FOREIGN_DUPLICATE_KEY_OLD: u16 = 1557;
    pub(super) const DUP_ENTRY_WITH_KEY_NAME: u16 = 1586;
    pub(super) const SIGNAL_EXCEPTION: u16 = 1644;
    pub(super) const DATA_OUT_OF_RANGE: u16 = 1690;
    pub(super) const FOREIGN_DUPLICATE_KEY: u16 = 1761;
    pub(super) const FOREIGN_DUPLICATE_KEY_CHILD: u16 = 1762;
    pub(super) const CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: u16 = 1792;
    pub(super) const READ_ONLY_MODE: u16 = 1836;
    pub(super) const DUP_UNKNOWN_IN_INDEX: u16 = 1859;
    /// MariaDB.
    pub(super) const CONNECTION_KILLED: u16 = 1927;
    /// MariaDB: `max_statement_time`.
    pub(super) const STATEMENT_TIMEOUT: u16 = 1969;
    pub(super) const SERVER_GONE: u16 = 2006;
    pub(super) const SERVER_LOST: u16 = 2013;
    /// MySQL: `max_execution_time`.
    pub(super) const QUERY_TIMEOUT: u16 = 3024;
    /// MySQL: `NOWAIT`.
    pub(super) const LOCK_NOWAIT: u16 = 3572;
    /// MySQL: `GET_LOCK`.
    pub(super) const USER_LOCK_DEADLOCK: u16 = 3058;
    /// MySQL.
    pub(super) const CHECK_CONSTRAINT_VIOLATED: u16 = 3819;
    /// MariaDB.
    pub(super) const CONSTRAINT_FAILED: u16 = 4025;
    /// MySQL's group replication: the transaction was rolled back when it was to be certified, at its commit.
    pub(super) const TRANSACTION_ROLLBACK_DURING_COMMIT: u16 = 3101;
    /// TiDB, from here on: <https://docs.pingcap.com/tidb/stable/error-codes>. Commits that failed and were rolled back.
    pub(super) const TIDB_TXN_ABORTED: u16 = 8002;
    pub(super) const TIDB_COMMIT_FAILED: u16 = 8022;
    /// The schema has changed since the transaction began.
    pub(super) const TIDB_SCHEMA_CHANGED: u16 = 8028;
    /// The placement driver or the store takes too long or is too busy.
    pub(super) const TIDB_PD_TIMEOUT: u16 = 9001;
    pub(super) const TIDB_REGION_UNAVAILABLE: u16 = 9005;
    pub(super) const TIDB_WRITE_CONFLICT: u16 = 9007;
    /// MySQL: disconnected for inactivity.
    pub(super) const CLIENT_INTERACTION_TIMEOUT: u16 = 4031;
}

pub(in crate::backend) fn fault(err: &(dyn sea_orm::sqlx::error::DatabaseError + 'static)) -> Option<Fault> {
    let err = err.try_downcast_ref::<sea_orm::SqlxMySqlError>()?;
    Some(meaning(err.number()))
}

fn meaning(number: u16) -> Fault {
    match number {
        code::CHECKREAD
        | code::TRANSACTION_ROLLBACK_DURING_COMMIT
        | code::TIDB_TXN_ABORTED
        | code::TIDB_COMMIT_FAILED
        | code::TIDB_SCHEMA_CHANGED
        | code::TIDB_WRITE_CONFLICT => Fault::Serialization,
        code::LOCK_DEADLOCK | code::USER_LOCK_DEADLOCK => Fault::Deadlock,
        code::LOCK_TABLE_FULL => Fault::OutOfLocks,
        code::LOCK_NOWAIT => Fault::LockNotAvailable,
        code::LOCK_WAIT_TIMEOUT => Fault::LockTimeout,
        code::DUP_KEY
        | code::DUP_ENTRY
        | code::DUP_UNIQUE
        | code::DUP_ENTRY_WITH_KEY_NAME
        | code::DUP_UNKNOWN_IN_INDEX => Fault::Unique,
        code::NO_REFERENCED_ROW
        | code::ROW_IS_REFERENCED
        | code::ROW_IS_REFERENCED_2
        | code::NO_REFERENCED_ROW_2
        | code::FOREIGN_DUPLICATE_KEY_OLD
        | code::FOREIGN_DUPLICATE_KEY
        | code::FOREIGN_DUPLICATE_KEY_CHILD => Fault::ForeignKey,
        code::BAD_NULL_ERROR | code::NO_DEFAULT_FOR_FIELD => Fault::NotNull,
        code::CHECK_CONSTRAINT_VIOLATED | code::CONSTRAINT_FAILED => Fault::Check,
        code::WARN_DATA_OUT_OF_RANGE | code::DATA_OUT_OF_RANGE => Fault::OutOfRange,
        code::SIGNAL_EXCEPTION => Fault::Raised,
        code::OPTION_PREVENTS_STATEMENT | code::CANT_EXECUTE_IN_READ_ONLY_TRANSACTION | code::READ_ONLY_MODE => {
            Fault::ReadOnly
        }
        code::QUERY_INTERRUPTED | code::STATEMENT_TIMEOUT | code::QUERY_TIMEOUT => Fault::Cancelled,
        // A savepoint that is gone: the server has ended the whole transaction, with an error that came before.
        code::SP_DOES_NOT_EXIST => Fault::Aborted,
        code::ERROR_DURING_COMMIT => Fault::OutcomeUnknown,
        code::CON_COUNT_ERROR
        | code::TOO_MANY_USER_CONNECTIONS
        | code::UNKNOWN_COM_ERROR
        | code::TIDB_PD_TIMEOUT..=code::TIDB_REGION_UNAVAILABLE => Fault::Unavailable,
        code::SERVER_SHUTDOWN
        | code::CONNECTION_KILLED
        | code::SERVER_GONE
        | code::SERVER_LOST
        | code::CLIENT_INTERACTION_TIMEOUT => Fault::ConnectionLost,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_meaning() {
        let table = [
            (1020, Fault::Serialization),
            (1206, Fault::OutOfLocks),
            (1213, Fault::Deadlock),
            (3058, Fault::Deadlock),
            (3572, Fault::LockNotAvailable),
            (1205, Fault::LockTimeout),
            (1062, Fault::Unique),
            (1586, Fault::Unique),
            (1451, Fault::ForeignKey),
            (1452, Fault::ForeignKey),
            (1048, Fault::NotNull),
            (1364, Fault::NotNull),
            (3819, Fault::Check),
            (4025, Fault::Check),
            (1264, Fault::OutOfRange),
            (1690, Fault::OutOfRange),
            (1644, Fault::Raised),
            (1290, Fault::ReadOnly),
            (1792, Fault::ReadOnly),
            (1317, Fault::Cancelled),
            (1969, Fault::Cancelled),
            (1305, Fault::Aborted),
            (3101, Fault::Serialization),
            (8002, Fault::Serialization),
            (8022, Fault::Serialization),
            (8028, Fault::Serialization),
            (9007, Fault::Serialization),
            (1180, Fault::OutcomeUnknown),
            (1040, Fault::Unavailable),
            (1047, Fault::Unavailable),
            (1203, Fault::Unavailable),
            (9001, Fault::Unavailable),
            (9005, Fault::Unavailable),
            (1053, Fault::ConnectionLost),
            (2013, Fault::ConnectionLost),
            (1146, Fault::Other),
        ];
        for (number, fault) in table {
            assert_eq!(meaning(number), fault, "{number}");
        }
    }
}
