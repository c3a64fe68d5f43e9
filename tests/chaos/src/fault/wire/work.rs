//! What clients do.

use std::time::Duration;

use fastrand::Rng;
use optlock::prelude::*;
use optlock::{Backoff, Error, Policy};
use sea_orm::{DbErr, IntoActiveModel};

use super::super::receipt;
use super::call::Call;
use super::{ACCOUNTS, COUNTERS};
use crate::row;

/// As of an application whose callers wait for half a second.
const POLICY: Policy<'static> =
    Policy::new()
        .attempts(12)
        .deadline(Duration::from_millis(500))
        .backoff(Backoff::full_jitter(
            Duration::from_millis(5),
            Duration::from_millis(50),
        ));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A counter is read, and the model updated.
    Update,
    Modify,
    /// With `combine`.
    Combine,
    /// Two accounts are read, and the models updated.
    Versioned,
    /// Two accounts are locked.
    Locked,
    /// The same, with a receipt by which the caller finds out.
    Verified,
}

impl Work {
    pub(super) const ALL: [Self; 6] = [
        Self::Update,
        Self::Modify,
        Self::Combine,
        Self::Versioned,
        Self::Locked,
        Self::Verified,
    ];

    /// Whether all that it writes is in a transaction that it begins and ends.
    pub(super) fn is_transaction(self) -> bool {
        matches!(self, Self::Versioned | Self::Locked | Self::Verified)
    }

    /// Does it, and says by which attempt.
    pub(super) async fn run(self, db: &DatabaseConnection, random: &mut Rng, call: &Call<'_>) -> Result<i64, Error> {
        let counter = ACCOUNTS + random.i64(1..=COUNTERS);
        let from = random.i64(0..ACCOUNTS);
        let to = (from + random.i64(1..ACCOUNTS)) % ACCOUNTS;
        let accounts = [from + 1, to + 1];
        let amount = random.i64(1..=5);
        match self {
            Self::Update => POLICY.retry(|| update(db, counter, call)).await,
            Self::Modify => modify(&POLICY, db, counter, call).await,
            Self::Combine => modify(&POLICY.combine(), db, counter, call).await,
            Self::Versioned => {
                POLICY
                    .transaction(db, |txn| versioned(txn, accounts, amount, call))
                    .await
            }
            Self::Locked => POLICY.transaction(db, |txn| locked(txn, accounts, amount, call)).await,
            Self::Verified => verified(db, accounts, amount, call).await,
        }
    }
}

async fn update(db: &DatabaseConnection, counter: i64, call: &Call<'_>) -> Result<i64, Error> {
    let attempt = call.begin();
    let row = read(db, counter).await?;
    call.changes(attempt, &row);
    let change = added(row, 1, attempt);
    call.sends(attempt);
    change.update(db).await?;
    Ok(attempt)
}

async fn modify(policy: &Policy<'_>, db: &DatabaseConnection, counter: i64, call: &Call<'_>) -> Result<i64, Error> {
    let mut last = 0;
    let change = |row: &mut row::Model| {
        last = call.begin_late();
        call.changes(last, row);
        call.sends(last);
        row.qty += 1;
        row.writer = last;
    };
    policy.modify(row::Entity, db, counter, change).await?;
    Ok(last)
}

async fn versioned(txn: optlock::Txn, accounts: [i64; 2], amount: i64, call: &Call<'_>) -> Result<i64, Error> {
    let attempt = call.begin();
    let mut changes = Vec::new();
    for (account, amount) in accounts.into_iter().zip([-amount, amount]) {
        let row = read(&txn, account).await?;
        call.changes(attempt, &row);
        changes.push(added(row, amount, attempt));
    }
    for change in changes {
        change.update(&txn).await?;
    }
    call.sends(attempt);
    Ok(attempt)
}

async fn locked(txn: optlock::Txn, accounts: [i64; 2], amount: i64, call: &Call<'_>) -> Result<i64, Error> {
    let attempt = call.begin();
    transfer(&txn, accounts, amount, attempt, call).await?;
    call.sends(attempt);
    Ok(attempt)
}

async fn verified(db: &DatabaseConnection, accounts: [i64; 2], amount: i64, call: &Call<'_>) -> Result<i64, Error> {
    // Chosen once, for all attempts.
    let key = call.number();
    let is_there = |db: DatabaseConnection| async move {
        let receipt = receipt::Entity::find_by_id(key).one(&db).await?;
        Ok::<_, Error>(receipt.is_some())
    };
    let work = |txn| async move {
        let attempt = call.begin();
        let receipt = receipt::ActiveModel {
            id: Set(key),
            writer: Set(attempt),
        };
        // Keys of receipts are below those of rows.
        call.inserts(attempt, -key);
        receipt.insert(&txn).await?;
        transfer(&txn, accounts, amount, attempt, call).await?;
        call.sends(attempt);
        Ok(attempt)
    };
    POLICY.transaction_verified(db, is_there, work).await
}

async fn transfer(
    txn: &optlock::Txn,
    accounts: [i64; 2],
    amount: i64,
    attempt: i64,
    call: &Call<'_>,
) -> Result<(), Error> {
    let rows = row::Entity::lock_all(txn, accounts).await?.into_array::<2>()?;
    for (row, amount) in rows.into_iter().zip([-amount, amount]) {
        call.changes(attempt, &row);
        row.update(|row| {
            row.qty += amount;
            row.writer = attempt;
        })
        .await?;
    }
    Ok(())
}

async fn read(db: &impl ConnectionTrait, id: i64) -> Result<row::Model, Error> {
    let row = row::Entity::find_by_id(id).one(db).await?;
    Ok(row.ok_or_else(|| DbErr::RecordNotFound(id.to_string()))?)
}

fn added(row: row::Model, amount: i64, writer: i64) -> row::ActiveModel {
    let sum = row.qty + amount;
    let mut change = row.into_active_model();
    change.qty = Set(sum);
    change.writer = Set(writer);
    change
}
