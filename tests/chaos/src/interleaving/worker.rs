//! Plays orders, one after another, in a database of its own.

use optlock::prelude::*;
use sea_orm::{Schema, Statement};

use super::client::client;
use super::gate::gate;
use super::judge::{Refusal, Told, Verdict, verdict};
use super::level::Level;
use super::order::{Order, Side};
use super::row::{self, pair};
use super::schedule::Schedule;
use super::view::{Session, View};
use super::way::Way;
use crate::Result;
use crate::address::Address;
use crate::backend::Backend;
use crate::stage::Stage;

/// The database is its own because of PostgreSQL, whose SERIALIZABLE takes pages for what was read, and so the rows of others.
pub(crate) struct Worker {
    address: Address,
    clients: [(DatabaseConnection, Session); 2],
}

/// An order that was played.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) told: [Told; 2],
    #[expect(dead_code, reason = "shown where something is wrong")]
    pub(crate) rows: [row::Model; 2],
    pub(crate) verdict: Verdict,
    /// Whether anybody has waited for a lock.
    pub(crate) has_waited: bool,
}

impl Worker {
    pub(crate) async fn start(stage: &Stage) -> Result<Self> {
        let address = stage.database().await?;
        let clients = [session(&address).await?, session(&address).await?];
        let (db, _) = &clients[0];
        let table = Schema::new(db.get_database_backend()).create_table_from_entity(row::Entity);
        db.execute(&table).await?;
        Ok(Self { address, clients })
    }

    pub(crate) async fn play<W: Way>(
        &mut self,
        level: &'static Level,
        way: W,
        order: Order,
        view: &View,
    ) -> Result<Finished> {
        let (db, _) = &self.clients[0];
        let [one, two] = W::START;
        // Not updated: what SERIALIZABLE takes for a conflict on PostgreSQL depends on where old versions of rows have left room.
        let empty = self.address.backend.pick("DELETE FROM", "TRUNCATE", "DELETE FROM");
        db.execute_unprepared(&format!("{empty} item")).await?;
        db.execute_unprepared(&format!(
            "INSERT INTO item (id, qty, version) VALUES (1, {one}, 1), (2, {two}, 1)"
        ))
        .await?;
        let mut keepers = Vec::new();
        let mut tasks = Vec::new();
        for (side, (db, session)) in Side::BOTH.into_iter().zip(&self.clients) {
            level.set(db).await?;
            let (gate, keeper) = gate();
            tasks.push(tokio::spawn(client(way, side, level, db.clone(), gate)));
            keepers.push((keeper, *session));
        }
        let keepers = keepers.try_into().map_err(|_| "there are two")?;
        let has_waited = Schedule::new(keepers, view).play(order).await;
        let mut told = Vec::new();
        for task in tasks {
            told.push(task.await?.map_err(Refusal::from));
        }
        let told = told.try_into().map_err(|_| "there are two")?;
        let rows = pair(db).await?;
        let verdict = verdict(
            way,
            &told,
            rows.each_ref().map(|row| row.qty),
            rows.each_ref().map(|row| row.version),
        );
        Ok(Finished {
            told,
            rows,
            verdict,
            has_waited,
        })
    }

    /// Leaves nothing on the server.
    pub(crate) async fn end(self) -> Result<()> {
        let [(db, _), (other, _)] = self.clients;
        other.close().await?;
        match (self.address.backend, &self.address.schema) {
            (Backend::Sqlite, _) => {}
            (Backend::MariaDb, _) => {
                let name = self.address.url.rsplit('/').next().unwrap_or_default();
                db.execute_unprepared(&format!("DROP DATABASE {name}")).await?;
            }
            (Backend::Postgres, schema) => {
                let name = schema.as_deref().unwrap_or_default();
                db.execute_unprepared(&format!("DROP SCHEMA {name} CASCADE")).await?;
            }
        }
        Ok(db.close().await?)
    }
}

/// A connection, and what the server calls it.
async fn session(address: &Address) -> Result<(DatabaseConnection, Session)> {
    let db = address.connect(1).await?;
    let number = address.backend.pick(
        "SELECT 0",
        "SELECT pg_backend_pid()::bigint",
        "SELECT CAST(CONNECTION_ID() AS SIGNED)",
    );
    let settings: &[_] = address.backend.pick(
        // Whoever would wait is told at once. Nothing here is about power cuts.
        &["PRAGMA busy_timeout = 0", "PRAGMA synchronous = OFF"],
        // A scan of the table reads all of it, which SERIALIZABLE remembers, and whether a table as small as this is scanned depends on its statistics.
        &["SET enable_seqscan = off", "SET enable_bitmapscan = off"],
        &[],
    );
    for setting in settings {
        db.execute_unprepared(setting).await?;
    }
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), number))
        .await?
        .ok_or("no answer")?;
    Ok((db, row.try_get_by_index(0)?))
}
