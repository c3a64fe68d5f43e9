//! sqlx by hand on SQLite: one statement text, prepared once, with the version in its condition.

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};

use super::{Pick, Share, Way, exactly_one};
use crate::Result;

const UPDATE: &str = "UPDATE product SET stock = $1, version = version + 1 WHERE id = $2 AND version = $3";
const RETURNING: &str = "UPDATE product SET stock = $1, version = version + 1 WHERE id = $2 AND version = $3 \
                         RETURNING id, name, stock, price, note, version";

type Product = (i32, String, i32, i32, String, i64);

#[derive(Clone, Copy)]
struct Row {
    id: i32,
    version: i64,
}

fn rows(share: &Share<'_>) -> Vec<Row> {
    let rows = share.rows.iter();
    rows.map(|row| Row {
        id: row.id,
        version: row.version,
    })
    .collect()
}

/// A connection that is kept, so that no pool costs anything.
pub(super) struct OneConnection {
    connection: PoolConnection<Sqlite>,
    rows: Vec<Row>,
    wants_row: bool,
}

impl OneConnection {
    pub(super) async fn new(share: Share<'_>, wants_row: bool) -> Result<Self> {
        let db = share.target.pool(&share.file, 1).await?;
        Ok(Self {
            connection: db.get_sqlite_connection_pool().acquire().await?,
            rows: rows(&share),
            wants_row,
        })
    }
}

impl Way for OneConnection {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        let row = self.rows[pick.slot];
        let (id, version) = (row.id, row.version);
        if self.wants_row {
            let update = sqlx::query_as::<_, Product>(RETURNING)
                .bind(pick.stock)
                .bind(id)
                .bind(version);
            update.fetch_one(&mut *self.connection).await?;
        } else {
            let update = sqlx::query(UPDATE).bind(pick.stock).bind(id).bind(version);
            exactly_one(update.execute(&mut *self.connection).await?.rows_affected())?;
        }
        self.rows[pick.slot].version += 1;
        Ok(())
    }
}

/// A connection from the pool for each statement, as most code has it.
pub(super) struct Pool {
    pool: SqlitePool,
    rows: Vec<Row>,
}

impl Pool {
    pub(super) async fn new(share: Share<'_>) -> Result<Self> {
        let db = share.target.pool(&share.file, 1).await?;
        Ok(Self {
            pool: db.get_sqlite_connection_pool().clone(),
            rows: rows(&share),
        })
    }
}

impl Way for Pool {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        let Row { id, version } = self.rows[pick.slot];
        let update = sqlx::query_as::<_, Product>(RETURNING)
            .bind(pick.stock)
            .bind(id)
            .bind(version);
        update.fetch_one(&self.pool).await?;
        self.rows[pick.slot].version += 1;
        Ok(())
    }
}
