//! Updates through a connection that answers at once, for what they cost by themselves.
//!
//! Arguments: the backend that the connection claims to be, who updates, and how often. Prints the nanoseconds, the
//! allocations and the allocated bytes of all of them.

#[path = "../table.rs"]
mod table;

use std::alloc::System;
use std::error::Error;
use std::sync::Mutex;
use std::time::Instant;

use optlock::prelude::*;
use sea_orm::{ActiveModelTrait, ConnectOptions, Database, DbBackend, ExecResult, QueryResult, Statement};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use table::{plain, product};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Answers with rows that it was given before; what it pretends to be decides about the SQL.
#[derive(Debug)]
struct Wire {
    backend: DbBackend,
    rows: Mutex<Vec<QueryResult>>,
    results: Mutex<Vec<ExecResult>>,
}

impl Wire {
    /// With this many answers of each kind, all of which say that one row is at version 2 now.
    async fn stocked(backend: DbBackend, answers: u32) -> Result<Self> {
        let mut options = ConnectOptions::new("sqlite::memory:");
        options.max_connections(1).sqlx_logging(false);
        let sqlite = Database::connect(options).await?;
        let table = "CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, stock INTEGER, price INTEGER, note TEXT, version BIGINT)";
        sqlite.execute_unprepared(table).await?;
        let row = format!(
            "INSERT INTO product VALUES (1, 'product 1', 7, 3, '{}', 2)",
            "n".repeat(64)
        );
        sqlite.execute_unprepared(&row).await?;
        let rows = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {answers}) SELECT product.* FROM n, product"
        );
        let rows = sqlite
            .query_all_raw(Statement::from_string(DbBackend::Sqlite, rows))
            .await?;
        let mut results = Vec::new();
        for _ in 0..answers {
            results.push(sqlite.execute_unprepared("UPDATE product SET stock = 7").await?);
        }
        Ok(Self {
            backend,
            rows: Mutex::new(rows),
            results: Mutex::new(results),
        })
    }
}

fn take<T>(stock: &Mutex<Vec<T>>) -> Result<T, DbErr> {
    let taken = stock.lock().ok().and_then(|mut stock| stock.pop());
    taken.ok_or_else(|| DbErr::Custom("no answer is left".to_owned()))
}

#[async_trait::async_trait]
impl ConnectionTrait for Wire {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        take(&self.results)
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        take(&self.results)
    }

    async fn query_one_raw(&self, _: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(Some(take(&self.rows)?))
    }

    async fn query_all_raw(&self, _: Statement) -> Result<Vec<QueryResult>, DbErr> {
        Ok(vec![take(&self.rows)?])
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [backend, who, updates] = arguments.as_slice() else {
        return Err("this is a part of the benchmark: run `cargo xtask bench -- --case own-cost`".into());
    };
    let backend = match backend.as_str() {
        "postgres" => DbBackend::Postgres,
        "mariadb" => DbBackend::MySql,
        _ => DbBackend::Sqlite,
    };
    let updates: u32 = updates.parse()?;
    let wire = Wire::stocked(backend, updates.max(400)).await?;
    let (ours, theirs) = (row(), plain_row());
    // The first one fills what is filled once.
    update(who, &ours, &theirs, &wire).await?;
    let region = Region::new(ALLOCATOR);
    let started = Instant::now();
    for _ in 1..updates {
        update(who, &ours, &theirs, &wire).await?;
    }
    let nanoseconds = started.elapsed().as_nanos();
    let change = region.change();
    let allocations = change.allocations + change.reallocations;
    println!("{nanoseconds} {allocations} {}", change.bytes_allocated);
    Ok(())
}

async fn update(who: &str, ours: &product::Model, theirs: &plain::Model, wire: &Wire) -> Result<()> {
    match who {
        "sea-orm" | "sea-orm-no-row" => {
            let mut model = theirs.clone().into_active_model();
            model.stock = Set(7);
            if who == "sea-orm" {
                ActiveModelTrait::update(model, wire).await?;
            } else {
                ActiveModelTrait::update_without_returning(model, wire).await?;
            }
        }
        "optlock" | "optlock-no-row" => {
            let mut model = ours.clone().into_active_model();
            model.stock = Set(7);
            if who == "optlock" {
                model.update(wire).await?;
            } else {
                model.update_without_returning(wire).await?;
            }
        }
        _ => return Err(format!("nobody is called {who}").into()),
    }
    Ok(())
}

fn row() -> product::Model {
    product::Model {
        id: 1,
        name: "product 1".to_owned(),
        stock: 8,
        price: 3,
        note: "n".repeat(64),
        version: 1,
    }
}

fn plain_row() -> plain::Model {
    plain::Model {
        id: 1,
        name: "product 1".to_owned(),
        stock: 8,
        price: 3,
        note: "n".repeat(64),
        version: 1,
    }
}
