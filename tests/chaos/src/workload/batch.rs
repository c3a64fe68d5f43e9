//! Batches over random rows, in any order, which overlap.

use optlock::prelude::*;
use optlock::{Error, Found};
use optlock_history::{Access, Outcome};

use crate::Result;
use crate::client::{Begun, Client, outcome};
use crate::row::{self, token};

pub(super) const ROWS: i64 = 300;
const OF_A_BATCH: usize = 100;

pub(super) async fn step(client: &mut Client) -> Result<()> {
    let mut keys: Vec<i64> = (1..=ROWS).collect();
    client.random.shuffle(&mut keys);
    keys.truncate(OF_A_BATCH);
    // Ahead of the read that they decide on. Where there is a verdict for each row, each is an attempt of its own.
    let each = client.random.bool();
    let attempts = if each { OF_A_BATCH } else { 1 };
    let begun: Vec<_> = (0..attempts).map(|_| client.begin()).collect();
    let read = row::Entity::find().filter(row::Column::Id.is_in(keys));
    let mut read = match read.all(&client.db).await {
        Ok(read) => read,
        Err(err) => {
            let err = Error::from(err);
            return outcome(&err).map(drop).ok_or_else(|| err.into());
        }
    };
    client.random.shuffle(&mut read);
    match begun.as_slice() {
        [begun] => all_or_nothing(client, begun, &read).await,
        begun => each_row(client, begun, &read).await,
    }
}

fn counted(row: &row::Model, writer: i64) -> row::ActiveModel {
    row::ActiveModel {
        qty: Set(row.qty + 1),
        writer: Set(writer),
        ..row.clone().into_active_model()
    }
}

async fn all_or_nothing(client: &mut Client, begun: &Begun, read: &[row::Model]) -> Result<()> {
    let batch = read.iter().map(|row| counted(row, token(begun.id)));
    match row::Entity::update_batch(batch).exec(&client.db).await {
        Ok(stored) => {
            let accesses = read.iter().zip(&stored);
            let accesses = accesses.map(|(row, stored)| super::counter::wrote(row.id, row.seen(), stored));
            client.committed(begun, accesses.collect());
        }
        Err(err) => {
            let accesses = read.iter().map(|row| Access::changed(row.id, row.seen())).collect();
            client.failed(begun, accesses, err)?;
        }
    }
    Ok(())
}

/// Each row is an attempt of its own.
async fn each_row(client: &mut Client, begun: &[Begun], read: &[row::Model]) -> Result<()> {
    let batch = read.iter().zip(begun);
    let batch = batch.map(|(row, begun)| counted(row, token(begun.id)));
    match row::Entity::update_batch(batch).exec_each(&client.db).await {
        Ok(verdicts) => {
            for ((row, begun), verdict) in read.iter().zip(begun).zip(verdicts) {
                match verdict {
                    Ok(stored) => client.committed(begun, vec![super::counter::wrote(row.id, row.seen(), &stored)]),
                    Err(conflict) if *conflict.found() == Found::Deleted => return Err(conflict.into()),
                    Err(_) => client.end(begun, vec![Access::changed(row.id, row.seen())], Outcome::Refused),
                }
            }
        }
        Err(err) => {
            let outcome = outcome(&err).ok_or(err)?;
            for (row, begun) in read.iter().zip(begun) {
                client.end(begun, vec![Access::changed(row.id, row.seen())], outcome);
            }
        }
    }
    Ok(())
}
