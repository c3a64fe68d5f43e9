//! The commands, sent through the library.

mod batch;
mod lock;
mod modify;
mod write;

use optlock::prelude::*;
use optlock::{Error, ModifyIn, Savepoint, Txn};
use sea_orm::DatabaseTransaction;

pub(super) use lock::lock;
pub(super) use write::write;

use super::command::{Cells, Change, Draft, Edit, Form, HANDLES};
use super::item::ActiveModel;
use super::outcome::{Outcome, Row};

/// Where a command is sent.
pub(super) trait Site: ModifyIn {
    /// Where a policy of one's own can be used.
    fn connection(&self) -> Option<&DatabaseConnection> {
        None
    }
}

impl Site for DatabaseConnection {
    fn connection(&self) -> Option<&DatabaseConnection> {
        Some(self)
    }
}

impl Site for DatabaseTransaction {}
impl Site for Txn {}
impl Site for Savepoint {}

/// The models in hand.
type Handles = [Row; HANDLES];

/// The error of a closure.
enum Refusal {
    Own,
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(err: Error) -> Self {
        Self::Store(err)
    }
}

fn told<T>(result: Result<T, Error>, ok: impl FnOnce(T) -> Outcome) -> Outcome {
    result.map_or_else(Outcome::from, ok)
}

impl Draft {
    fn active(&self, handles: &Handles) -> ActiveModel {
        let mut active = self.form.active(&handles[self.handle]);
        let Change { qty, note } = &self.change;
        if let Some(qty) = qty {
            active.qty = Set(*qty);
        }
        if let Some(note) = note {
            active.note = Set(note.map(str::to_owned));
        }
        active
    }
}

impl Form {
    fn active(self, row: &Row) -> ActiveModel {
        let loaded = row.clone().into_active_model();
        match self {
            Self::Loaded => loaded,
            Self::Named => ActiveModel {
                id: Set(row.id),
                version: Set(row.version),
                ..Default::default()
            },
            Self::Unversioned => ActiveModel {
                version: NotSet,
                ..loaded
            },
        }
    }
}

impl Cells {
    fn active(&self, key: i64, version: Option<i64>) -> ActiveModel {
        ActiveModel {
            id: Set(key),
            qty: Set(self.qty),
            note: Set(self.note.map(str::to_owned)),
            version: version.map_or(NotSet, Set),
        }
    }
}

impl Edit {
    /// As a closure does it.
    fn make(&self, row: &mut Row) -> Result<(), Refusal> {
        match self {
            Self::Add(number) => row.qty += number,
            Self::Note(note) => row.note = note.map(str::to_owned),
            Self::Nothing => {}
            Self::Refuse => return Err(Refusal::Own),
            Self::Key => row.id += 10,
            Self::Version => row.version = -1,
        }
        Ok(())
    }
}
