//! Row locks.

pub(crate) mod advisory;
pub(crate) mod join;
pub(crate) mod many;
pub(crate) mod matrix;
pub(crate) mod mode;
pub(crate) mod queue;
pub(crate) mod refresh;
pub(crate) mod transfer;
pub(crate) mod wait;
pub(crate) mod write;

use std::error::Error;

use optlock::Fault;
use optlock::prelude::*;
use sea_orm::{DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};

use crate::context::Context;

/// SeaORM's transaction of a user with limited rights takes locks, too.
const _: () = {
    const fn takes_locks<T: optlock::OpenTransaction>() {}
    takes_locks::<sea_orm::RestrictedTransaction>();
};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// A transaction that waits for its turn on SQLite, too.
async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    db.begin_with_options(TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    })
    .await
}

/// Why a lock was not granted.
fn fault<T: std::fmt::Debug>(result: Result<T, optlock::Error>) -> Fault {
    match result {
        Err(optlock::Error::Lock(err)) => err.fault(),
        other => panic!("not an error of a lock: {other:?}"),
    }
}

/// Whether somebody holds a row of `item` against writers, asked on the other connection.
async fn is_locked(context: &Context, id: i64) -> Result<bool> {
    let row = context
        .number(&format!(
            "SELECT COUNT(*) FROM (SELECT id FROM item WHERE id = {id} FOR UPDATE SKIP LOCKED) AS free"
        ))
        .await?;
    Ok(row == 0)
}
