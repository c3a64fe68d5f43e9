//! Ways to update one loaded row, as a user would write them with each library.

mod child;
mod diesel_mysql;
mod diesel_postgres;
mod diesel_sqlite;
mod ours;
mod sea_orm;
mod sqlx_mysql;
mod sqlx_postgres;
mod sqlx_sqlite;
mod toasty;

use std::future::Future;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::Result;
use crate::database::{Backend, Target};
use crate::table::plain;

/// What ratios refer to.
pub(crate) const SEA_ORM: &str = "SeaORM `update`, unchecked";
pub(crate) const TOASTY: &str = "toasty `#[version]`";
pub(crate) const OURS: &str = "optlock `update`";

/// One update: which of a candidate's rows, and what it sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick {
    pub(crate) slot: usize,
    pub(crate) stock: i32,
}

/// A way to update a row that it has loaded before, and whose version it knows.
pub(crate) trait Way: Send {
    fn update(&mut self, pick: Pick) -> impl Future<Output = Result<()>> + Send;
}

/// A way without its type, driven a round at a time.
#[async_trait]
pub(crate) trait Candidate: Send {
    async fn round(&mut self, picks: &[Pick]) -> Result<Duration>;
}

#[async_trait]
impl<W: Way> Candidate for W {
    async fn round(&mut self, picks: &[Pick]) -> Result<Duration> {
        let started = Instant::now();
        for pick in picks {
            self.update(*pick).await?;
        }
        Ok(started.elapsed())
    }
}

pub(crate) struct Entrant {
    pub(crate) about: About,
    pub(crate) candidate: Box<dyn Candidate>,
}

/// What is known of a candidate without driving it.
pub(crate) struct About {
    pub(crate) name: &'static str,
    /// Whether each of its updates advances the version by one.
    pub(crate) is_versioned: bool,
    /// Its database on SQLite.
    pub(crate) file: String,
}

/// The rows of one candidate, and where they are.
pub(crate) struct Share<'a> {
    pub(crate) target: &'a Target,
    pub(crate) file: String,
    pub(crate) rows: Vec<plain::Model>,
}

/// How many candidates there are on a backend, so that each can have its share of the rows.
pub(crate) fn count(backend: Backend) -> usize {
    names(backend).len()
}

fn names(backend: Backend) -> &'static [&'static str] {
    match backend {
        Backend::Postgres => &[
            SEA_ORM,
            "SeaORM `update_many` by hand, no row back",
            "sqlx by hand, one connection",
            "sqlx by hand, one connection, no row back",
            "sqlx by hand, pool",
            TOASTY,
            "diesel-async by hand",
            OURS,
            "optlock `update_without_returning`",
            "optlock `modify` of a model",
            "optlock `modify` by key, which reads first",
        ],
        Backend::MariaDb => &[
            SEA_ORM,
            "SeaORM `update_many` by hand, no row back",
            "sqlx by hand, one connection, then a SELECT",
            "sqlx by hand, one connection, no row back",
            "sqlx by hand, pool, no row back",
            TOASTY,
            "diesel-async by hand, no row back",
            OURS,
            "optlock `update_without_returning`",
            "optlock `modify` of a model",
            "optlock `modify` by key, which reads first",
        ],
        Backend::Sqlite => &[
            SEA_ORM,
            "SeaORM `update_many` by hand, no row back",
            "sqlx by hand, one connection",
            "sqlx by hand, one connection, no row back",
            "sqlx by hand, pool",
            TOASTY,
            "diesel by hand, blocking",
            OURS,
            "optlock `update_without_returning`",
            "optlock `modify` of a model",
            "optlock `modify` by key, which reads first",
        ],
    }
}

/// The candidate of this number, with its share of the rows.
pub(crate) async fn enter(number: usize, share: Share<'_>) -> Result<Entrant> {
    let backend = share.target.backend;
    let name = names(backend)[number];
    let file = share.file.clone();
    let candidate: Box<dyn Candidate> = match (number, backend) {
        (0, _) => Box::new(sea_orm::Update::new(share).await?),
        (1, _) => Box::new(sea_orm::UpdateMany::new(share).await?),
        (2 | 3, Backend::Postgres) => Box::new(sqlx_postgres::OneConnection::new(share, number == 2).await?),
        (2 | 3, Backend::MariaDb) => Box::new(sqlx_mysql::OneConnection::new(share, number == 2).await?),
        (2 | 3, Backend::Sqlite) => Box::new(sqlx_sqlite::OneConnection::new(share, number == 2).await?),
        (4, Backend::Postgres) => Box::new(sqlx_postgres::Pool::new(share).await?),
        (4, Backend::MariaDb) => Box::new(sqlx_mysql::Pool::new(share).await?),
        (4, Backend::Sqlite) => Box::new(sqlx_sqlite::Pool::new(share).await?),
        (5, Backend::Sqlite) => Box::new(child::Child::new(&share).await?),
        (5, _) => Box::new(toasty::Toasty::new(&share).await?),
        (6, Backend::Postgres) => Box::new(diesel_postgres::Diesel::new(&share).await?),
        (6, Backend::MariaDb) => Box::new(diesel_mysql::Diesel::new(&share).await?),
        (6, Backend::Sqlite) => Box::new(diesel_sqlite::Diesel::new(&share)?),
        (7, _) => Box::new(ours::Update::new(share).await?),
        (8, _) => Box::new(ours::UpdateWithoutReturning::new(share).await?),
        (9, _) => Box::new(ours::ModifyModel::new(share).await?),
        _ => Box::new(ours::ModifyByKey::new(share).await?),
    };
    let about = About {
        name,
        is_versioned: number != 0,
        file,
    };
    Ok(Entrant { about, candidate })
}

/// What a checked write by hand does with the count of rows it has reached.
fn exactly_one(rows: impl Into<u64>) -> Result<()> {
    match rows.into() {
        1 => Ok(()),
        rows => Err(format!("an update without a rival reached {rows} rows").into()),
    }
}
