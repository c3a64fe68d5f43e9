//! The types that errors may have, all looked into.

use std::error::Error as StdError;

use optlock::prelude::*;
use optlock::{Classify, Error, Fault, Report, Txn};
use sea_orm::{IsolationLevel, TransactionError, TransactionTrait};

use super::{Calls, Failure, POLICY, add, conflict, duplicate, quantities};
use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    a_conflict_is_found_in_every_type,
    an_error_of_the_database_is_found_in_every_type,
    an_error_that_failed_a_nested_closure_is_found;
    SERVERS:
    a_lock_that_is_not_granted_is_found_in_every_type;
    POSTGRES:
    a_serialization_failure_is_found_in_every_type,
    a_transaction_that_has_failed_is_found_in_every_type;
];

/// Each of ours in a variant with a message of its own.
#[derive(Debug, thiserror::Error)]
enum Sourced {
    #[error("the order was not stored")]
    Store(#[from] Error),
    #[error("the order was not read")]
    Read(#[from] DbErr),
}

/// Each of ours in place of the whole.
#[derive(Debug, thiserror::Error)]
enum Transparent {
    #[error(transparent)]
    Store(#[from] Error),
    #[error(transparent)]
    Read(#[from] DbErr),
}

/// One type within another.
#[derive(Debug, thiserror::Error)]
enum Outer {
    #[error("the request failed")]
    Shop(#[source] Transparent),
    #[error(transparent)]
    Again(Sourced),
}

impl From<Error> for Outer {
    fn from(err: Error) -> Self {
        Self::Shop(err.into())
    }
}

impl From<DbErr> for Outer {
    fn from(err: DbErr) -> Self {
        Self::Again(err.into())
    }
}

/// What the first attempt fails with.
#[derive(Clone, Copy, Debug)]
enum Failing {
    Conflict,
    Serialization,
    Unique,
    /// A lock that somebody else has.
    Lock,
    /// A statement after an error.
    Failed,
}

impl Failing {
    async fn fail(self, context: &Context, txn: &Txn) -> Result<(), Error> {
        match self {
            Self::Conflict => conflict(txn).await,
            Self::Unique => Ok(duplicate(txn).await?),
            Self::Lock => {
                let rival = context.other.begin().await?;
                let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
                let lock = item::Entity::find_by_id(1).for_update().nowait();
                let outcome = lock.one(txn).await.map(drop);
                rival.rollback().await?;
                outcome
            }
            Self::Failed => {
                assert!(duplicate(txn).await.is_err());
                add(txn, 1, 1).await.map(drop)
            }
            Self::Serialization => {
                item::Entity::find_by_id(1).one(txn).await?;
                add(&context.other, 1, 1).await?;
                txn.execute_unprepared("UPDATE item SET qty = 0 WHERE id = 1").await?;
                Ok(())
            }
        }
    }

    /// The fault, and how many attempts it takes until one succeeds or there is none.
    fn expected(self) -> (Option<Fault>, u32) {
        match self {
            Self::Conflict => (Some(Fault::Stale), 2),
            Self::Serialization => (Some(Fault::Serialization), 2),
            Self::Unique | Self::Failed => (Some(Fault::Unique), 1),
            Self::Lock => (Some(Fault::LockNotAvailable), 1),
        }
    }
}

/// What is wrong with a type as that of the closure's errors, if anything is.
async fn complaint<T, K>(context: &Context, failing: Failing, name: &str, wrap: fn(Error) -> T) -> Option<String>
where
    T: From<Error> + Classify<K>,
{
    let (calls, report) = (Calls::default(), Report::new());
    let level = (!matches!(context.backend, Backend::Sqlite)).then_some(IsolationLevel::RepeatableRead);
    let policy = level.map_or(POLICY, |level| POLICY.isolation(level));
    let outcome: Result<(), T> = policy
        .attempts(2)
        .report(&report)
        .transaction(&context.db, |txn| {
            let call = calls.next();
            async move {
                if call == 1 {
                    failing.fail(context, &txn).await.map_err(wrap)?;
                }
                Ok(())
            }
        })
        .await;
    let seen = (report.fault(), calls.count());
    (seen != failing.expected()).then(|| format!("{name}: {seen:?}, {}", if outcome.is_ok() { "Ok" } else { "Err" }))
}

async fn complaints(context: &Context, failing: Failing) -> Vec<String> {
    let mut all = vec![
        complaint::<Error, _>(context, failing, "Error", |err| err).await,
        complaint(context, failing, "DbErr", DbErr::from).await,
        complaint(context, failing, "Sourced::Store", Sourced::Store).await,
        complaint(context, failing, "Sourced::Read", |err| Sourced::Read(err.into())).await,
        complaint(context, failing, "Transparent::Store", Transparent::Store).await,
        complaint(context, failing, "Transparent::Read", |err| {
            Transparent::Read(err.into())
        })
        .await,
        complaint(context, failing, "Outer::Shop of Store", |err| {
            Outer::Shop(Transparent::Store(err))
        })
        .await,
        complaint(context, failing, "Outer::Shop of Read", |err| {
            Outer::Shop(Transparent::Read(err.into()))
        })
        .await,
        complaint(context, failing, "Outer::Again", |err| {
            Outer::Again(Sourced::Read(err.into()))
        })
        .await,
        complaint(context, failing, "a box", |err| Box::new(err) as Failure).await,
        complaint(context, failing, "a box of Transparent::Read", |err| {
            Box::new(Transparent::Read(err.into())) as Failure
        })
        .await,
        complaint(context, failing, "a box of a nested closure's", |err| {
            Box::new(TransactionError::Transaction(err)) as Failure
        })
        .await,
    ];
    // Its future cannot be sent, so it must not be part of this one.
    let stays = tokio::task::block_in_place(|| {
        let wrap = |err| Box::new(err) as Box<dyn StdError>;
        let complaint = complaint(context, failing, "a box that stays in its thread", wrap);
        tokio::runtime::Handle::current().block_on(complaint)
    });
    all.push(stays);
    all.into_iter().flatten().collect()
}

async fn a_conflict_is_found_in_every_type(context: Context) -> Outcome {
    item::create(&context).await?;
    assert_eq!(complaints(&context, Failing::Conflict).await, <Vec<String>>::new());
    Ok(())
}

async fn an_error_of_the_database_is_found_in_every_type(context: Context) -> Outcome {
    item::create(&context).await?;
    assert_eq!(complaints(&context, Failing::Unique).await, <Vec<String>>::new());
    Ok(())
}

async fn a_serialization_failure_is_found_in_every_type(context: Context) -> Outcome {
    item::create(&context).await?;
    assert_eq!(complaints(&context, Failing::Serialization).await, <Vec<String>>::new());
    Ok(())
}

async fn a_lock_that_is_not_granted_is_found_in_every_type(context: Context) -> Outcome {
    item::create(&context).await?;
    assert_eq!(complaints(&context, Failing::Lock).await, <Vec<String>>::new());
    Ok(())
}

async fn a_transaction_that_has_failed_is_found_in_every_type(context: Context) -> Outcome {
    item::create(&context).await?;
    assert_eq!(complaints(&context, Failing::Failed).await, <Vec<String>>::new());
    Ok(())
}

/// `TransactionError` has no `source()`, whatever is in it.
async fn an_error_that_failed_a_nested_closure_is_found(context: Context) -> Outcome {
    item::create(&context).await?;
    let calls = Calls::default();
    POLICY
        .transaction(&context.db, |txn| {
            let call = calls.next();
            async move {
                txn.transaction::<_, (), Error>(|savepoint| {
                    Box::pin(async move {
                        add(savepoint, 1, 1).await?;
                        if call == 1 {
                            conflict(savepoint).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
                Ok::<_, Failure>(())
            }
        })
        .await?;
    assert_eq!(calls.count(), 2);
    assert_eq!(quantities(&context).await?, [11, 20, 30]);
    Ok(())
}
