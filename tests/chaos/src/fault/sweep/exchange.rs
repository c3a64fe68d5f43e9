//! What application and server say to each other until it is ended.

use optlock::prelude::*;
use optlock::{Backoff, Error, Fault, Policy, fault};
use sea_orm::IntoActiveModel;

use super::super::receipt;
use crate::row;

/// One cut is one failure, so a second attempt is enough.
const POLICY: Policy<'static> = Policy::new().attempts(2).backoff(Backoff::none());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// One row, outside of a transaction.
    Update,
    /// Two rows, in a transaction that is not redone once its commit was sent.
    Transaction,
    /// A row and a receipt, in a transaction whose owner can find out.
    Verified,
}

/// What the application is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Done,
    Undone(Fault),
    Unknown(Fault),
    /// It has not waited for an answer.
    Nothing,
}

impl Exchange {
    pub(super) const ALL: [Self; 3] = [Self::Update, Self::Transaction, Self::Verified];

    /// Writes to rows as they are known to be.
    pub(super) async fn run(self, db: &DatabaseConnection, rows: &[row::Model; 2], writer: i64) -> Told {
        match self {
            Self::Update => {
                let outcome = changed(&rows[0], writer).update(db).await.map(drop);
                outcome.map_or_else(|err| told_outside(&err), |()| Told::Done)
            }
            Self::Transaction => {
                let work = |txn| async move {
                    for row in rows {
                        changed(row, writer).update(&txn).await?;
                    }
                    Ok::<_, Error>(())
                };
                told(&POLICY.transaction(db, work).await)
            }
            Self::Verified => {
                let verify = |db: DatabaseConnection| async move {
                    let receipt = receipt::Entity::find_by_id(writer).one(&db).await?;
                    Ok::<_, Error>(receipt.is_some())
                };
                let work = |txn| async move {
                    let receipt = receipt::ActiveModel {
                        id: Set(writer),
                        writer: Set(writer),
                    };
                    receipt.insert(&txn).await?;
                    changed(&rows[0], writer).update(&txn).await?;
                    Ok::<_, Error>(())
                };
                told(&POLICY.transaction_verified(db, verify, work).await)
            }
        }
    }

    /// Whether there may be this outcome where one connection is lost, and nothing else goes wrong.
    pub(super) fn expects(self, told: Told) -> bool {
        match told {
            Told::Done | Told::Nothing => true,
            Told::Unknown(Fault::ConnectionLost) => self == Self::Update,
            // A transaction whose commit was not sent is redone.
            Told::Unknown(Fault::OutcomeUnknown) => self == Self::Transaction,
            Told::Unknown(_) | Told::Undone(_) => false,
        }
    }

    /// How many of the rows it writes.
    pub(super) fn rows(self) -> usize {
        match self {
            Self::Transaction => 2,
            Self::Update | Self::Verified => 1,
        }
    }
}

fn changed(row: &row::Model, writer: i64) -> row::ActiveModel {
    let mut change = row.clone().into_active_model();
    change.qty = Set(row.qty + 1);
    change.writer = Set(writer);
    change
}

/// Outside of a transaction, a write whose connection was lost may have been done.
fn told_outside(err: &Error) -> Told {
    match fault(err) {
        fault @ (Fault::ConnectionLost | Fault::OutcomeUnknown) => Told::Unknown(fault),
        fault => Told::Undone(fault),
    }
}

/// Of a transaction, only the answer to its commit can be unknown.
fn told(outcome: &Result<(), Error>) -> Told {
    match outcome {
        Ok(()) => Told::Done,
        Err(Error::OutcomeUnknown(_)) => Told::Unknown(Fault::OutcomeUnknown),
        Err(err) => Told::Undone(fault(err)),
    }
}
