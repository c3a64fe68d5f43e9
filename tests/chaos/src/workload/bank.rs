//! Transfers of one to five between eight accounts, whose sum never changes.

use optlock::prelude::*;
use optlock::{Error, Policy};
use optlock_history::{Access, Id};
use sea_orm::IsolationLevel;

use crate::Result;
use crate::client::{Client, outcome};
use crate::row::{self, token};

pub(super) const ACCOUNTS: i64 = 8;
pub(super) const BALANCE: i64 = 100;

/// The worst caller of two processes loses more rounds than the default allows.
const POLICY: Policy<'static> = Policy::new().attempts(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Both rows are read, and written at the versions that were read.
    Versioned,
    /// Both rows are locked, in the order of their keys.
    Locked,
    /// Both rows are read and written without a check: the database finds what cannot be in any order.
    Serializable,
}

pub(super) async fn step(client: &mut Client, style: Style) -> Result<()> {
    if client.random.u8(0..8) == 0 {
        return sum(client).await;
    }
    let from = client.random.i64(1..=ACCOUNTS);
    let to = (from - 1 + client.random.i64(1..ACCOUNTS)) % ACCOUNTS + 1;
    let amount = client.random.i64(1..=5);
    let begun = client.begin();
    let id = begun.id;
    let policy = match style {
        Style::Versioned | Style::Locked => POLICY,
        Style::Serializable => POLICY.isolation(IsolationLevel::Serializable),
    };
    let moved = policy.transaction(&client.db, |txn| async move {
        match style {
            Style::Versioned => versioned(&txn, id, from, to, amount).await,
            Style::Locked => locked(&txn, id, from, to, amount).await,
            Style::Serializable => unchecked(&txn, id, from, to, amount).await,
        }
    });
    match moved.await {
        Ok(accesses) => client.committed(&begun, accesses),
        Err(err) => client.failed(&begun, vec![Access::blind(from), Access::blind(to)], err)?,
    }
    Ok(())
}

/// All accounts in one statement, at whatever level.
async fn sum(client: &mut Client) -> Result<()> {
    let begun = client.begin();
    match row::Entity::find().all(&client.db).await {
        Ok(rows) => {
            let accesses = rows.iter().map(|row| Access::read(row.id, row.seen())).collect();
            client.committed(&begun, accesses);
            let wrongs = wrongs(&rows)?;
            if wrongs.is_empty() {
                Ok(())
            } else {
                Err(wrongs.join("; ").into())
            }
        }
        Err(err) => {
            let err = Error::from(err);
            outcome(&err).map(drop).ok_or_else(|| err.into())
        }
    }
}

fn paid(row: &row::Model, amount: i64, id: Id) -> row::ActiveModel {
    row::ActiveModel {
        qty: Set(row.qty + amount),
        writer: Set(token(id)),
        ..row.clone().into_active_model()
    }
}

async fn two(txn: &impl ConnectionTrait, from: i64, to: i64) -> Result<[row::Model; 2], Error> {
    let missing = || DbErr::RecordNotFound("an account".to_owned());
    let from = row::Entity::find_by_id(from).one(txn).await?.ok_or_else(missing)?;
    let to = row::Entity::find_by_id(to).one(txn).await?.ok_or_else(missing)?;
    Ok([from, to])
}

async fn versioned(txn: &optlock::Txn, id: Id, from: i64, to: i64, amount: i64) -> Result<Vec<Access>, Error> {
    let mut accesses = Vec::new();
    let read = two(txn, from, to).await?;
    if read[0].qty < amount {
        // Nothing is written, so nothing shows that both were there at once.
        return Ok(accesses);
    }
    for (row, amount) in read.iter().zip([-amount, amount]) {
        let stored = paid(row, amount, id).update(txn).await?;
        accesses.push(super::counter::wrote(row.id, row.seen(), &stored));
    }
    Ok(accesses)
}

async fn locked(txn: &optlock::Txn, id: Id, from: i64, to: i64, amount: i64) -> Result<Vec<Access>, Error> {
    let mut accesses = Vec::new();
    let rows = row::Entity::lock_all(txn, [from, to]).await?.into_array::<2>()?;
    let is_covered = rows[0].qty >= amount;
    for (row, amount) in rows.into_iter().zip([-amount, amount]) {
        let (key, seen) = (row.id, row.seen());
        if is_covered {
            let change = |row: &mut row::Model| {
                row.qty += amount;
                row.writer = token(id);
            };
            let stored = row.update(change).await?.into_model();
            accesses.push(super::counter::wrote(key, seen, &stored));
        } else {
            accesses.push(Access::read(key, seen));
        }
    }
    Ok(accesses)
}

async fn unchecked(txn: &optlock::Txn, id: Id, from: i64, to: i64, amount: i64) -> Result<Vec<Access>, Error> {
    let mut accesses = Vec::new();
    let read = two(txn, from, to).await?;
    let is_covered = read[0].qty >= amount;
    for (row, amount) in read.iter().zip([-amount, amount]) {
        if is_covered {
            let mut model = paid(row, amount, id);
            model.version = Set(row.version + 1);
            let stored = model.update_unchecked(txn).await?;
            accesses.push(super::counter::wrote(row.id, row.seen(), &stored));
        } else {
            accesses.push(Access::read(row.id, row.seen()));
        }
    }
    Ok(accesses)
}

pub(super) fn wrongs(rows: &[row::Model]) -> Result<Vec<String>> {
    let total: i64 = rows.iter().map(|row| row.qty).sum();
    let overdrawn = rows.iter().filter(|row| row.qty < 0);
    let mut wrongs: Vec<_> = overdrawn
        .map(|row| format!("account {} has {}", row.id, row.qty))
        .collect();
    if rows.len() != usize::try_from(ACCOUNTS)? || total != ACCOUNTS * BALANCE {
        wrongs.push(format!("{} accounts have {total} together", rows.len()));
    }
    Ok(wrongs)
}
