//! One statement for each row, in one transaction.

use std::collections::HashMap;

use async_trait::async_trait;
use optlock::prelude::*;
use sea_orm::TransactionTrait as _;
use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, MySql, Postgres, Sqlite};

use super::{Change, Way};
use crate::Result;
use crate::database::{Backend, Target};
use crate::table::{plain, product};

const RETURNING: &str = "UPDATE product SET stock = $1, version = version + 1 WHERE id = $2 AND version = $3 \
                         RETURNING id, name, stock, price, note, version";
const UPDATE: &str = "UPDATE product SET stock = ?, version = version + 1 WHERE id = ? AND version = ?";

type Product = (i32, String, i32, i32, String, i64);

/// As one would write it with sqlx: on a connection that is kept, and with the row back where that costs nothing.
pub(super) async fn by_hand(target: &Target) -> Result<Box<dyn Way>> {
    let db = target.pool("batch", 1).await?;
    Ok(match target.backend {
        Backend::Postgres => Box::new(OnPostgres(db.get_postgres_connection_pool().acquire().await?)),
        Backend::MariaDb => Box::new(OnMariaDb(db.get_mysql_connection_pool().acquire().await?)),
        Backend::Sqlite => Box::new(OnSqlite(db.get_sqlite_connection_pool().acquire().await?)),
    })
}

struct OnPostgres(PoolConnection<Postgres>);
struct OnMariaDb(PoolConnection<MySql>);
struct OnSqlite(PoolConnection<Sqlite>);

macro_rules! returning_loop {
    ($($name:ident),*) => {$(
        #[async_trait]
        impl Way for $name {
            async fn write(&mut self, change: &Change) -> Result<()> {
                let mut txn = self.0.begin().await?;
                for (id, stock) in change.ids.iter().zip(&change.stocks) {
                    let update = sqlx::query_as::<_, Product>(RETURNING).bind(*stock).bind(*id).bind(change.version);
                    // To its end: a statement that is not costs SQLite its checkpoints.
                    if update.fetch_all(&mut *txn).await?.len() != 1 {
                        return Err(format!("row {id} was not reached").into());
                    }
                }
                Ok(txn.commit().await?)
            }
        }
    )*};
}

returning_loop!(OnPostgres, OnSqlite);

#[async_trait]
impl Way for OnMariaDb {
    async fn write(&mut self, change: &Change) -> Result<()> {
        let mut txn = self.0.begin().await?;
        for (id, stock) in change.ids.iter().zip(&change.stocks) {
            let update = sqlx::query(UPDATE).bind(*stock).bind(*id).bind(change.version);
            if update.execute(&mut *txn).await?.rows_affected() != 1 {
                return Err(format!("row {id} was not reached").into());
            }
        }
        Ok(txn.commit().await?)
    }
}

/// The same with this library's `update`, which returns each row.
pub(super) struct Ours {
    db: DatabaseConnection,
    rows: HashMap<i32, plain::Model>,
    models: Vec<product::ActiveModel>,
}

impl Ours {
    pub(super) async fn new(target: &Target, rows: &[plain::Model]) -> Result<Self> {
        Ok(Self {
            db: target.pool("batch", 1).await?,
            rows: rows.iter().map(|row| (row.id, row.clone())).collect(),
            models: Vec::new(),
        })
    }
}

#[async_trait]
impl Way for Ours {
    fn prepare(&mut self, change: &Change) {
        self.models = models(&self.rows, change);
    }

    async fn write(&mut self, _: &Change) -> Result<()> {
        let txn = self.db.begin().await?;
        for model in self.models.drain(..) {
            model.update(&txn).await?;
        }
        Ok(txn.commit().await?)
    }
}

/// What a caller who has loaded the rows would hold.
pub(super) fn models(rows: &HashMap<i32, plain::Model>, change: &Change) -> Vec<product::ActiveModel> {
    let changes = change.ids.iter().zip(&change.stocks);
    let model = |(id, stock): (&i32, &i32)| {
        let row = rows.get(id)?;
        Some(product::ActiveModel {
            id: Unchanged(row.id),
            name: Unchanged(row.name.clone()),
            stock: Set(*stock),
            price: Unchanged(row.price),
            note: Unchanged(row.note.clone()),
            version: Unchanged(change.version),
        })
    };
    changes.filter_map(model).collect()
}
