//! One attempt at an operation: rows are read, and written if they are as they were.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use optlock::{Classify, Fault};
use optlock_history::{Access, Attempt, Key, Outcome};

use crate::store::Transaction;
use crate::weather::{Answer, Passage};
use crate::world::World;

/// What one call is to do.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) number: u64,
    pub(crate) client: usize,
    /// Whether each of them is written, or only read.
    pub(crate) keys: Vec<(Key, bool)>,
    /// Whether it looks if it was done already.
    pub(crate) is_idempotent: bool,
}

/// An error of an application's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed(pub(crate) Fault);

/// [`Classify`] by what it says itself.
pub(crate) enum ByItself {}

impl Classify<ByItself> for Failed {
    fn classify(&self) -> Fault {
        self.0
    }
}

pub(crate) async fn attempt(world: &Arc<World>, operation: &Operation) -> Result<(), Failed> {
    let mut entry = Entry::new(world);
    for (key, is_written) in &operation.keys {
        pause(world).await;
        refused_as_statement(world)?;
        let seen = world.store.lock().unwrap().read(*key);
        entry.attempt.accesses.push(if *is_written {
            Access::changed(*key, seen)
        } else {
            Access::read(*key, seen)
        });
    }
    pause(world).await;
    if operation.is_idempotent {
        refused_as_statement(world)?;
        if !world.store.lock().unwrap().doers(operation.number).is_empty() {
            return Ok(());
        }
    }
    // From here on it may be done, whoever waits for it.
    entry.attempt.outcome = Outcome::Unknown;
    let transaction = Transaction {
        operation: operation.number,
        by: entry.attempt.id,
        accesses: entry.attempt.accesses.clone(),
    };
    let outcome = send(world, transaction).await;
    entry.attempt.outcome = match outcome {
        Ok(()) => Outcome::Committed,
        Err(Failed(fault)) if crate::table::is_unknown(fault) => Outcome::Unknown,
        Err(_) => Outcome::Refused,
    };
    outcome
}

/// The line of an attempt in the history, written when it ends, however that is.
struct Entry<'a> {
    world: &'a World,
    attempt: Attempt,
}

impl<'a> Entry<'a> {
    fn new(world: &'a World) -> Self {
        let attempt = Attempt {
            id: world.new_id(),
            start: world.nanos(),
            end: 0,
            outcome: Outcome::Refused,
            accesses: Vec::new(),
        };
        Self { world, attempt }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.attempt.end = self.world.nanos();
        self.world.tell(format_args!("  attempt {}", self.attempt));
        self.world.attempts.lock().unwrap().push(self.attempt.clone());
    }
}

/// Lets others run, and time pass.
async fn pause(world: &World) {
    let latency = world.weather.lock().unwrap().latency();
    world.time.sleep(latency).await;
    let mut has_waited = false;
    poll_fn(|cx| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn refused_as_statement(world: &World) -> Result<(), Failed> {
    let fault = world.weather.lock().unwrap().statement(world.time.now());
    fault.map_or(Ok(()), |fault| Err(Failed(fault)))
}

/// Sends a transaction, which then goes its way whether anybody waits for the answer or not.
async fn send(world: &Arc<World>, transaction: Transaction) -> Result<(), Failed> {
    let passage = world.weather.lock().unwrap().passage(world.time.now());
    let answer = Arc::new(Mutex::new(None));
    if let Some(there) = passage.there {
        let (world, answer) = (Arc::clone(world), Arc::clone(&answer));
        world.clone().spawner.spawn(async move {
            world.time.sleep(there).await;
            let outcome = arrive(&world, passage.refused, &transaction);
            if outcome.is_ok() && passage.answer.is_known_lost(there) {
                world.outcome.lock().unwrap().meet("late, and done", 1);
            }
            *answer.lock().unwrap() = Some(outcome);
        });
    }
    match passage {
        Passage {
            answer: Answer::Lost { after, fault },
            ..
        } => {
            world.time.sleep(after).await;
            Err(Failed(fault))
        }
        Passage {
            answer: Answer::Comes(after),
            there,
            ..
        } => {
            world.time.sleep(there.unwrap_or_default() + after).await;
            loop {
                if let Some(outcome) = answer.lock().unwrap().take() {
                    return outcome;
                }
                // The server is slow.
                world.time.sleep(std::time::Duration::from_micros(100)).await;
            }
        }
    }
}

fn arrive(world: &World, refused: Option<Fault>, transaction: &Transaction) -> Result<(), Failed> {
    let outcome = if world.weather.lock().unwrap().is_out(world.time.now()) {
        Err(Failed(Fault::Unavailable))
    } else if let Some(fault) = refused {
        Err(Failed(fault))
    } else if world.store.lock().unwrap().commit(transaction) {
        Ok(())
    } else {
        Err(Failed(Fault::Stale))
    };
    let by = transaction.by;
    world.tell(format_args!("  {by} arrives: {outcome:?}"));
    outcome
}
