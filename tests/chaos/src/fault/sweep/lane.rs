//! One position after another, on a pool of one connection.

use std::time::Duration;

use fastrand::Rng;
use optlock::prelude::*;
use sea_orm::{Database, QueryOrder, QuerySelect};

use super::super::order::{Order, Senders, What};
use super::super::proxy::Proxy;
use super::super::receipt;
use super::super::session::{has_ended, is_in_transaction, session};
use super::Position;
use super::exchange::{Exchange, Told};
use crate::Result;
use crate::address::Address;
use crate::backend::Backend;
use crate::row;
use crate::tally::Tally;

/// A client that waits for longer does so for ever.
const BOUND: Duration = Duration::from_secs(10);

pub(super) struct Lane {
    backend: Backend,
    proxy: Proxy,
    /// Through the proxy.
    db: DatabaseConnection,
    direct: DatabaseConnection,
    random: Rng,
    /// As they are stored.
    rows: [row::Model; 2],
    writer: i64,
    tally: Tally,
}

/// What happens to an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Cut,
    Reset,
    /// Nothing more is passed on for a while, and the application does not wait for that.
    Dropped,
}

impl Lane {
    pub(super) async fn start(address: &Address, direct: DatabaseConnection, number: u32, random: Rng) -> Result<Self> {
        let proxy = Proxy::start(address).await?;
        let mut options = proxy.options(address, 1);
        // As is SeaORM's default: a pool that is usable has no dead connection to give.
        options.test_before_acquire(true);
        let first = 2 * i64::from(number) + 1;
        let rows = stored(&direct, [first, first + 1]).await?;
        Ok(Self {
            backend: address.backend,
            db: Database::connect(options).await?,
            proxy,
            direct,
            random,
            rows,
            // Numbers of its own.
            writer: i64::from(number) << 32,
            tally: Tally::default(),
        })
    }

    /// How many bytes the client and the server send if nothing is cut.
    pub(super) async fn measure(&mut self, exchange: Exchange) -> Result<(usize, usize)> {
        self.open().await?;
        let before = self.proxy.bytes();
        self.writer += 1;
        let told = exchange.run(&self.db, &self.rows, self.writer).await;
        if told != Told::Done {
            return Err(format!("{exchange:?} without a fault has failed: {told:?}").into());
        }
        let after = self.proxy.bytes();
        self.rows = stored(&self.direct, self.ids()).await?;
        self.proxy.hang_up().await;
        let count = |before: u64, after: u64| usize::try_from(after - before);
        Ok((count(before.0, after.0)?, count(before.1, after.1)?))
    }

    pub(super) async fn fail_at(&mut self, position: Position) -> Result<()> {
        let Position { exchange, when } = position;
        let session = self.open().await?;
        self.writer += 1;
        let end = *self
            .random
            .choice(&[End::Cut, End::Reset, End::Dropped])
            .ok_or("no end")?;
        let place = format!("{exchange:?}, {end:?} at {when:?}");
        let faults = self.proxy.faults();
        let what = match end {
            End::Cut => What::Cut,
            End::Reset => What::Reset,
            End::Dropped => What::Stall(Senders::Both, 2 * BOUND),
        };
        self.proxy.order(Order { when, what }, &mut self.random);
        let is_stalled = async {
            while end != End::Dropped || self.proxy.faults() == faults {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let told = tokio::select! {
            told = exchange.run(&self.db, &self.rows, self.writer) => told,
            () = is_stalled => Told::Nothing,
            () = tokio::time::sleep(BOUND) => return Err(format!("{place}: no answer in {BOUND:?}").into()),
        };
        self.proxy.calm();
        // Outside of a transaction, sqlx 0.9 waits for ever for the rest of an answer to a PREPARE of MariaDB's that was dropped when it had been read in part.
        let is_lost = exchange == Exchange::Update && self.backend == Backend::MariaDb;
        if told == Told::Nothing && !is_lost {
            if !self.is_back().await {
                let what_is_wrong = "the connection has not come back to its pool";
                self.tally.violations.push(format!("{place}: {what_is_wrong}"));
            } else if is_in_transaction(self.backend, &self.db, &self.direct, session).await? {
                let what_is_wrong = "the connection has come back within a transaction";
                self.tally.violations.push(format!("{place}: {what_is_wrong}"));
            }
        }
        self.proxy.hang_up().await;
        has_ended(self.backend, &self.direct, session).await?;

        let rows = stored(&self.direct, self.ids()).await?;
        let before = std::mem::replace(&mut self.rows, rows);
        let has_receipt = receipt::Entity::find_by_id(self.writer)
            .one(&self.direct)
            .await?
            .is_some();
        self.tally.operations += 1;
        self.tally.unknowns += u64::from(matches!(told, Told::Unknown(_) | Told::Nothing));
        if let Some(what_is_wrong) = self.judge(exchange, &before, told, has_receipt) {
            self.tally
                .violations
                .push(format!("{place}, told {told:?}: {what_is_wrong}"));
        }
        Ok(())
    }

    /// Whether the pool has its connection back, or has closed it, now that nobody uses it.
    async fn is_back(&self) -> bool {
        let is_idle = async {
            while self.in_use() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(BOUND, is_idle).await.is_ok()
    }

    pub(super) fn end(mut self) -> Tally {
        self.tally.faults = self.proxy.faults();
        self.tally
    }

    /// A connection of the pool on which nothing is going on, and its session. That there is one shows that the pool is usable.
    async fn open(&self) -> Result<i64> {
        let session = tokio::time::timeout(BOUND, session(self.backend, &self.db)).await??;
        // The pool asks the connection whether it is alive when it gets it back, in a task of its own.
        while self.in_use() > 0 {
            tokio::task::yield_now().await;
        }
        Ok(session)
    }

    /// How many connections of the pool are not in it.
    fn in_use(&self) -> usize {
        let (size, idle) = match self.backend {
            Backend::Sqlite => (0, 0),
            Backend::Postgres => {
                let pool = self.db.get_postgres_connection_pool();
                (pool.size(), pool.num_idle())
            }
            Backend::MariaDb => {
                let pool = self.db.get_mysql_connection_pool();
                (pool.size(), pool.num_idle())
            }
        };
        (size as usize).saturating_sub(idle)
    }

    fn ids(&self) -> [i64; 2] {
        [self.rows[0].id, self.rows[1].id]
    }

    /// Compares what is stored with what was told.
    fn judge(&self, exchange: Exchange, before: &[row::Model; 2], told: Told, has_receipt: bool) -> Option<String> {
        if !exchange.expects(told) {
            return Some("a lost connection is told as something else".to_owned());
        }
        let written = exchange.rows();
        let done = self.rows.iter().zip(before).take(written).all(|(row, before)| {
            *row == row::Model {
                id: before.id,
                qty: before.qty + 1,
                writer: self.writer,
                version: before.version + 1,
            }
        });
        let undone = self.rows == *before;
        let is_other_row_as_before = self.rows[written..] == before[written..];
        if !(done && is_other_row_as_before || undone) {
            return Some(format!(
                "neither done once nor undone: {:?} after {before:?}",
                self.rows
            ));
        }
        if has_receipt != (done && exchange == Exchange::Verified) {
            return Some("the row and its receipt are not both there".to_owned());
        }
        match told {
            Told::Done if undone => Some("it is not stored".to_owned()),
            Told::Undone(_) if done => Some("it is stored".to_owned()),
            _ => None,
        }
    }
}

/// The rows, once those who are writing them have done.
async fn stored(direct: &DatabaseConnection, ids: [i64; 2]) -> Result<[row::Model; 2]> {
    let select = row::Entity::find().filter(row::Column::Id.is_in(ids));
    // Without a transaction, the lock is waited for and given up at once.
    let rows = QuerySelect::lock_exclusive(select.order_by_asc(row::Column::Id))
        .all(direct)
        .await?;
    rows.try_into().map_err(|rows| format!("not two rows: {rows:?}").into())
}
