//! What errors say of what has happened.

use std::error::Error as _;

use sea_orm::{ConnAcquireErr, RuntimeErr};

use super::*;
use crate::value::{RowKey, RowVersion};

fn conflict() -> Error {
    Conflict::new(Loss {
        table: "product",
        key: RowKey::new([7_i32.into()]),
        operation: Operation::Update,
        expected: RowVersion::from(5_i64),
        found: Found::Changed {
            version: RowVersion::from(6_i64),
        },
        current: None,
        cause: None,
    })
    .into()
}

#[test]
fn an_error_is_small_and_can_cross_threads() {
    fn portable<T: Send + Sync + 'static>() {}
    portable::<Error>();
    assert!(size_of::<Error>() <= 48, "{}", size_of::<Error>());
}

#[test]
fn a_conflict_survives_the_way_through_db_err() {
    let before = conflict();
    let through = DbErr::from(before.clone());
    let after = Error::from(through.clone());
    let (Error::Conflict(before), Error::Conflict(after)) = (&before, &after) else {
        panic!("not a conflict: {after:?}");
    };
    assert!(before.is_same(after));
    assert!(Error::find(&through).is_some_and(Error::is_conflict));
}

#[test]
fn an_error_of_seaorm_survives_the_way_through_ours() {
    for before in [
        DbErr::RecordNotInserted,
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        DbErr::Exec(RuntimeErr::Internal("broken".to_owned())),
    ] {
        let after = DbErr::from(Error::from(before.clone()));
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
    }
}

#[test]
fn a_cause_is_in_the_source_and_not_in_the_message() {
    let err = Error::from(DbErr::Custom("the cause".to_owned()));
    assert_eq!(err.to_string(), "the database reported an error");
    assert_eq!(
        err.source().map(ToString::to_string).as_deref(),
        Some("Custom Error: the cause")
    );
}

/// What each error that can have a cause says of it, and of itself.
#[test]
fn an_error_tells_what_its_cause_was_and_what_it_means() {
    let cause = || DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
    let (table, key, version) = ("product", || RowKey::new([7_i32.into()]), || RowVersion::from(5_i64));
    let conflict = Loss {
        table,
        key: key(),
        operation: Operation::Update,
        expected: version(),
        found: Found::Unknown,
        current: None,
        cause: Some(cause()),
    };
    let errors: [(Error, Option<Fault>, Fault); 8] = [
        (cause().into(), Some(Fault::PoolTimeout), Fault::PoolTimeout),
        (Conflict::new(conflict).into(), Some(Fault::PoolTimeout), Fault::Stale),
        (
            Refused::unread(table, key(), Operation::Update, cause()).into(),
            Some(Fault::PoolTimeout),
            Fault::Blocked,
        ),
        (
            Overflow::new(table, Operation::Update, version(), Some(cause())).into(),
            Some(Fault::PoolTimeout),
            Fault::OutOfRange,
        ),
        (
            Unread::new(table, key(), Operation::Update, version(), Some(cause())).into(),
            Some(Fault::PoolTimeout),
            Fault::Other,
        ),
        (
            TransactionFailed::new(cause()).into(),
            Some(Fault::PoolTimeout),
            Fault::PoolTimeout,
        ),
        (
            OutcomeUnknown::new(cause()).into(),
            Some(Fault::OutcomeUnknown),
            Fault::OutcomeUnknown,
        ),
        (Escaped::new().into(), None, Fault::Other),
    ];
    for (err, of_cause, meaning) in errors {
        assert_eq!((err.fault(), fault(&err)), (of_cause, meaning), "{err:?}");
        assert_eq!(err.is_conflict(), matches!(err, Error::Conflict(_)), "{err:?}");
    }
}

/// Whoever looks through the causes finds the meaning: in the database's error if that has the same one, and else above it.
#[test]
fn the_causes_mean_the_same_as_the_error() {
    for (cause, meaning, is_plain) in [
        (ConnAcquireErr::ConnectionClosed, Fault::ConnectionLost, true),
        (ConnAcquireErr::Timeout, Fault::Stale, false),
    ] {
        let conflict = Conflict::new(Loss {
            table: "product",
            key: RowKey::new([7_i32.into()]),
            operation: Operation::Update,
            expected: RowVersion::from(5_i64),
            found: Found::Unknown,
            current: None,
            cause: Some(DbErr::ConnectionAcquire(cause)),
        });
        assert_eq!(conflict.fault(), meaning);
        let source = conflict.source().unwrap();
        assert_eq!(fault(source), meaning);
        assert_eq!(source.is::<DbErr>(), is_plain, "{source:?}");
    }
    for (cause, meaning, is_plain) in [
        (ConnAcquireErr::ConnectionClosed, Fault::ConnectionLost, true),
        (ConnAcquireErr::Timeout, Fault::Blocked, false),
    ] {
        let key = RowKey::new([7_i32.into()]);
        let refused = Refused::unread("product", key, Operation::Update, DbErr::ConnectionAcquire(cause));
        assert_eq!(refused.fault(), meaning);
        let source = refused.source().unwrap();
        assert_eq!(fault(source), meaning);
        assert_eq!(source.is::<DbErr>(), is_plain, "{source:?}");
        let DbErr::ConnectionAcquire(found) = refused.cause().unwrap() else {
            panic!("{refused:?}");
        };
        assert_eq!(*found, cause);
    }
}

/// Where the database's error says less, or nothing.
#[test]
fn a_reason_says_what_has_happened() {
    for (fault, said) in [
        (Fault::Stale, "somebody else was faster"),
        (Fault::Blocked, "a filter, a trigger or a policy held the write back"),
        (Fault::LockNotAvailable, "somebody else holds the lock"),
        (Fault::LockTimeout, "somebody else held the lock for too long"),
        (Fault::Deadlock, "two transactions waited for each other"),
        (Fault::Other, "the row was written, and the read of it failed"),
        (
            Fault::OutcomeUnknown,
            "the connection was lost while the transaction was committed",
        ),
    ] {
        assert_eq!(reason::Reason::new(fault, None).to_string(), said);
    }
    let Error::Conflict(conflict) = conflict() else {
        panic!("not a conflict");
    };
    let conflicts = Conflicts::new(3, vec![(1, conflict)]).unwrap();
    let source = conflicts.source().unwrap();
    assert_eq!(source.to_string(), "somebody else was faster");
    assert_eq!(fault(source), Fault::Stale);
}

#[cfg(feature = "sqlx-sqlite")]
#[test]
fn what_the_driver_says_by_itself_has_a_meaning() {
    use sea_orm::SqlxError;

    for (err, meaning) in [
        (SqlxError::WorkerCrashed, Fault::ConnectionLost),
        (SqlxError::PoolClosed, Fault::ConnectionLost),
        (
            SqlxError::Io(std::io::ErrorKind::BrokenPipe.into()),
            Fault::ConnectionLost,
        ),
        (SqlxError::PoolTimedOut, Fault::PoolTimeout),
        (SqlxError::Protocol("too many".to_owned()), Fault::Other),
        (SqlxError::RowNotFound, Fault::Other),
    ] {
        let err = DbErr::Exec(RuntimeErr::SqlxError(err.into()));
        assert_eq!(fault(&err), meaning, "{err:?}");
    }
    let err = DbErr::Exec(RuntimeErr::Internal("broken".to_owned()));
    assert_eq!(fault(&err), Fault::Unclassified);
}
