//! Writes to one row, and those that know no version.

use optlock::Operation;

use super::super::command::{Cells, Delete, Draft, Form, InsertMany, Update, Write};
use super::super::outcome::{Found, Loss, Outcome, Row};
use super::modify::distinct;
use super::{Reference, missing, not_set, overflow};
use crate::backend::Backend;

impl Reference {
    pub(in super::super) fn write(&mut self, write: &Write) -> Outcome {
        match write {
            Write::Load { key, .. } => Outcome::Found(self.rows.get(key).cloned()),
            Write::Insert {
                key, cells, version, ..
            } => self.insert(*key, cells, *version),
            Write::InsertMany { rows, how } => self.insert_many(rows, *how),
            Write::Update { draft, how, .. } => self.update(draft, *how),
            Write::Delete { handle, form, how } => {
                let handle = self.hand(*handle);
                self.delete(&handle, *form, *how)
            }
            Write::Upsert { draft, .. } => self.upsert(draft),
            Write::UpsertNew {
                key, cells, version, ..
            } => self.upsert_new(*key, cells, *version),
            Write::UpdateById {
                key,
                add,
                at_least,
                returns,
                ..
            } => self.update_by_id(*key, *add, *at_least, *returns),
            Write::UpdateMany {
                add,
                at_least,
                returns,
                assigns_version,
            } => {
                if *assigns_version {
                    return Outcome::VersionAssigned(Operation::UpdateMany);
                }
                self.update_many(*add, *at_least, *returns)
            }
            Write::DeleteById { key } => Outcome::Count(u64::from(self.rows.remove(key).is_some())),
            Write::DeleteMany { at_least } => {
                let before = self.rows.len();
                self.rows.retain(|_, row| !is_at_least(row, *at_least));
                Outcome::Count((before - self.rows.len()) as u64)
            }
            Write::Modify { key, edit, .. } => self.modify(*key, edit),
            Write::ModifyModel {
                handle, edit, combines, ..
            } => {
                let handle = self.hand(*handle);
                // In a transaction nobody waits for the same row.
                if *combines && !self.is_in_transaction {
                    self.modify_model_combined(&handle, edit)
                } else {
                    self.modify_model(&handle, edit)
                }
            }
            Write::ModifyOrInsert { key, new, edit, .. } => {
                if self.rows.contains_key(key) {
                    return self.modify(*key, edit);
                }
                self.insert(*key, new, None)
            }
            Write::ModifyAll { keys, edit } => self.modify_all(keys, edit),
            Write::UpdateBatch { drafts, mode } => self.update_batch(drafts, *mode),
            Write::DeleteBatch { drafts, mode } => self.delete_batch(drafts, *mode),
        }
    }

    fn insert(&mut self, key: i64, cells: &Cells, version: Option<i64>) -> Outcome {
        if self.rows.contains_key(&key) {
            self.fail();
            return Outcome::Unique;
        }
        let row = cells.row(key, version.unwrap_or(1));
        self.rows.insert(key, row.clone());
        Outcome::Row(row)
    }

    fn insert_many(&mut self, rows: &[(i64, Cells)], how: InsertMany) -> Outcome {
        if how == InsertMany::Returning && self.backend == Backend::MariaDb {
            return Outcome::Unsupported;
        }
        let keys: Vec<_> = rows.iter().map(|(key, _)| *key).collect();
        if distinct(&keys).len() < keys.len() || keys.iter().any(|key| self.rows.contains_key(key)) {
            self.fail();
            return Outcome::Unique;
        }
        let mut rows: Vec<_> = rows.iter().map(|(key, cells)| cells.row(*key, 1)).collect();
        self.rows.extend(rows.iter().map(|row| (row.id, row.clone())));
        rows.sort_by_key(|row| row.id);
        if how == InsertMany::Returning {
            Outcome::Rows(rows)
        } else {
            Outcome::Count(rows.len() as u64)
        }
    }

    fn update(&mut self, draft: &Draft, how: Update) -> Outcome {
        let operation = if how == Update::Touch {
            Operation::Touch
        } else {
            Operation::Update
        };
        if let Some(not_set) = draft.not_set(operation) {
            return not_set;
        }
        let change = draft.change_of(how);
        let is_unchanged = change.is_empty() && !matches!(how, Update::Touch | Update::Expression { .. });
        if !is_unchanged && let Some(overflow) = overflow(self.handles[draft.handle].version, operation) {
            return overflow;
        }
        let at_least = match how {
            Update::Where { at_least } => Some(at_least),
            _ => None,
        };
        let stored = match self.check(&self.hand(draft.handle), operation, |row| is_at_least(row, at_least)) {
            Ok(stored) => stored,
            Err(loss) => return Outcome::Conflict(loss),
        };
        if how == Update::WithoutReturning {
            if !is_unchanged {
                self.store(change.apply(&stored));
            }
            return Outcome::Count(u64::from(!is_unchanged));
        }
        if is_unchanged {
            // Shown by a read, on every database.
            return Outcome::Row(stored);
        }
        let mut row = change.apply(&stored);
        if let Update::Expression { add } = how {
            row.qty += add;
            return Outcome::Row(self.store(row));
        }
        let row = self.store(row);
        Outcome::Row(self.returned(row, draft))
    }

    /// The row that comes back from an update of one row.
    ///
    /// PostgreSQL returns it. On the others a row that was loaded is known in full, so it is put together from what was loaded and what was sent. That
    /// differs from the stored one if that is another row of the same key and version: `insert` of a key that was deleted before.
    fn returned(&self, stored: Row, draft: &Draft) -> Row {
        if self.backend != Backend::Postgres && draft.form != Form::Named {
            let known = draft.change.apply(&self.hand(draft.handle));
            return Row {
                version: stored.version,
                ..known
            };
        }
        stored
    }

    fn delete(&mut self, handle: &Row, form: Form, how: Delete) -> Outcome {
        if let Some(not_set) = not_set(form, Operation::Delete) {
            return not_set;
        }
        if how == Delete::Returning && self.backend == Backend::MariaDb {
            return Outcome::Unsupported;
        }
        let at_least = match how {
            Delete::Where { at_least } => Some(at_least),
            Delete::Method | Delete::Returning => None,
        };
        match self.check(handle, Operation::Delete, |row| is_at_least(row, at_least)) {
            Ok(stored) => {
                self.rows.remove(&handle.id);
                if how == Delete::Returning {
                    Outcome::Found(Some(stored))
                } else {
                    Outcome::Count(1)
                }
            }
            Err(loss) => Outcome::Conflict(loss),
        }
    }

    fn upsert(&mut self, draft: &Draft) -> Outcome {
        let handle = self.hand(draft.handle);
        let sent = draft.change.apply(&handle);
        if draft.form == Form::Unversioned {
            return self.upsert_unseen(Row { version: 1, ..sent });
        }
        if let Some(overflow) = overflow(handle.version, Operation::Upsert) {
            return overflow;
        }
        if !self.rows.contains_key(&handle.id) {
            // Past the version that was seen.
            let row = self.store(sent);
            return Outcome::Upserted { is_inserted: true, row };
        }
        match self.check(&handle, Operation::Upsert, |_| true) {
            Ok(stored) => {
                let row = self.store(draft.change.apply(&stored));
                Outcome::Upserted {
                    is_inserted: false,
                    row: self.returned(row, draft),
                }
            }
            Err(loss) => Outcome::Conflict(loss),
        }
    }

    fn upsert_new(&mut self, key: i64, cells: &Cells, version: Option<i64>) -> Outcome {
        let Some(version) = version else {
            return self.upsert_unseen(cells.row(key, 1));
        };
        if let Some(overflow) = overflow(version, Operation::Upsert) {
            return overflow;
        }
        let row = cells.row(key, version);
        let is_inserted = !self.rows.contains_key(&key);
        if !is_inserted && let Err(loss) = self.check(&row, Operation::Upsert, |_| true) {
            return Outcome::Conflict(loss);
        }
        let row = self.store(row);
        Outcome::Upserted { is_inserted, row }
    }

    /// Without a version no row is expected.
    fn upsert_unseen(&mut self, row: Row) -> Outcome {
        if let Some(current) = self.rows.get(&row.id) {
            return Outcome::Conflict(Loss {
                operation: Operation::Upsert,
                key: row.id,
                expected: None,
                found: Found::Changed {
                    version: current.version,
                },
                current: Some(current.clone()),
            });
        }
        self.rows.insert(row.id, row.clone());
        Outcome::Upserted { is_inserted: true, row }
    }

    fn update_by_id(&mut self, key: i64, add: i64, at_least: Option<i64>, returns: bool) -> Outcome {
        let Some(row) = self.rows.get(&key).cloned() else {
            return missing(&[key], 1);
        };
        if !is_at_least(&row, at_least) {
            return Outcome::Refused {
                operation: Operation::UpdateById,
                key,
                current: Some(row),
            };
        }
        if row.version == i64::MAX {
            return self.overflow_in_sql(Operation::UpdateById);
        }
        let qty = row.qty + add;
        let row = self.store(Row { qty, ..row });
        if returns { Outcome::Row(row) } else { Outcome::Count(1) }
    }

    fn update_many(&mut self, add: i64, at_least: Option<i64>, returns: bool) -> Outcome {
        if returns && self.backend == Backend::MariaDb {
            return Outcome::Unsupported;
        }
        let matching = self.rows.values().filter(|row| is_at_least(row, at_least));
        let matching: Vec<_> = matching.cloned().collect();
        if matching.iter().any(|row| row.version == i64::MAX) {
            return self.overflow_in_sql(Operation::UpdateMany);
        }
        let rows: Vec<_> = matching
            .into_iter()
            .map(|row| {
                let qty = row.qty + add;
                self.store(Row { qty, ..row })
            })
            .collect();
        if returns {
            Outcome::Rows(rows)
        } else {
            Outcome::Count(rows.len() as u64)
        }
    }
}

impl Reference {
    /// The server has refused. In a transaction that this has ended nobody can ask why.
    fn overflow_in_sql(&mut self, operation: Operation) -> Outcome {
        self.fail();
        if self.has_failed {
            Outcome::OutOfRange
        } else {
            Outcome::Overflow(operation)
        }
    }
}

impl Cells {
    fn row(&self, id: i64, version: i64) -> Row {
        Row {
            id,
            qty: self.qty,
            note: self.note.map(str::to_owned),
            version,
        }
    }
}

fn is_at_least(row: &Row, at_least: Option<i64>) -> bool {
    at_least.is_none_or(|least| row.qty >= least)
}
