//! Rows that are read, changed and written as one call.
//!
//! A process remembers for a while which rows have many writers, by table and key, and locks them from the first round on. So cases
//! that look at the statements of a round use rows 1 and 2, and never lose three rounds in a row there; those that do have rows of their own.

pub(crate) mod cancel;
pub(crate) mod combine;
pub(crate) mod contention;
pub(crate) mod hand;
pub(crate) mod hooks;
pub(crate) mod insert;
pub(crate) mod keys;
mod line;
pub(crate) mod many;
pub(crate) mod patience;
pub(crate) mod queue;
pub(crate) mod rival;
pub(crate) mod round;
pub(crate) mod within;

use std::error::Error as StdError;
use std::time::Duration;

use optlock::prelude::*;
use optlock::{Backoff, Error, Policy};
use tokio::runtime::Handle;

use crate::backend::Backend;
use crate::case::Outcome;
use crate::context::Context;

/// Retries are expected, and need not wait for anybody.
const QUICK: Policy<'static> = Policy::new().backoff(Backoff::constant(Duration::from_millis(1)));

/// An error of the application's.
#[derive(Debug, thiserror::Error)]
enum ShopError {
    #[error("only {0} left")]
    SoldOut(i64),
    /// Somebody's conflict, which is not the one of the row.
    #[error("the warehouse")]
    Warehouse(#[source] Error),
    #[error(transparent)]
    Store(#[from] Error),
}

/// Lets something happen within a closure, which cannot wait itself.
fn block_on<F: Future>(future: F) -> F::Output {
    tokio::task::block_in_place(|| Handle::current().block_on(future))
}

/// A statement of a rival's, within a closure.
fn meanwhile(context: &Context, sql: &str) {
    block_on(context.sql(sql)).unwrap();
}

/// A rival takes the row from 10 to 99.
const RIVAL: &str = "UPDATE item SET qty = 99, version = version + 1 WHERE id = 1";

/// Whether somebody holds a row of `item`, or on SQLite the database, against writers. Asked within a closure.
fn is_held(context: &Context, id: i64) -> bool {
    let held = async {
        if context.backend == Backend::Sqlite {
            let db = context.connect(1).await?;
            db.execute_unprepared("PRAGMA busy_timeout = 0").await?;
            let written = db.execute_unprepared("UPDATE item SET qty = qty WHERE id = 0").await;
            db.close().await?;
            return Ok::<_, Box<dyn StdError + Send + Sync>>(written.is_err());
        }
        let free = format!("SELECT COUNT(*) FROM (SELECT id FROM item WHERE id = {id} FOR UPDATE SKIP LOCKED) AS free");
        Ok(context.number(&free).await? == 0)
    };
    block_on(held).unwrap()
}

/// How many of these statements read rows.
fn reads(sent: &[String]) -> usize {
    sent.iter().filter(|sql| sql.starts_with("SELECT")).count()
}

/// Those of these statements that write rows. SQLite's lock is a write to no row, which is none.
fn writes(sent: &[String]) -> Vec<&str> {
    let is_write = |sql: &&str| ["INSERT", "UPDATE", "DELETE"].iter().any(|verb| sql.starts_with(verb));
    sent.iter()
        .map(String::as_str)
        .filter(is_write)
        .filter(|sql| !sql.ends_with("WHERE FALSE"))
        .collect()
}

/// The columns that an update assigns.
fn assigned(update: &str) -> Vec<&str> {
    let assignments = update
        .split_once(" SET ")
        .and_then(|(_, rest)| rest.split_once(" WHERE "));
    let (assignments, _) = assignments.unwrap_or_else(|| panic!("no update: {update}"));
    assignments
        .split(", ")
        .filter_map(|assignment| assignment.split_once(" = "))
        .map(|(column, _)| column.trim_matches(['"', '`']))
        .collect()
}

/// A row of `item` that no other case has, at version 1.
async fn insert_item(context: &Context, id: i64, qty: i64) -> Outcome {
    context
        .sql(&format!(
            "INSERT INTO item (id, name, qty, version) VALUES ({id}, 'item {id}', {qty}, 1)"
        ))
        .await
}
