//! Many rows that were loaded, each at its own version.

use optlock::Operation;

use super::super::command::{Draft, Form, Mode};
use super::super::outcome::{Loss, Outcome, Row};
use super::{Reference, overflow};
use crate::backend::Backend;

impl Reference {
    pub(super) fn update_batch(&mut self, drafts: &[Draft], mode: Mode) -> Outcome {
        let verdicts = match self.judge(drafts, Operation::UpdateBatch) {
            Ok(verdicts) => verdicts,
            Err(refusal) => return refusal,
        };
        for draft in drafts.iter().filter(|draft| !draft.change.is_empty()) {
            if let Some(overflow) = overflow(self.handles[draft.handle].version, Operation::UpdateBatch) {
                return overflow;
            }
        }
        if mode != Mode::Each
            && let Some(conflicts) = conflicts(&verdicts)
        {
            return conflicts;
        }
        let written: Vec<_> = drafts
            .iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| verdict.is_ok())
            .collect();
        let written: Vec<_> = written.into_iter().map(|(draft, _)| draft.clone()).collect();
        let verdicts: Vec<_> = drafts
            .iter()
            .zip(verdicts)
            .map(|(draft, verdict)| Ok(Some(self.update_one_of(&written, draft, &verdict?))))
            .collect();
        match mode {
            Mode::Each => Outcome::Verdicts(verdicts),
            Mode::AllOrNone => Outcome::Rows(verdicts.into_iter().filter_map(Result::ok).flatten().collect()),
            Mode::WithoutReturning => {
                Outcome::Count(drafts.iter().filter(|draft| !draft.change.is_empty()).count() as u64)
            }
        }
    }

    pub(super) fn delete_batch(&mut self, drafts: &[Draft], mode: Mode) -> Outcome {
        let verdicts = match self.judge(drafts, Operation::DeleteBatch) {
            Ok(verdicts) => verdicts,
            Err(refusal) => return refusal,
        };
        if mode != Mode::Each
            && let Some(conflicts) = conflicts(&verdicts)
        {
            return conflicts;
        }
        for row in verdicts.iter().flatten() {
            self.rows.remove(&row.id);
        }
        match mode {
            Mode::Each => Outcome::Verdicts(verdicts.into_iter().map(|verdict| verdict.map(|_| None)).collect()),
            Mode::AllOrNone | Mode::WithoutReturning => Outcome::Count(verdicts.len() as u64),
        }
    }

    /// Whether each row is as expected.
    fn judge(&self, drafts: &[Draft], operation: Operation) -> Result<Vec<Result<Row, Loss>>, Outcome> {
        let mut keys = Vec::new();
        for draft in drafts {
            if let Some(not_set) = draft.not_set(operation) {
                return Err(not_set);
            }
            let key = self.handles[draft.handle].id;
            if keys.contains(&key) {
                return Err(Outcome::DuplicateKey { operation, key });
            }
            keys.push(key);
        }
        let verdicts = drafts
            .iter()
            .map(|draft| self.check(&self.hand(draft.handle), operation, |_| true));
        Ok(verdicts.collect())
    }

    fn update_one_of(&mut self, written: &[Draft], draft: &Draft, stored: &Row) -> Row {
        if draft.change.is_empty() {
            return stored.clone();
        }
        let row = self.store(draft.change.apply(stored));
        // Rows that are known in full, as those that were loaded are, are not read. PostgreSQL and SQLite return them all the same if one of those with the
        // same columns `Set` is not known.
        let is_of_its_group = |other: &&Draft| {
            (other.change.qty.is_some(), other.change.note.is_some())
                == (draft.change.qty.is_some(), draft.change.note.is_some())
        };
        let mut group = written.iter().filter(is_of_its_group);
        let is_returned = self.backend != Backend::MariaDb && group.any(|other| other.form == Form::Named);
        if is_returned || draft.form == Form::Named {
            return row;
        }
        let known = draft.change.apply(&self.hand(draft.handle));
        Row {
            version: row.version,
            ..known
        }
    }
}

fn conflicts(verdicts: &[Result<Row, Loss>]) -> Option<Outcome> {
    let losses = verdicts.iter().enumerate();
    let losses: Vec<_> = losses
        .filter_map(|(index, verdict)| Some((index, verdict.clone().err()?)))
        .collect();
    (!losses.is_empty()).then_some(Outcome::Conflicts {
        rows: verdicts.len(),
        losses,
    })
}
