//! A client, which does one thing after another and logs what it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use optlock::prelude::*;
use optlock::{Error, Fault, Redo, fault};

use super::call::{Log, Told};
use super::work::Work;
use crate::Result;

/// For how long it waits. What it has begun by then is dropped.
const PATIENCE: Duration = Duration::from_millis(800);

pub(super) struct Client {
    pub(super) db: DatabaseConnection,
    pub(super) log: Arc<Log>,
    pub(super) random: Rng,
    /// The faults have stopped.
    pub(super) is_over: Arc<AtomicBool>,
}

impl Client {
    /// Goes on until the faults have stopped, and then until it has succeeded once with everything.
    pub(super) async fn run(mut self) -> Result<()> {
        while !self.is_over.load(Ordering::Relaxed) {
            let work = *self.random.choice(&Work::ALL).ok_or("nothing to do")?;
            self.call(work).await;
        }
        for work in Work::ALL {
            while !matches!(self.call(work).await, Told::Done(_)) {}
        }
        Ok(())
    }

    async fn call(&mut self, work: Work) -> Told {
        let call = self.log.call();
        let outcome = tokio::time::timeout(PATIENCE, work.run(&self.db, &mut self.random, &call)).await;
        let told = match &outcome {
            Ok(Ok(attempt)) => Told::Done(*attempt),
            // The future is dropped, and with it the knowledge of what it has done.
            Err(_) => Told::Unknown,
            Ok(Err(err)) => {
                if fault(err).is_conflict() {
                    self.log.calls().conflicts += 1;
                }
                self.told(work, err)
            }
        };
        call.end(told, work);
        told
    }

    /// What an error says, by GUARANTEES.md.
    fn told(&self, work: Work, err: &Error) -> Told {
        match fault(err) {
            Fault::OutcomeUnknown => Told::Unknown,
            Fault::Other | Fault::Unclassified => {
                self.log
                    .calls()
                    .strange
                    .push(format!("{work:?} has failed with {err:?}"));
                Told::Unknown
            }
            // A transaction whose commit was not sent is undone, whatever has become of its connection.
            _ if work.is_transaction() => Told::Undone,
            fault if fault.redo() == Redo::Unknown => Told::Unknown,
            _ => Told::Undone,
        }
    }
}
