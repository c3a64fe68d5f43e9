//! Rows that are locked, and written through the lock.

use optlock::prelude::*;
use optlock::{Error, Locked, OpenTransaction};

use super::super::command::{Edit, Lock, Then};
use super::super::item::Entity;
use super::super::outcome::{Outcome, Row};
use super::Handles;

pub(in super::super) async fn lock<T: OpenTransaction>(txn: &T, handles: &Handles, lock: &Lock) -> Outcome {
    let outcome = match lock {
        Lock::Row { key, then } => match Entity::find_by_id(*key).for_update().one(txn).await {
            Ok(Some(row)) => after(row, then).await,
            Ok(None) => Ok(Outcome::Found(None)),
            Err(err) => Err(err),
        },
        Lock::Model { handle, then } => match handles[*handle].clone().lock(txn).await {
            Ok(row) => after(row, then).await,
            Err(err) => Err(err),
        },
        Lock::All { keys, edit } => all(txn, keys, edit).await,
    };
    outcome.unwrap_or_else(Outcome::from)
}

async fn after<T: OpenTransaction>(row: Locked<'_, Row, T>, then: &Then) -> Result<Outcome, Error> {
    Ok(match then {
        Then::Nothing => Outcome::Row(row.into_model()),
        Then::Update(edit) => Outcome::Row(update(row, edit).await?),
        Then::Touch => Outcome::Row(row.touch().await?.into_model()),
        Then::Delete => Outcome::Count(row.delete().await?.rows_affected),
    })
}

async fn all<T: OpenTransaction>(txn: &T, keys: &[i64], edit: &Edit) -> Result<Outcome, Error> {
    let mut rows = Vec::new();
    for row in Entity::lock_all(txn, keys.iter().copied()).await?.into_vec()? {
        rows.push(update(row, edit).await?);
    }
    Ok(Outcome::Rows(rows))
}

async fn update<T: OpenTransaction>(row: Locked<'_, Row, T>, edit: &Edit) -> Result<Row, Error> {
    let updated = row.update(|row| {
        // This closure cannot refuse.
        let _ = edit.make(row);
    });
    Ok(updated.await?.into_model())
}
