//! diesel-async by hand on MariaDB; diesel reads no row back from an update there.

use diesel::{ExpressionMethods as _, QueryDsl as _};
use diesel_async::{AsyncConnection as _, AsyncMysqlConnection, RunQueryDsl as _};

use super::{Pick, Share, Way, exactly_one};
use crate::Result;

diesel::table! {
    product (id) {
        id -> Integer,
        name -> Text,
        stock -> Integer,
        price -> Integer,
        note -> Text,
        version -> BigInt,
    }
}

pub(super) struct Diesel {
    connection: AsyncMysqlConnection,
    rows: Vec<(i32, i64)>,
}

impl Diesel {
    pub(super) async fn new(share: &Share<'_>) -> Result<Self> {
        Ok(Self {
            connection: AsyncMysqlConnection::establish(&share.target.url(&share.file)).await?,
            rows: share.rows.iter().map(|row| (row.id, row.version)).collect(),
        })
    }
}

impl Way for Diesel {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        let (id, version) = self.rows[pick.slot];
        let row = product::table
            .filter(product::id.eq(id))
            .filter(product::version.eq(version));
        let update =
            diesel::update(row).set((product::stock.eq(pick.stock), product::version.eq(product::version + 1)));
        let reached = update.execute(&mut self.connection).await?;
        exactly_one(u64::try_from(reached)?)?;
        self.rows[pick.slot].1 += 1;
        Ok(())
    }
}
