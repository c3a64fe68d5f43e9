//! What the library is compared with: a map of rows, and the rules of README.md and GUARANTEES.md.

mod batch;
mod lock;
mod modify;
mod write;

use std::collections::BTreeMap;

use optlock::Operation;

use super::command::{Change, Draft, Form, HANDLES, Handle, Keeps, Write};
use super::outcome::{Found, Loss, Outcome, Row};
use crate::backend::Backend;

#[derive(Clone, Debug)]
pub(super) struct Reference {
    backend: Backend,
    pub(super) rows: BTreeMap<i64, Row>,
    /// The models in hand.
    pub(super) handles: [Row; HANDLES],
    pub(super) is_in_transaction: bool,
    /// Whether an error has ended the transaction.
    pub(super) has_failed: bool,
}

impl Reference {
    /// Two rows, each of them in two hands.
    pub(super) fn new(backend: Backend) -> Self {
        let [one, two] = [1, 2].map(|id| Row {
            id,
            qty: 10,
            note: None,
            version: 1,
        });
        Self {
            backend,
            rows: [&one, &two].map(|row| (row.id, row.clone())).into(),
            handles: [one.clone(), two.clone(), one, two],
            is_in_transaction: false,
            has_failed: false,
        }
    }

    /// Where a returned row goes.
    pub(super) fn keep(&mut self, write: &Write, outcome: &Outcome) {
        let kept = |keeps, handle| (keeps == Keeps::New).then_some(handle);
        let into = match write {
            Write::Load { into, .. } => Some(*into),
            Write::Insert { into, .. }
            | Write::UpsertNew { into, .. }
            | Write::UpdateById { into, .. }
            | Write::Modify { into, .. }
            | Write::ModifyOrInsert { into, .. } => *into,
            Write::Update { draft, keeps, .. } | Write::Upsert { draft, keeps } => kept(*keeps, draft.handle),
            Write::ModifyModel { handle, keeps, .. } => kept(*keeps, *handle),
            _ => None,
        };
        if let (Some(into), Some(row)) = (into, outcome.row()) {
            self.handles[into] = row.clone();
        }
    }

    /// The row that is stored, if it is as expected.
    fn check(&self, handle: &Row, operation: Operation, condition: impl FnOnce(&Row) -> bool) -> Result<Row, Loss> {
        let current = self.rows.get(&handle.id).cloned();
        let found = match &current {
            None => Found::Deleted,
            Some(row) if row.version != handle.version => Found::Changed { version: row.version },
            Some(row) if !condition(row) => Found::Blocked,
            Some(row) => return Ok(row.clone()),
        };
        Err(Loss {
            operation,
            key: handle.id,
            expected: Some(handle.version),
            found,
            current,
        })
    }

    /// Stores a row at its next version.
    fn store(&mut self, mut row: Row) -> Row {
        row.version += 1;
        self.rows.insert(row.id, row.clone());
        row
    }

    /// Ends the transaction on PostgreSQL; the others undo the statement alone.
    fn fail(&mut self) {
        self.has_failed = self.is_in_transaction && self.backend == Backend::Postgres;
    }

    fn hand(&self, handle: Handle) -> Row {
        self.handles[handle].clone()
    }
}

impl Draft {
    fn not_set(&self, operation: Operation) -> Option<Outcome> {
        not_set(self.form, operation)
    }
}

fn not_set(form: Form, operation: Operation) -> Option<Outcome> {
    (form == Form::Unversioned).then(|| Outcome::NotSet {
        operation,
        column: "version".to_owned(),
    })
}

/// Refuses to advance the last version, before any SQL and whatever is stored.
fn overflow(version: i64, operation: Operation) -> Option<Outcome> {
    (version == i64::MAX).then_some(Outcome::Overflow(operation))
}

impl Change {
    pub(super) fn is_empty(&self) -> bool {
        self.qty.is_none() && self.note.is_none()
    }

    fn apply(&self, row: &Row) -> Row {
        Row {
            qty: self.qty.unwrap_or(row.qty),
            note: self
                .note
                .map_or_else(|| row.note.clone(), |note| note.map(str::to_owned)),
            ..row.clone()
        }
    }
}

fn missing(keys: &[i64], wanted: usize) -> Outcome {
    Outcome::Missing {
        wanted,
        found: wanted - keys.len(),
        missing: keys.to_vec(),
    }
}
