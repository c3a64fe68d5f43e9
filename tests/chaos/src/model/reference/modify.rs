//! Read, change and write as one call.

use optlock::Operation;

use super::super::command::Edit;
use super::super::outcome::{Loss, Outcome, Row};
use super::{Found, Reference, missing, overflow};
use crate::backend::Backend;

impl Reference {
    /// Of the row as it is now.
    pub(super) fn modify(&mut self, key: i64, edit: &Edit) -> Outcome {
        let Some(row) = self.rows.get(&key).cloned() else {
            return missing(&[key], 1);
        };
        match edit.made_of(&row) {
            Ok(Some(after)) => {
                overflow(row.version, Operation::Update).unwrap_or_else(|| Outcome::Row(self.store(after)))
            }
            Ok(None) => Outcome::Row(row),
            Err(refusal) => refusal,
        }
    }

    /// Of the model in hand, and on a connection once more, of the row that won.
    pub(super) fn modify_model(&mut self, handle: &Row, edit: &Edit) -> Outcome {
        let after = match edit.made_of(handle) {
            Ok(after) => after,
            Err(refusal) => return refusal,
        };
        if after.is_some()
            && let Some(overflow) = overflow(handle.version, Operation::Update)
        {
            return overflow;
        }
        match (self.check(handle, Operation::Update, |_| true), after) {
            (Ok(stored), Some(after)) => Outcome::Row(self.write_over(handle, &stored, after)),
            (Ok(stored), None) => Outcome::Row(stored),
            (
                Err(Loss {
                    found: Found::Changed { .. },
                    ..
                }),
                _,
            ) if !self.is_in_transaction => self.modify(handle.id, edit),
            (Err(loss), _) => Outcome::Conflict(loss),
        }
    }

    /// The same by a policy that combines.
    ///
    /// What is in hand is a row that nobody has read during the call. If it is not as expected, that is no lost round: the row is read, and a row that is not
    /// there is missing. If it is, and the closure leaves it alone, the caller has it as it was in hand.
    pub(super) fn modify_model_combined(&mut self, handle: &Row, edit: &Edit) -> Outcome {
        let after = match edit.made_of(handle) {
            Err(Outcome::Own) => {
                return if self.rows.contains_key(&handle.id) {
                    Outcome::Own
                } else {
                    missing(&[handle.id], 1)
                };
            }
            Err(refusal) => return refusal,
            Ok(after) => after,
        };
        if after.is_some()
            && let Some(overflow) = overflow(handle.version, Operation::Update)
        {
            return overflow;
        }
        match (self.check(handle, Operation::Update, |_| true), after) {
            (Ok(stored), Some(after)) => Outcome::Row(self.write_over(handle, &stored, after)),
            (Ok(_), None) => Outcome::Row(handle.clone()),
            (Err(_), _) => self.modify(handle.id, edit),
        }
    }

    pub(super) fn modify_all(&mut self, keys: &[i64], edit: &Edit) -> Outcome {
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
        for key in &keys {
            match edit.made_of(&self.rows[key]) {
                Ok(after) => rows.push(after),
                Err(refusal) => return refusal,
            }
        }
        let is_last = |(key, after): (&i64, &Option<Row>)| after.is_some() && self.rows[key].version == i64::MAX;
        if keys.iter().zip(&rows).any(is_last) {
            return Outcome::Overflow(Operation::Update);
        }
        let rows = keys.iter().zip(rows);
        let rows = rows.map(|(key, after)| match after {
            Some(after) => self.store(after),
            None => self.rows[key].clone(),
        });
        Outcome::Rows(rows.collect())
    }

    /// Writes the columns that differ from the model in hand over the stored row, and returns what the database is able to.
    fn write_over(&mut self, handle: &Row, stored: &Row, after: Row) -> Row {
        let row = Row {
            qty: if after.qty == handle.qty { stored.qty } else { after.qty },
            note: if after.note == handle.note {
                stored.note.clone()
            } else {
                after.note.clone()
            },
            ..stored.clone()
        };
        let row = self.store(row);
        if self.backend != Backend::Postgres {
            // As `update`: known in full.
            return Row {
                version: row.version,
                ..after
            };
        }
        row
    }
}

impl Edit {
    /// What it makes of a row: `None` if it is as it was.
    pub(super) fn made_of(&self, row: &Row) -> Result<Option<Row>, Outcome> {
        let mut after = row.clone();
        match self {
            Self::Refuse => return Err(Outcome::Own),
            Self::Key => return Err(Outcome::Unsupported),
            Self::Version => return Err(Outcome::VersionAssigned(Operation::Update)),
            Self::Nothing => {}
            Self::Add(number) => after.qty += number,
            Self::Note(note) => after.note = note.map(str::to_owned),
        }
        Ok((after != *row).then_some(after))
    }
}

/// Each key once, in the caller's order.
pub(super) fn distinct(keys: &[i64]) -> Vec<i64> {
    let mut distinct = Vec::new();
    for key in keys {
        if !distinct.contains(key) {
            distinct.push(*key);
        }
    }
    distinct
}
