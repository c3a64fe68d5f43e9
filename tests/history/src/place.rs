//! Each version of each row, with all who have to do with it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::attempt::{Attempt, Id, Key, Outcome, Seen, Version};
use crate::history::History;

/// A history, sorted by rows. Attempts are named by their places in it.
pub(crate) struct Rows<'a> {
    pub(crate) attempts: &'a [Attempt],
    pub(crate) by_key: BTreeMap<Key, Row>,
    pub(crate) ids: HashMap<Id, usize>,
}

#[derive(Default)]
pub(crate) struct Row {
    pub(crate) first: Option<Version>,
    pub(crate) last: Option<Version>,
    pub(crate) places: BTreeMap<Version, Place>,
    /// Unknown attempts that may have stored one version, whichever was next.
    pub(crate) blind: Vec<usize>,
}

/// A version of a row.
#[derive(Default)]
pub(crate) struct Place {
    /// Who says to have stored it.
    pub(crate) committed: Vec<usize>,
    pub(crate) unknown: Vec<usize>,
    pub(crate) refused: Vec<usize>,
    /// Who decided on it, but for those who were refused.
    pub(crate) readers: Vec<usize>,
    /// Those of them who wrote the row, with the version that they stored.
    pub(crate) changers: Vec<(usize, Version)>,
    /// Who stored it, as the row says.
    pub(crate) tokens: Vec<Id>,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(history: &'a History) -> Self {
        let attempts = &history.attempts;
        let mut all = Self {
            attempts,
            by_key: BTreeMap::new(),
            ids: attempts
                .iter()
                .enumerate()
                .map(|(index, attempt)| (attempt.id, index))
                .collect(),
        };
        for (key, seen) in &history.first {
            let row = all.by_key.entry(*key).or_default();
            row.first = Some(seen.version);
            row.places.entry(seen.version).or_default();
        }
        for (index, attempt) in attempts.iter().enumerate() {
            all.add(index, attempt);
        }
        for (key, seen) in &history.last {
            let row = all.by_key.entry(*key).or_default();
            row.last = Some(seen.version);
            row.see(*seen);
        }
        all
    }

    fn add(&mut self, index: usize, attempt: &Attempt) {
        for access in &attempt.accesses {
            let row = self.by_key.entry(access.key).or_default();
            if attempt.outcome == Outcome::Unknown && access.is_blind() {
                row.blind.push(index);
            }
            if let Some(version) = access.wrote {
                let place = row.places.entry(version).or_default();
                match attempt.outcome {
                    Outcome::Committed => place.committed.push(index),
                    Outcome::Unknown => place.unknown.push(index),
                    Outcome::Refused => place.refused.push(index),
                }
            }
            let Some(read) = access.read.filter(|_| attempt.outcome != Outcome::Refused) else {
                continue;
            };
            // What it has written itself shows it nothing.
            let place = if read.writer == Some(attempt.id) {
                row.places.entry(read.version).or_default()
            } else {
                row.see(read)
            };
            place.readers.push(index);
            place.changers.extend(access.wrote.map(|wrote| (index, wrote)));
        }
    }

    pub(crate) fn id(&self, index: usize) -> Id {
        self.attempts[index].id
    }

    pub(crate) fn ids(&self, indices: &[usize]) -> Vec<Id> {
        indices.iter().map(|index| self.id(*index)).collect()
    }

    pub(crate) fn outcome(&self, index: usize) -> Outcome {
        self.attempts[index].outcome
    }
}

impl Row {
    /// The highest version that is known to have been there.
    pub(crate) fn top(&self) -> Option<Version> {
        let is_known = |place: &Place| !place.committed.is_empty() || !place.readers.is_empty();
        let known = || self.places.iter().rev().find(|(_, place)| is_known(place));
        self.last.or_else(|| known().map(|(version, _)| *version))
    }

    /// Whether what is at this version was stored in this history, and is in the chain of those that were.
    pub(crate) fn has_been_at(&self, version: Version) -> bool {
        self.first.is_none_or(|first| first < version) && self.top().is_some_and(|top| version <= top)
    }

    /// Unknown attempts that may have stored a version of which nobody says whose it is.
    pub(crate) fn free_blind(&self, rows: &Rows<'_>) -> Vec<usize> {
        let mut free = self.blind.clone();
        if !free.is_empty() {
            let tokens: HashSet<Id> = self
                .places
                .values()
                .flat_map(|place| place.tokens.iter().copied())
                .collect();
            free.retain(|index| !tokens.contains(&rows.id(*index)));
        }
        free
    }

    fn see(&mut self, seen: Seen) -> &mut Place {
        let is_first = self.first == Some(seen.version);
        let place = self.places.entry(seen.version).or_default();
        // Whoever stored it first is of no history, or of one before.
        if let Some(writer) = seen.writer.filter(|writer| !is_first && !place.tokens.contains(writer)) {
            place.tokens.push(writer);
        }
        place
    }
}
