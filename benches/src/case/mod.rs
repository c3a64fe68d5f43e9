//! The cases: what is measured, and on what.

mod batch;
mod contention;
mod derive;
mod flash_sale;
mod own_cost;
mod single;
mod wal;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::data::Findings;
use crate::database::{Backend, Target};
use crate::options::Length;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Case {
    Single,
    Wal,
    Batch,
    Contention,
    FlashSale,
    OwnCost,
    Derive,
}

impl Case {
    pub(crate) const ALL: [Self; 7] = [
        Self::Single,
        Self::Wal,
        Self::Batch,
        Self::Contention,
        Self::FlashSale,
        Self::OwnCost,
        Self::Derive,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Wal => "wal",
            Self::Batch => "batch",
            Self::Contention => "contention",
            Self::FlashSale => "flash-sale",
            Self::OwnCost => "own-cost",
            Self::Derive => "derive",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Single => "One row at a time",
            Self::Wal => "What is left in SQLite's WAL",
            Self::Batch => "Many rows at once",
            Self::Contention => "Many writers, few rows",
            Self::FlashSale => "A flash sale",
            Self::OwnCost => "The library's own cost",
            Self::Derive => "Compile time",
        }
    }

    /// How it is measured, for the report.
    pub(crate) const fn explanation(self) -> &'static str {
        match self {
            Self::Single => {
                "One task updates a random row out of 10,000 (integer key, two texts, two integers, a version). Candidates own different rows, or on SQLite \
                 different files, and take turns round by round; who goes first rotates. A ratio is the median of the quotients of the same round. \
                 The pools hold one connection and do not ping it. Afterwards the versions of all rows are added up: they must have advanced once for each update."
            }
            Self::Wal => {
                "The size of the `-wal` file after so many updates of random rows in a file of its own. A statement that is not read to its end \
                 never checkpoints it."
            }
            Self::Batch => {
                "The same rows are updated, each checked against its version, in ways that take turns. The loop is one statement for each row in one \
                 transaction, by hand with sqlx on a connection that it keeps; the statement by hand is the fastest of those that were tried: `unnest` on PostgreSQL, \
                 `JSON_TABLE` on MariaDB, `VALUES` on SQLite."
            }
            Self::Contention => {
                "Tasks take one unit off a random row out of a few, as fast as they can, over a pool of 16 connections (4 on SQLite) that does not ping. The \
                 ways take turns slice by slice. An operation counts when it has committed, and its latency runs from its start through all its retries. \
                 After each slice, the units that are gone and the steps of the versions must equal the operations that were answered."
            }
            Self::FlashSale => {
                "64 tasks, a pool of 16 connections. Each attempt buys one unit or is refused. A way runs until its attempts are used up or its time is over. *Tokens* are \
                 one row for each unit, found by an index on those that are unsold."
            }
            Self::OwnCost => {
                "What an update costs the process besides the driver: a connection that answers each statement at once, with a row that was read before. \
                 Instructions are counted by valgrind, as the difference between two runs of different length; allocations by the allocator; time is CPU-bound, and \
                 the ways take turns."
            }
            Self::Derive => {
                "A crate of entities is checked by `cargo check` with and without `Versioned`, in turns, not incrementally. Crates are counted by `cargo tree`, \
                 for an application with SeaORM (`macros`, `runtime-tokio`, `sqlx-sqlite`)."
            }
        }
    }

    /// None if it needs no database.
    pub(crate) const fn backends(self) -> &'static [Backend] {
        match self {
            Self::Single | Self::Batch | Self::Contention => &Backend::ALL,
            Self::Wal => &[Backend::Sqlite],
            Self::FlashSale => &[Backend::Postgres],
            Self::OwnCost | Self::Derive => &[],
        }
    }

    pub(crate) async fn run(self, target: &Target, length: Length) -> Result<Findings> {
        match self {
            Self::Single => single::run(target, length).await,
            Self::Wal => wal::run(target, length).await,
            Self::Batch => batch::run(target, length).await,
            Self::Contention => contention::run(target, length).await,
            Self::FlashSale => flash_sale::run(target, length).await,
            Self::OwnCost | Self::Derive => Err("this case needs no database".into()),
        }
    }

    pub(crate) fn run_without_database(self, length: Length) -> Result<Findings> {
        match self {
            Self::OwnCost => own_cost::run(length),
            Self::Derive => derive::run(length),
            _ => Err("this case needs a database".into()),
        }
    }
}
