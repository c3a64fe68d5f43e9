//! diesel by hand on SQLite: a blocking call, as diesel is used there.

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _, SqliteConnection};

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
    connection: SqliteConnection,
    rows: Vec<(i32, i64)>,
}

impl Diesel {
    pub(super) fn new(share: &Share<'_>) -> Result<Self> {
        let path = share.target.path(&share.file);
        let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
        connection
            .batch_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 60000")?;
        Ok(Self {
            connection,
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
            .get_result(&mut self.connection)?;
        self.rows[pick.slot].1 = row.5;
        Ok(())
    }
}
