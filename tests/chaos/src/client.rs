//! Somebody who changes rows, and logs each attempt.

use std::time::{Duration, Instant};

use fastrand::Rng;
use optlock::prelude::*;
use optlock::{Error, Fault, Redo};
use optlock_history::{Access, Attempt, Id, Outcome};

use crate::Result;
use crate::clock;

/// An attempt that has begun.
pub(crate) struct Begun {
    pub(crate) id: Id,
    start: u64,
}

pub(crate) struct Client {
    pub(crate) db: DatabaseConnection,
    pub(crate) random: Rng,
    /// When it stops.
    until: Instant,
    next: u64,
    log: Box<dyn FnMut(Event<'_>) + Send>,
}

/// What is logged.
pub(crate) enum Event<'a> {
    Begun(Id, u64),
    Ended(&'a Attempt),
}

/// How many attempts a client may make before its names are those of the next one.
const ATTEMPTS: u64 = 1 << 32;

impl Client {
    /// `number` is its own among all clients of all processes.
    pub(crate) fn new(
        db: DatabaseConnection,
        number: u64,
        seed: u64,
        time: Duration,
        log: impl FnMut(Event<'_>) + Send + 'static,
    ) -> Self {
        Self {
            db,
            random: Rng::with_seed(seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            until: Instant::now() + time,
            next: (number + 1) * ATTEMPTS,
            log: Box::new(log),
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        Instant::now() < self.until
    }

    pub(crate) fn begin(&mut self) -> Begun {
        self.next += 1;
        let (id, start) = (Id(self.next), clock::now());
        (self.log)(Event::Begun(id, start));
        Begun { id, start }
    }

    pub(crate) fn committed(&mut self, begun: &Begun, accesses: Vec<Access>) {
        self.end(begun, accesses, Outcome::Committed);
    }

    /// Logs how an attempt failed. An error that no attempt should meet is an error here.
    pub(crate) fn failed(&mut self, begun: &Begun, accesses: Vec<Access>, err: Error) -> Result<()> {
        let outcome = outcome(&err).ok_or(err)?;
        self.end(begun, accesses, outcome);
        Ok(())
    }

    pub(crate) fn end(&mut self, begun: &Begun, accesses: Vec<Access>, outcome: Outcome) {
        (self.log)(Event::Ended(&Attempt {
            id: begun.id,
            start: begun.start,
            end: clock::now(),
            outcome,
            accesses,
        }));
    }
}

/// What an error says of the writes that met it. `None` if it is a mistake, and says nothing.
pub(crate) fn outcome(err: &Error) -> Option<Outcome> {
    if matches!(err, Error::Refused(_) | Error::Conflicts(_)) {
        return Some(Outcome::Refused);
    }
    let fault = optlock::fault(err);
    match (fault, fault.redo()) {
        (Fault::Aborted | Fault::Other | Fault::Unclassified, _) => None,
        (_, Redo::Unknown) => Some(Outcome::Unknown),
        (Fault::Stale | Fault::Blocked, _) | (_, Redo::Statement | Redo::Transaction) => Some(Outcome::Refused),
        (_, Redo::Never) => None,
    }
}
