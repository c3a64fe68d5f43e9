//! The savepoints of a transaction that are open, and their SQL, which is the same everywhere.
//!
//! Not SeaORM's nested transactions: those are counted by the driver, whose count goes wrong when a savepoint is refused, or its future is dropped; and
//! they are rolled back by their drop, which panics while another statement is in flight.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The savepoints that were dropped. Whoever has the line next rolls them back.
#[derive(Clone, Debug, Default)]
pub(super) struct Dropped(Arc<Mutex<Vec<u64>>>);

impl Dropped {
    pub(super) fn first(&self) -> Option<u64> {
        self.numbers().first().copied()
    }

    pub(super) fn forget(&self, savepoint: u64) {
        self.numbers().retain(|other| *other != savepoint);
    }

    fn numbers(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A savepoint that somebody has. Dropped before it has ended, it is to be rolled back.
#[derive(Debug)]
pub(super) struct OpenSavepoint {
    number: u64,
    has_ended: bool,
    dropped: Dropped,
}

impl OpenSavepoint {
    pub(super) fn new(number: u64, dropped: Dropped) -> Self {
        Self {
            number,
            has_ended: false,
            dropped,
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn has_ended(mut self) {
        self.has_ended = true;
    }
}

impl Drop for OpenSavepoint {
    fn drop(&mut self) {
        if !self.has_ended {
            self.dropped.numbers().push(self.number);
        }
    }
}

/// Open savepoints, the outermost first.
#[derive(Debug, Default)]
pub(super) struct Savepoints {
    open: Vec<u64>,
    last: u64,
}

impl Savepoints {
    /// The number of a new one. None is used twice, so that one that was begun by a future that was dropped is not taken for another.
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// It has been begun.
    pub(super) fn push(&mut self, savepoint: u64) {
        self.open.push(savepoint);
    }

    pub(super) fn is_open(&self, savepoint: u64) -> bool {
        self.open.contains(&savepoint)
    }

    pub(super) fn is_innermost(&self, savepoint: u64) -> bool {
        self.open.last() == Some(&savepoint)
    }

    /// It has ended, and so have those within it.
    pub(super) fn close(&mut self, savepoint: u64) {
        if let Some(place) = self.open.iter().position(|open| *open == savepoint) {
            self.open.truncate(place);
        }
    }

    pub(super) fn begin(savepoint: u64) -> String {
        format!("SAVEPOINT optlock_{savepoint}")
    }

    pub(super) fn release(savepoint: u64) -> String {
        format!("RELEASE SAVEPOINT optlock_{savepoint}")
    }
}

/// In one piece: a savepoint stays after a rollback to it.
pub(super) fn rollback_to(savepoint: u64) -> String {
    format!("ROLLBACK TO SAVEPOINT optlock_{savepoint}; RELEASE SAVEPOINT optlock_{savepoint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_one_ends_those_within_it() {
        let mut savepoints = Savepoints::default();
        let numbers: Vec<u64> = (0..3).map(|_| savepoints.next()).collect();
        for number in &numbers {
            savepoints.push(*number);
        }
        assert!(savepoints.is_innermost(numbers[2]) && !savepoints.is_innermost(numbers[1]));
        savepoints.close(numbers[1]);
        assert_eq!(
            numbers
                .iter()
                .map(|number| savepoints.is_open(*number))
                .collect::<Vec<_>>(),
            [true, false, false]
        );
        savepoints.close(numbers[2]);
        assert!(savepoints.is_open(numbers[0]), "what has ended ends nothing else");
        assert_eq!(savepoints.next(), 4, "no number is used twice");
    }

    #[test]
    fn a_savepoint_is_written_as_every_database_takes_it() {
        assert_eq!(Savepoints::begin(1), "SAVEPOINT optlock_1");
        assert_eq!(Savepoints::release(1), "RELEASE SAVEPOINT optlock_1");
        assert_eq!(
            rollback_to(1),
            "ROLLBACK TO SAVEPOINT optlock_1; RELEASE SAVEPOINT optlock_1"
        );
    }
}
