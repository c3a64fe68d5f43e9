//! Few rows, each counted up by one in one of the ways there are to change a row.

use optlock::prelude::*;
use optlock::{Error, Policy};
use optlock_history::{Access, Seen};

use crate::Result;
use crate::client::Client;
use crate::row::{self, token};

pub(super) const ROWS: i64 = 4;

/// Enough for what two processes do to few rows.
const POLICY: Policy<'static> = Policy::new().attempts(20);

pub(super) async fn step(client: &mut Client) -> Result<()> {
    let key = client.random.i64(1..=ROWS);
    match client.random.u8(0..7) {
        0 | 1 => update(client, key).await,
        2 => modify(client, key, &POLICY).await,
        3 => modify(client, key, &POLICY.combine()).await,
        4 => modify(client, key, &POLICY.never_queue()).await,
        5 => modify_in_hand(client, key).await,
        _ => locked(client, key).await,
    }
}

/// One checked update of a row that was read before.
async fn update(client: &mut Client, key: i64) -> Result<()> {
    let begun = client.begin();
    let Some(read) = read(client, key).await? else {
        return Ok(());
    };
    let seen = read.seen();
    let change = row::ActiveModel {
        qty: Set(read.qty + 1),
        writer: Set(token(begun.id)),
        ..read.into_active_model()
    };
    match change.update(&client.db).await {
        Ok(stored) => client.committed(&begun, vec![wrote(key, seen, &stored)]),
        Err(err) => client.failed(&begun, vec![Access::changed(key, seen)], err)?,
    }
    Ok(())
}

async fn modify(client: &mut Client, key: i64, policy: &Policy<'static>) -> Result<()> {
    let begun = client.begin();
    let mut seen = None;
    let change = |row: &mut row::Model| {
        seen = Some(row.seen());
        row.qty += 1;
        row.writer = token(begun.id);
    };
    let stored = policy.modify(row::Entity, &client.db, key, change).await;
    applied(client, &begun, key, seen, stored)
}

async fn modify_in_hand(client: &mut Client, key: i64) -> Result<()> {
    let begun = client.begin();
    let Some(read) = read(client, key).await? else {
        return Ok(());
    };
    let mut seen = None;
    let change = |row: &mut row::Model| {
        seen = Some(row.seen());
        row.qty += 1;
        row.writer = token(begun.id);
    };
    let stored = POLICY.modify_model(read, &client.db, change).await;
    applied(client, &begun, key, seen, stored)
}

async fn locked(client: &mut Client, key: i64) -> Result<()> {
    let begun = client.begin();
    let writer = token(begun.id);
    let stored = POLICY.transaction(&client.db, |txn| async move {
        let row = row::Entity::find_by_id(key).for_update().one(&txn).await?;
        let Some(row) = row else { return Ok(None) };
        let seen = row.seen();
        let change = |row: &mut row::Model| {
            row.qty += 1;
            row.writer = writer;
        };
        Ok::<_, Error>(Some((seen, row.update(change).await?.into_model())))
    });
    match stored.await {
        Ok(Some((seen, stored))) => client.committed(&begun, vec![wrote(key, seen, &stored)]),
        Ok(None) => {}
        Err(err) => client.failed(&begun, vec![Access::blind(key)], err)?,
    }
    Ok(())
}

/// Logs what came of a closure that has last been applied to a row as it was seen.
fn applied(
    client: &mut Client,
    begun: &crate::client::Begun,
    key: i64,
    seen: Option<Seen>,
    stored: Result<row::Model, Error>,
) -> Result<()> {
    match (stored, seen) {
        (Ok(stored), Some(seen)) => client.committed(begun, vec![wrote(key, seen, &stored)]),
        (Ok(stored), None) => return Err(format!("{stored:?} was stored without a change").into()),
        // What it was applied to may have been what others had made of the row in memory, and was never stored either.
        (Err(err), _) => client.failed(begun, vec![Access::blind(key)], err)?,
    }
    Ok(())
}

/// A row that was read and stored again, with the version that the library says it has now.
pub(super) fn wrote(key: i64, seen: Seen, stored: &row::Model) -> Access {
    Access {
        key,
        read: Some(seen),
        wrote: Some(stored.version),
    }
}

/// A row as it is. `None` if it could not be read, which is no attempt to write it.
async fn read(client: &mut Client, key: i64) -> Result<Option<row::Model>> {
    match row::Entity::find_by_id(key).one(&client.db).await {
        Ok(row) => Ok(Some(row.ok_or("a row is gone")?)),
        Err(err) => {
            let err = Error::from(err);
            crate::client::outcome(&err).map(|_| None).ok_or_else(|| err.into())
        }
    }
}

/// Each write adds one to the quantity and one to the version.
pub(super) fn wrongs(rows: &[row::Model]) -> Vec<String> {
    let is_wrong = |row: &&row::Model| row.qty != row.version - 1;
    rows.iter()
        .filter(is_wrong)
        .map(|row| format!("row {}: quantity {} at version {}", row.id, row.qty, row.version))
        .collect()
}
