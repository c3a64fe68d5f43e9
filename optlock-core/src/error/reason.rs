//! The end of a chain of causes that no database error ends.

use std::fmt;

use sea_orm::DbErr;

use crate::backend::Fault;

/// The meaning of an error, as its `source()`: what is found there when an error of the application hides ours behind
/// `#[error(transparent)]`, which passes on the source and not the error.
#[derive(Clone, Debug)]
pub(crate) struct Reason {
    fault: Fault,
    cause: Option<DbErr>,
}

impl Reason {
    pub(crate) const fn new(fault: Fault, cause: Option<DbErr>) -> Self {
        Self { fault, cause }
    }

    pub(crate) fn cause(&self) -> Option<&DbErr> {
        self.cause.as_ref()
    }

    pub(crate) fn fault(&self) -> Fault {
        self.fault
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.fault {
            Fault::Stale => "somebody else was faster",
            Fault::Blocked => "a filter, a trigger or a policy held the write back",
            Fault::LockNotAvailable => "somebody else holds the lock",
            Fault::LockTimeout => "somebody else held the lock for too long",
            Fault::Deadlock => "two transactions waited for each other",
            Fault::Other => "the row was written, and the read of it failed",
            _ => "the connection was lost while the transaction was committed",
        })
    }
}

impl std::error::Error for Reason {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}
