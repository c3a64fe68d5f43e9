//! sqlx by hand on MariaDB: one statement text, prepared once, with the version in its condition.

use sqlx::pool::PoolConnection;
use sqlx::{MySql, MySqlPool};

use super::{Pick, Share, Way, exactly_one};
use crate::Result;

const UPDATE: &str = "UPDATE product SET stock = ?, version = version + 1 WHERE id = ? AND version = ?";
const SELECT: &str = "SELECT id, name, stock, price, note, version FROM product WHERE id = ?";

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
    connection: PoolConnection<MySql>,
    rows: Vec<Row>,
    wants_row: bool,
}

impl OneConnection {
    pub(super) async fn new(share: Share<'_>, wants_row: bool) -> Result<Self> {
        let db = share.target.pool(&share.file, 1).await?;
        Ok(Self {
            connection: db.get_mysql_connection_pool().acquire().await?,
            rows: rows(&share),
            wants_row,
        })
    }
}

impl Way for OneConnection {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        let row = self.rows[pick.slot];
        let (id, version) = (row.id, row.version);
        let update = sqlx::query(UPDATE).bind(pick.stock).bind(id).bind(version);
        exactly_one(update.execute(&mut *self.connection).await?.rows_affected())?;
        if self.wants_row {
            let select = sqlx::query_as::<_, Product>(SELECT).bind(id);
            select.fetch_one(&mut *self.connection).await?;
        }
        self.rows[pick.slot].version += 1;
        Ok(())
    }
}

/// A connection from the pool for each statement, as most code has it.
pub(super) struct Pool {
    pool: MySqlPool,
    rows: Vec<Row>,
}

impl Pool {
    pub(super) async fn new(share: Share<'_>) -> Result<Self> {
        let db = share.target.pool(&share.file, 1).await?;
        Ok(Self {
            pool: db.get_mysql_connection_pool().clone(),
            rows: rows(&share),
        })
    }
}

impl Way for Pool {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        let Row { id, version } = self.rows[pick.slot];
        let update = sqlx::query(UPDATE).bind(pick.stock).bind(id).bind(version);
        exactly_one(update.execute(&self.pool).await?.rows_affected())?;
        self.rows[pick.slot].version += 1;
        Ok(())
    }
}
