//! What backends need for a transaction that begins and ends under control: facts, filled in by each backend's own file.

use sea_orm::{AccessMode, DbErr, IsolationLevel, SqliteTransactionMode, TransactionOptions};

use super::Fault;

/// How one backend runs transactions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transactions {
    /// Whether any error ends the transaction until it is rolled back, so that its commit stores nothing without a word. Holds
    /// a statement that fails if that is so.
    pub(crate) aborted_probe: Option<&'static str>,
    /// A statement that begins a transaction, and fails within one: asked after an error, where some errors end the transaction and
    /// do not say so. Success means that the transaction had ended, and that what comes next is not committed on its own.
    pub(crate) ended_probe: Option<&'static str>,
    /// Where the driver may lose count of a transaction: what begins an empty one that it ends rightly, whether it takes it for the first or for a nested one.
    pub(crate) empty: Option<&'static str>,
    /// Whether the driver must be let finish a statement that has been sent, because its connection is lost otherwise.
    pub(crate) finishes_statements: bool,
    /// Whether the driver must be let finish a `BEGIN`, because its connection goes back to the pool within the transaction otherwise.
    pub(crate) finishes_begin: bool,
    /// Whether a statement is a setting of the connection, which is no part of the transaction.
    pub(crate) is_setting: fn(&str) -> bool,
    /// How a transaction of this level and mode is begun; what it is that the backend cannot do.
    pub(crate) options: fn(Option<IsolationLevel>, Option<AccessMode>) -> Result<TransactionOptions, &'static str>,
}

/// A transaction as it is asked for.
#[allow(clippy::unnecessary_wraps, reason = "other backends refuse some")]
pub(super) const fn as_asked(
    isolation_level: Option<IsolationLevel>,
    access_mode: Option<AccessMode>,
) -> Result<TransactionOptions, &'static str> {
    Ok(TransactionOptions {
        isolation_level,
        access_mode,
        sqlite_transaction_mode: None,
    })
}

/// A transaction that has SQLite's write lock from its beginning: one that asks for it after it has read can never have it once
/// somebody else has written.
pub(super) const fn with_write_lock(
    // There is one level, which is as strict as any.
    _: Option<IsolationLevel>,
    access_mode: Option<AccessMode>,
) -> Result<TransactionOptions, &'static str> {
    if matches!(access_mode, Some(AccessMode::ReadOnly)) {
        return Err("a transaction that may not write");
    }
    Ok(TransactionOptions {
        isolation_level: None,
        access_mode: None,
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
    })
}

/// Whether a failed `COMMIT` may have been done all the same: the server has not said that it was not.
pub(crate) fn may_have_committed(err: &DbErr) -> bool {
    match super::fault(err) {
        Fault::ConnectionLost | Fault::OutcomeUnknown | Fault::Unclassified => true,
        // A server says more with its codes than we know, but it did answer.
        Fault::Other => !is_answer(err),
        _ => false,
    }
}

#[cfg(any(feature = "sqlx-sqlite", feature = "sqlx-postgres", feature = "sqlx-mysql"))]
fn is_answer(err: &DbErr) -> bool {
    use sea_orm::{RuntimeErr, SqlxError};

    let (DbErr::Conn(err) | DbErr::Exec(err) | DbErr::Query(err)) = err else {
        return false;
    };
    matches!(err, RuntimeErr::SqlxError(err) if matches!(&**err, SqlxError::Database(_)))
}

#[cfg(not(any(feature = "sqlx-sqlite", feature = "sqlx-postgres", feature = "sqlx-mysql")))]
fn is_answer(_: &DbErr) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnAcquireErr;

    use super::*;

    #[cfg(feature = "sqlx-mysql")]
    #[tokio::test]
    async fn a_commit_that_a_server_has_refused_is_not_done() {
        for (number, expected) in [
            (1213, false),
            (3101, false),
            // Of no meaning to us, but an answer.
            (1146, false),
            // The server does not know either.
            (1180, true),
            // It has answered, and it is gone.
            (1053, true),
        ] {
            let err = crate::backend::driver_error::of_mysql(number).await;
            assert_eq!(may_have_committed(&err), expected, "{err:?}");
        }
    }

    #[cfg(any(feature = "sqlx-sqlite", feature = "sqlx-postgres", feature = "sqlx-mysql"))]
    #[test]
    fn a_commit_without_an_answer_may_be_done() {
        use sea_orm::{RuntimeErr, SqlxError};

        for err in [
            SqlxError::WorkerCrashed,
            SqlxError::Io(std::io::ErrorKind::UnexpectedEof.into()),
            // Whatever came back, the driver could not read it.
            SqlxError::Protocol("not a packet".to_owned()),
        ] {
            let err = DbErr::Query(RuntimeErr::SqlxError(err.into()));
            assert!(may_have_committed(&err), "{err:?}");
        }
        let unclassified = DbErr::Query(RuntimeErr::Internal("broken".to_owned()));
        assert!(may_have_committed(&unclassified));
    }

    #[test]
    fn what_is_no_error_of_a_driver_says_nothing_of_a_commit() {
        assert!(may_have_committed(&DbErr::Custom("lost".to_owned())));
        // Nothing was sent.
        let timeout = DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        assert!(!may_have_committed(&timeout));
    }
}
