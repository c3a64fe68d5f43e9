//! What clients do, and what must be true of it in the end.

mod bank;
mod batch;
mod counter;
mod inventory;
mod nested;
pub(crate) mod part;

use optlock::prelude::*;

use crate::Result;
use crate::client::Client;
use crate::row;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Few rows, each counted up in one of many ways.
    Counter,
    /// Transfers between accounts whose versions are checked.
    BankVersioned,
    /// Transfers between accounts that are locked in order.
    BankLocked,
    /// Transfers at SERIALIZABLE, with nothing checked by the library.
    BankSerializable,
    /// Sales and deliveries, under conditions.
    Inventory,
    /// Orders that are saved together with their lines.
    Nested,
    /// Many rows at once, in overlapping batches.
    Batch,
}

impl Workload {
    pub(crate) const ALL: [Self; 7] = [
        Self::Counter,
        Self::BankVersioned,
        Self::BankLocked,
        Self::BankSerializable,
        Self::Inventory,
        Self::Nested,
        Self::Batch,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::BankVersioned => "bank-versioned",
            Self::BankLocked => "bank-locked",
            Self::BankSerializable => "bank-serializable",
            Self::Inventory => "inventory",
            Self::Nested => "nested",
            Self::Batch => "batch",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// Creates its rows.
    pub(crate) async fn create(self, db: &DatabaseConnection) -> Result<()> {
        match self {
            Self::Counter => row::create(db, counter::ROWS, 0).await,
            Self::BankVersioned | Self::BankLocked | Self::BankSerializable => {
                row::create(db, bank::ACCOUNTS, bank::BALANCE).await
            }
            Self::Inventory => row::create(db, inventory::PRODUCTS, inventory::STOCK).await,
            Self::Nested => nested::create(db).await,
            Self::Batch => row::create(db, batch::ROWS, 0).await,
        }
    }

    /// One thing that a client does, and logs.
    pub(crate) async fn step(self, client: &mut Client) -> Result<()> {
        match self {
            Self::Counter => counter::step(client).await,
            Self::BankVersioned => bank::step(client, bank::Style::Versioned).await,
            Self::BankLocked => bank::step(client, bank::Style::Locked).await,
            Self::BankSerializable => bank::step(client, bank::Style::Serializable).await,
            Self::Inventory => inventory::step(client).await,
            Self::Nested => nested::step(client).await,
            Self::Batch => batch::step(client).await,
        }
    }

    /// The rows as a history sees them.
    pub(crate) async fn rows(self, db: &DatabaseConnection) -> Result<Rows> {
        match self {
            Self::Nested => nested::rows(db).await,
            _ => Ok(row::seen(&row::all(db).await?)),
        }
    }

    /// What is wrong with the rows in the end, besides what a history says of their versions.
    pub(crate) async fn wrongs(self, db: &DatabaseConnection) -> Result<Vec<String>> {
        match self {
            Self::Counter | Self::Batch => Ok(counter::wrongs(&row::all(db).await?)),
            Self::BankVersioned | Self::BankLocked | Self::BankSerializable => bank::wrongs(&row::all(db).await?),
            Self::Inventory => Ok(inventory::wrongs(&row::all(db).await?)),
            Self::Nested => nested::wrongs(db).await,
        }
    }
}

pub(crate) type Rows = std::collections::BTreeMap<optlock_history::Key, optlock_history::Seen>;
