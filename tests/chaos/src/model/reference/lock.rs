//! Rows that are locked, and written through the lock.

use optlock::Operation;

use super::super::command::{Edit, Lock, Then};
use super::super::outcome::{Outcome, Row};
use super::modify::distinct;
use super::{Reference, missing, overflow};

impl Reference {
    pub(in super::super) fn lock(&mut self, lock: &Lock) -> Outcome {
        match lock {
            Lock::Row { key, then } => match self.rows.get(key).cloned() {
                Some(row) => self.then(row, then),
                None => Outcome::Found(None),
            },
            Lock::Model { handle, then } => match self.check(&self.hand(*handle), Operation::Lock, |_| true) {
                Ok(row) => self.then(row, then),
                Err(loss) => Outcome::Conflict(loss),
            },
            Lock::All { keys, edit } => self.lock_all(keys, edit),
        }
    }

    fn then(&mut self, row: Row, then: &Then) -> Outcome {
        match then {
            Then::Nothing => Outcome::Row(row),
            Then::Update(edit) => match edit.made_of(&row) {
                Ok(Some(after)) => {
                    overflow(row.version, Operation::Update).unwrap_or_else(|| Outcome::Row(self.store(after)))
                }
                // This closure cannot refuse.
                Ok(None) | Err(Outcome::Own) => Outcome::Row(row),
                Err(refusal) => refusal,
            },
            Then::Touch => overflow(row.version, Operation::Touch).unwrap_or_else(|| Outcome::Row(self.store(row))),
            Then::Delete => {
                self.rows.remove(&row.id);
                Outcome::Count(1)
            }
        }
    }

    fn lock_all(&mut self, keys: &[i64], edit: &Edit) -> Outcome {
        let keys = distinct(keys);
        let absent: Vec<_> = keys
            .iter()
            .copied()
            .filter(|key| !self.rows.contains_key(key))
            .collect();
        if !absent.is_empty() {
            return missing(&absent, keys.len());
        }
        let mut rows = Vec::new();
        for key in keys {
            match self.then(self.rows[&key].clone(), &Then::Update(edit.clone())) {
                Outcome::Row(row) => rows.push(row),
                refusal => return refusal,
            }
        }
        Outcome::Rows(rows)
    }
}
