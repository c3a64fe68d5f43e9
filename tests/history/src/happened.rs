//! Which of the attempts were done.

use crate::attempt::Outcome;
use crate::place::{Place, Row, Rows};

/// For each attempt, whether it was done for certain.
pub(crate) struct Happened {
    certain: Vec<bool>,
    unknown: usize,
}

impl Happened {
    /// An unknown attempt was done if a row says so, or if a version is there that nobody else can have written.
    pub(crate) fn of(rows: &Rows<'_>) -> Self {
        let committed = rows
            .attempts
            .iter()
            .map(|attempt| attempt.outcome == Outcome::Committed);
        let mut happened = Self {
            certain: committed.collect(),
            unknown: 0,
        };
        for row in rows.by_key.values() {
            for place in row.places.values() {
                for index in place.tokens.iter().filter_map(|token| rows.ids.get(token)) {
                    happened.add(rows, *index);
                }
            }
        }
        for row in rows.by_key.values().filter(|row| row.blind.is_empty()) {
            for place in open_places(row) {
                if let [only] = place.unknown[..] {
                    happened.add(rows, only);
                }
            }
        }
        happened.count_uncertain(rows);
        happened
    }

    pub(crate) fn has(&self, index: usize) -> bool {
        self.certain[index]
    }

    /// How many unknown attempts were done: those that surely were, and one for each further version that several of them could have written.
    pub(crate) fn count(&self) -> usize {
        self.unknown
    }

    /// Who wrote this version for certain, as far as they say so themselves.
    pub(crate) fn writers(&self, place: &Place) -> Vec<usize> {
        let unknown = place.unknown.iter().copied().filter(|index| self.has(*index));
        place.committed.iter().copied().chain(unknown).collect()
    }

    fn add(&mut self, rows: &Rows<'_>, index: usize) {
        if rows.outcome(index) == Outcome::Unknown && !self.certain[index] {
            self.certain[index] = true;
            self.unknown += 1;
        }
    }

    fn count_uncertain(&mut self, rows: &Rows<'_>) {
        let mut done = vec![false; rows.attempts.len()];
        let is_done = |done: &[bool], index: usize| done[index] || self.certain[index];
        let mut uncertain = 0;
        for row in rows.by_key.values() {
            for place in open_places(row) {
                if place.unknown.iter().any(|index| is_done(&done, *index)) {
                    continue;
                }
                // Any of them will do for the count.
                if let Some(index) = place.unknown.first() {
                    done[*index] = true;
                    uncertain += 1;
                }
            }
            // Those that are known to have been done come first.
            let mut blind = row.free_blind(rows);
            blind.sort_by_key(|index| !is_done(&done, *index));
            let used = usize::try_from(missing(row)).unwrap_or(usize::MAX);
            for index in blind.into_iter().take(used) {
                if !is_done(&done, index) {
                    done[index] = true;
                    uncertain += 1;
                }
            }
        }
        self.unknown += uncertain;
    }
}

/// Versions that are there, and that nobody is known to have written.
fn open_places(row: &Row) -> impl Iterator<Item = &Place> {
    row.places
        .iter()
        .filter(|(version, place)| row.has_been_at(**version) && place.committed.is_empty() && place.tokens.is_empty())
        .map(|(_, place)| place)
}

/// How many versions are there that only a blind write can have stored.
fn missing(row: &Row) -> i64 {
    let (Some(first), Some(top)) = (row.first, row.top()) else {
        return 0;
    };
    let explained = row
        .places
        .iter()
        .filter(|(version, place)| row.has_been_at(**version) && place.has_writer());
    let explained = i64::try_from(explained.count()).unwrap_or(i64::MAX);
    top.saturating_sub(first).saturating_sub(explained)
}

impl Place {
    /// Whether anybody can have written it who was not refused, but for blind writes.
    pub(crate) fn has_writer(&self) -> bool {
        !(self.committed.is_empty() && self.unknown.is_empty() && self.tokens.is_empty())
    }
}
