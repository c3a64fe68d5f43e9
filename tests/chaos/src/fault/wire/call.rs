//! What clients log: each call, and the attempts that it has made.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use optlock_history::{Access, Attempt, Id, Key, Outcome};

use super::work::Work;
use crate::clock;
use crate::row;

/// All attempts of all clients.
#[derive(Debug)]
pub(super) struct Log {
    next: AtomicU64,
    attempts: Mutex<Vec<Attempt>>,
    calls: Mutex<Calls>,
}

/// What is known of calls beside their attempts.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) conflicts: u64,
    /// Errors that say nothing about what was done.
    pub(super) strange: Vec<String>,
}

/// What the caller is told in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// By this attempt.
    Done(i64),
    Undone,
    Unknown,
}

/// One call, which makes one attempt after another. A client may drop the future of what it calls, so this stays outside.
#[derive(Debug)]
pub(super) struct Call<'a> {
    log: &'a Log,
    start: u64,
    attempts: Mutex<Vec<Trial>>,
}

#[derive(Debug)]
struct Trial {
    attempt: Attempt,
    /// Whether it has come so far that it can be done although nobody is told so.
    may_be_done: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            // The rows as they are first have no writer.
            next: AtomicU64::new(1),
            attempts: Mutex::default(),
            calls: Mutex::default(),
        }
    }
}

impl Log {
    pub(super) fn call(&self) -> Call<'_> {
        Call {
            log: self,
            start: clock::now(),
            attempts: Mutex::default(),
        }
    }

    pub(super) fn calls(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap()
    }

    pub(super) fn take(&self) -> (Vec<Attempt>, Calls) {
        let attempts = std::mem::take(&mut *self.attempts.lock().unwrap());
        (attempts, std::mem::take(&mut *self.calls()))
    }
}

impl Call<'_> {
    /// A number of its own.
    pub(super) fn number(&self) -> i64 {
        self.log.next.fetch_add(1, Ordering::Relaxed).cast_signed()
    }

    /// Begins an attempt that has read nothing yet, and names it. Those before it were undone, or it would not be made.
    pub(super) fn begin(&self) -> i64 {
        self.begin_at(clock::now())
    }

    /// Begins one that has been handed what was read since the call began.
    pub(super) fn begin_late(&self) -> i64 {
        self.begin_at(self.start)
    }

    fn begin_at(&self, start: u64) -> i64 {
        let number = self.number();
        let attempt = Attempt {
            id: Id(number.cast_unsigned()),
            start,
            end: 0,
            outcome: Outcome::Refused,
            accesses: Vec::new(),
        };
        self.attempts.lock().unwrap().push(Trial {
            attempt,
            may_be_done: false,
        });
        number
    }

    /// The attempt has read this row, and is about to write it.
    pub(super) fn changes(&self, attempt: i64, row: &row::Model) {
        let access = Access::changed(row.id, row.seen());
        self.of(attempt, |trial| trial.attempt.accesses.push(access));
    }

    /// It is about to insert a row that was not there.
    pub(super) fn inserts(&self, attempt: i64, key: Key) {
        self.of(attempt, |trial| trial.attempt.accesses.push(Access::wrote(key, 1)));
    }

    /// From here on it may be done.
    pub(super) fn sends(&self, attempt: i64) {
        self.of(attempt, |trial| trial.may_be_done = true);
    }

    /// Ends the call.
    pub(super) fn end(self, told: Told, work: Work) {
        let mut trials = self.attempts.into_inner().unwrap();
        let end = clock::now();
        let last = trials.len().saturating_sub(1);
        // Only where the next attempt does not show that the one before was undone.
        let any = work == Work::Verified;
        for (number, trial) in trials.iter_mut().enumerate() {
            let attempt = &mut trial.attempt;
            attempt.end = end;
            attempt.outcome = match told {
                Told::Done(done) if attempt.id == Id(done.cast_unsigned()) => Outcome::Committed,
                Told::Unknown if trial.may_be_done && (any || number == last) => Outcome::Unknown,
                _ => Outcome::Refused,
            };
            if matches!(work, Work::Modify | Work::Combine) && attempt.outcome != Outcome::Committed {
                // The row that it was handed, and had not proved yet, may be one that is out of date, or that nobody has stored.
                for access in &mut attempt.accesses {
                    access.read = None;
                }
            }
        }
        let attempts = trials.into_iter().map(|trial| trial.attempt);
        self.log.attempts.lock().unwrap().extend(attempts);
    }

    fn of(&self, attempt: i64, change: impl FnOnce(&mut Trial)) {
        let mut trials = self.attempts.lock().unwrap();
        let id = Id(attempt.cast_unsigned());
        if let Some(trial) = trials.iter_mut().find(|trial| trial.attempt.id == id) {
            change(trial);
        }
    }
}
