//! All that was done to some rows, and what is to be said of it.

use std::collections::BTreeMap;
use std::fmt;

use crate::attempt::{Attempt, Id, Key, Outcome, Seen};
use crate::happened::Happened;
use crate::place::Rows;
use crate::violation::Violation;
use crate::{chain, cycle, order};

/// All attempts on some rows, and the rows before the first and after the last of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// A row that is not here was inserted later.
    pub first: BTreeMap<Key, Seen>,
    /// In any order.
    pub attempts: Vec<Attempt>,
    /// A row that is not here was deleted in the end.
    pub last: BTreeMap<Key, Seen>,
}

/// What is to be said of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub violations: Vec<Violation>,
    pub committed: usize,
    pub refused: usize,
    pub unknown: usize,
    /// How many of the unknown attempts were done, as far as the rows show it.
    pub unknown_that_happened: usize,
}

/// Finds all that must not be, for attempts that took their times from one clock.
pub fn check(history: &History) -> Verdict {
    check_within(history, 0)
}

/// The same for clocks that differ by up to this many nanoseconds.
pub fn check_within(history: &History, tolerance: u64) -> Verdict {
    let count = |outcome| {
        history
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome == outcome)
            .count()
    };
    let mut verdict = Verdict {
        violations: same_ids(&history.attempts),
        committed: count(Outcome::Committed),
        refused: count(Outcome::Refused),
        unknown: count(Outcome::Unknown),
        unknown_that_happened: 0,
    };
    let rows = Rows::of(history);
    let happened = Happened::of(&rows);
    verdict.violations.extend(chain::violations(&rows, &happened));
    verdict.violations.extend(order::violations(&rows, tolerance));
    verdict.violations.extend(cycle::shortest(&rows, &happened));
    verdict.unknown_that_happened = happened.count();
    verdict
}

impl Verdict {
    /// Whether all is as it should be.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 10;

        write!(
            f,
            "{} committed, {} refused, {} unknown ({} of them done), {} violations",
            self.committed,
            self.refused,
            self.unknown,
            self.unknown_that_happened,
            self.violations.len()
        )?;
        for violation in self.violations.iter().take(MOST) {
            write!(f, "\n{violation}")?;
        }
        match self.violations.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

fn same_ids(attempts: &[Attempt]) -> Vec<Violation> {
    let mut ids: Vec<Id> = attempts.iter().map(|attempt| attempt.id).collect();
    ids.sort_unstable();
    let mut same: Vec<Id> = ids
        .windows(2)
        .filter(|two| two[0] == two[1])
        .map(|two| two[0])
        .collect();
    same.dedup();
    same.into_iter().map(Violation::SameId).collect()
}
