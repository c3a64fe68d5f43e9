//! What clients log: each call, and the attempts that it has made.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use optlock_history::{Access, Attempt, Id, Outcome, Seen};

use super::super::table::cell;

/// All attempts of all clients.
#[derive(Debug)]
pub(super) struct Log {
    /// Of all times.
    since: Instant,
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
    /// Receipts, and whether they must be there, if that is known.
    pub(super) receipts: Vec<(i64, Option<bool>)>,
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
            since: Instant::now(),
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

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Call<'_> {
    /// Begins an attempt, and names it. Those before it were undone, or it would not be made.
    pub(super) fn begin(&self) -> i64 {
        let id = self.log.next.fetch_add(1, Ordering::Relaxed);
        let attempt = Attempt {
            id: Id(id),
            start: self.log.now(),
            end: 0,
            outcome: Outcome::Refused,
            accesses: Vec::new(),
        };
        self.attempts.lock().unwrap().push(Trial {
            attempt,
            may_be_done: false,
        });
        id.cast_signed()
    }

    /// The attempt has read this row, and is about to write it.
    pub(super) fn changes(&self, attempt: i64, row: &cell::Model) {
        let access = Access::changed(row.id.into(), seen(row));
        self.of(attempt, |trial| trial.attempt.accesses.push(access));
    }

    /// From here on it may be done.
    pub(super) fn sends(&self, attempt: i64) {
        self.of(attempt, |trial| trial.may_be_done = true);
    }

    /// Ends the call. Of an unknown one, the last attempt may be done; any of them if `any`.
    pub(super) fn end(self, told: Told, any: bool) {
        let mut trials = self.attempts.into_inner().unwrap();
        let end = self.log.now();
        let last = trials.len().saturating_sub(1);
        for (number, trial) in trials.iter_mut().enumerate() {
            let attempt = &mut trial.attempt;
            attempt.end = end;
            attempt.outcome = match told {
                Told::Done(done) if attempt.id == Id(done.cast_unsigned()) => Outcome::Committed,
                Told::Unknown if trial.may_be_done && (any || number == last) => Outcome::Unknown,
                _ => Outcome::Refused,
            };
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

/// A row as somebody has read it.
pub(super) fn seen(row: &cell::Model) -> Seen {
    Seen {
        version: row.version,
        writer: (row.writer != 0).then_some(Id(row.writer.cast_unsigned())),
    }
}
