//! What an error means that a statement met which takes a lock or needs one.

use sea_orm::{DbErr, Statement};

use crate::backend::{Attempt, Fault, capabilities, fault};
use crate::error::{Error, LockError, Operation};
use crate::transaction::{OpenTransaction, TransactionState};

/// The error of a statement inside a transaction that failed. After an error that has ended the whole transaction on
/// the server, the session is made to refuse what would otherwise be committed statement by statement.
pub(crate) async fn failure<T: OpenTransaction>(
    txn: &T,
    target: &str,
    operation: Operation,
    err: DbErr,
    attempt: &Attempt,
) -> Error {
    let locking = capabilities(txn.get_database_backend()).locking;
    let reported = fault(&err);
    let Some(fault) = (locking.lock_fault)(reported, attempt) else {
        return err.into();
    };
    let state = settle(txn, reported, fault).await;
    tracing::debug!(table = target, %operation, %fault, %state, "a lock was not granted");
    LockError::new(target, operation, fault, state, err).into()
}

/// What a fault has left of a transaction, which is sealed if that is nothing; by what the server reported, and by what
/// that means here.
pub(crate) async fn settle<T: OpenTransaction>(txn: &T, reported: Fault, fault: Fault) -> TransactionState {
    let locking = capabilities(txn.get_database_backend()).locking;
    let mut state = (locking.aftermath)(fault);
    if reported == Fault::LockTimeout
        && let Some(question) = locking.timeout_rolls_back
        && !is_no(txn, question).await
    {
        state = TransactionState::RolledBack;
    }
    if state == TransactionState::RolledBack
        && let Some(seal) = locking.seal
    {
        // If this fails, the connection has, and refuses what follows by itself.
        let _ = txn.execute_unprepared(seal).await;
    }
    state
}

/// Asked on the failing path only. Where it cannot be asked, the worse is assumed.
async fn is_no<T: OpenTransaction>(txn: &T, question: &str) -> bool {
    let statement = Statement::from_string(txn.get_database_backend(), question);
    let answer = txn.query_one_raw(statement).await;
    matches!(answer, Ok(Some(row)) if row.try_get_by_index::<i64>(0).is_ok_and(|answer| answer == 0))
}
