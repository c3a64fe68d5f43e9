//! diesel-async by hand on PostgreSQL.

use diesel::{ExpressionMethods as _, QueryDsl as _};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _};

use super::{Pick, Share, Way};
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

type Row = (i32, String, i32, i32, String, i64);

pub(super) struct Diesel {
    connection: AsyncPgConnection,
    rows: Vec<(i32, i64)>,
}

impl Diesel {
    pub(super) async fn new(share: &Share<'_>) -> Result<Self> {
        Ok(Self {
            connection: AsyncPgConnection::establish(&share.target.url(&share.file)).await?,
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
        let row: Row = update
            .returning(product::all_columns)
            .get_result(&mut self.connection)
            .await?;
        self.rows[pick.slot].1 = row.5;
        Ok(())
    }
}
