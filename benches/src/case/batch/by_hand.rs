//! The fastest statement for all rows that was found by hand, for each backend.

use std::fmt::Write as _;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, MySql, Postgres, Sqlite};

use super::{Change, Way};
use crate::Result;
use crate::database::{Backend, Target};

const UNNEST: &str = "UPDATE product AS p SET stock = d.stock, version = p.version + 1 \
                      FROM unnest($1::int[], $2::bigint[], $3::int[]) AS d (id, version, stock) \
                      WHERE p.id = d.id AND p.version = d.version RETURNING p.id";
const JSON_TABLE: &str = "UPDATE product AS p JOIN JSON_TABLE(?, '$[*]' COLUMNS (id INT PATH '$[0]', version BIGINT PATH '$[1]', \
                          stock INT PATH '$[2]')) AS d ON p.id = d.id AND p.version = d.version \
                          SET p.stock = d.stock, p.version = p.version + 1";

pub(super) async fn statement(target: &Target, rows: usize) -> Result<Box<dyn Way>> {
    let db = target.pool("batch", 1).await?;
    Ok(match target.backend {
        Backend::Postgres => Box::new(Unnest(db.get_postgres_connection_pool().acquire().await?)),
        Backend::MariaDb => Box::new(JsonTable(db.get_mysql_connection_pool().acquire().await?)),
        Backend::Sqlite => Box::new(Values {
            connection: db.get_sqlite_connection_pool().acquire().await?,
            sql: values(rows),
        }),
    })
}

struct Unnest(PoolConnection<Postgres>);

#[async_trait]
impl Way for Unnest {
    async fn write(&mut self, change: &Change) -> Result<()> {
        let versions = vec![change.version; change.ids.len()];
        let update = sqlx::query_as::<_, (i32,)>(UNNEST)
            .bind(&change.ids)
            .bind(versions)
            .bind(&change.stocks);
        reached(change, update.fetch_all(&mut *self.0).await?.len())
    }
}

struct JsonTable(PoolConnection<MySql>);

#[async_trait]
impl Way for JsonTable {
    async fn write(&mut self, change: &Change) -> Result<()> {
        let mut json = "[".to_owned();
        for (id, stock) in change.ids.iter().zip(&change.stocks) {
            write!(json, "[{id},{},{stock}],", change.version)?;
        }
        json.pop();
        json.push(']');
        let update = sqlx::query(JSON_TABLE).bind(json).execute(&mut *self.0).await?;
        reached(change, usize::try_from(update.rows_affected())?)
    }
}

/// Its text is made once, as an application that knows its sizes would.
struct Values {
    connection: PoolConnection<Sqlite>,
    sql: String,
}

fn values(rows: usize) -> String {
    format!(
        "UPDATE product SET stock = d.column3, version = product.version + 1 FROM (VALUES {}) AS d \
         WHERE product.id = d.column1 AND product.version = d.column2 RETURNING id",
        vec!["(?, ?, ?)"; rows].join(", ")
    )
}

#[async_trait]
impl Way for Values {
    async fn write(&mut self, change: &Change) -> Result<()> {
        let mut update = sqlx::query_as::<_, (i32,)>(AssertSqlSafe(self.sql.clone()));
        for (id, stock) in change.ids.iter().zip(&change.stocks) {
            update = update.bind(*id).bind(change.version).bind(*stock);
        }
        reached(change, update.fetch_all(&mut *self.connection).await?.len())
    }
}

fn reached(change: &Change, rows: usize) -> Result<()> {
    if rows == change.ids.len() {
        Ok(())
    } else {
        Err(format!("{rows} of {} rows were reached", change.ids.len()).into())
    }
}
