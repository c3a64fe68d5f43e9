//! Whole transactions, run until they are committed.

pub(crate) mod after_commit;
pub(crate) mod cancel;
pub(crate) mod commit;
pub(crate) mod deadlock;
pub(crate) mod dropped;
pub(crate) mod escape;
pub(crate) mod full;
pub(crate) mod isolation;
pub(crate) mod loss;
pub(crate) mod loss_elsewhere;
pub(crate) mod nested;
pub(crate) mod savepoint;
pub(crate) mod send;
pub(crate) mod swallowed;
pub(crate) mod trigger;
pub(crate) mod types;

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};

use optlock::prelude::*;
use optlock::{Backoff, Policy};
use sea_orm::{QueryOrder, Statement};

use crate::context::Context;
use crate::entity::item;

/// What the closures of these cases fail with: whatever it is.
type Failure = Box<dyn Error + Send + Sync>;

/// Fast, and bound by its attempts alone.
const POLICY: Policy<'static> = Policy::new().backoff(Backoff::none()).without_deadline();

/// How often a closure has run.
#[derive(Debug, Default)]
struct Calls(AtomicU32);

impl Calls {
    /// The number of this call: 1 for the first.
    fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Reads an item and writes it with a larger quantity.
async fn add<C: ConnectionTrait>(db: &C, id: i64, count: i64) -> Result<item::Model, optlock::Error> {
    let row = item::Entity::find_by_id(id).one(db).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound(id.to_string()))?;
    let qty = row.qty + count;
    let mut change = row.into_active_model();
    change.qty = Set(qty);
    change.update(db).await
}

/// Writes item 3 by a version that it has never had.
async fn conflict<C: ConnectionTrait>(db: &C) -> Result<(), optlock::Error> {
    let stale = item::Model {
        id: 3,
        name: "c".to_owned(),
        qty: 30,
        version: 0,
    };
    stale.touch(db).await.map(drop)
}

/// Inserts an item with the name of another one.
async fn duplicate<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    db.execute_unprepared("INSERT INTO item (id, name, qty, version) VALUES (9, 'a', 0, 1)")
        .await
        .map(drop)
}

/// The quantities that are stored, in the order of the keys.
async fn quantities(context: &Context) -> Result<Vec<i64>, Failure> {
    let rows = item::Entity::find()
        .order_by_asc(item::Column::Id)
        .all(&context.other)
        .await?;
    Ok(rows.into_iter().map(|row| row.qty).collect())
}

/// One text or number of the server's, asked on this connection.
async fn ask<T: sea_orm::TryGetable, C: ConnectionTrait>(db: &C, query: &str) -> Result<T, Failure> {
    let statement = Statement::from_string(db.get_database_backend(), query);
    let row = db.query_one_raw(statement).await?;
    Ok(row.ok_or("no row")?.try_get_by_index(0)?)
}

/// The session of the server that this connection has.
async fn session<C: ConnectionTrait>(context: &Context, db: &C) -> Result<i64, Failure> {
    let query = context.backend.pick(
        "SELECT 0",
        "SELECT pg_backend_pid()::bigint",
        "SELECT CAST(CONNECTION_ID() AS SIGNED)",
    );
    ask(db, query).await
}

/// The only connection of this pool is in no transaction and can write: what it writes is seen by others at once.
async fn is_usable(context: &Context, db: &DatabaseConnection) -> Result<(), Failure> {
    // A commit that was dropped may still be on its way. It is done once this is.
    ask::<i64, _>(db, context.backend.pick("SELECT 1", "SELECT 1::bigint", "SELECT 1")).await?;
    let before = quantities(context).await?;
    db.execute_unprepared("UPDATE item SET qty = qty + 1000").await?;
    let expected: Vec<_> = before.iter().map(|qty| qty + 1000).collect();
    let after = quantities(context).await?;
    if after != expected {
        return Err(format!("the connection is within a transaction: {before:?} became {after:?}").into());
    }
    db.execute_unprepared("UPDATE item SET qty = qty - 1000").await?;
    Ok(())
}

/// Nobody holds a lock: everything can be locked at once.
async fn is_free(context: &Context) -> Result<(), Failure> {
    use sea_orm::TransactionTrait;

    let txn = context.other.begin().await?;
    item::Entity::find().for_update().nowait().all(&txn).await?;
    txn.rollback().await?;
    Ok(())
}
