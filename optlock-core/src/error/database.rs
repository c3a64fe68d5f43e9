//! An error of SeaORM, the driver or the server.

use sea_orm::DbErr;

use crate::backend::{Fault, fault};

/// An error that SeaORM, the driver or the server reported, unchanged.
///
/// ```
/// use optlock::{Error, Fault};
/// use sea_orm::DbErr;
///
/// let Error::Database(err) = Error::from(DbErr::RecordNotInserted) else { unreachable!() };
/// assert_eq!(err.fault(), Fault::Other);
/// assert!(matches!(err.as_db_err(), DbErr::RecordNotInserted));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
// Boxed to keep `Error` small; around the error and not in it, since the source is to be found by its type.
pub struct DatabaseError(Box<Reported>);

#[derive(Clone, Debug, thiserror::Error)]
#[error("the database reported an error")]
struct Reported {
    source: DbErr,
}

impl DatabaseError {
    pub(crate) fn new(err: DbErr) -> Self {
        Self(Box::new(Reported { source: err }))
    }

    /// What the error means, whichever backend reported it.
    pub fn fault(&self) -> Fault {
        fault(&self.0.source)
    }

    /// SeaORM's error.
    pub fn as_db_err(&self) -> &DbErr {
        &self.0.source
    }

    /// SeaORM's error.
    pub fn into_db_err(self) -> DbErr {
        self.0.source
    }
}
