//! The arithmetic, exactly, and without waiting: by a clock that passes when somebody sleeps.

#![allow(
    clippy::large_types_passed_by_value,
    reason = "a policy is passed as its methods pass it"
)]

mod budget;
mod deadline;
mod limits;
mod report;
mod table;
mod timer;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::Policy;
use crate::backend::Fault;
use crate::clock::{Clock, Sleep};

const SECOND: Duration = Duration::from_secs(1);

/// Time that passes only when somebody sleeps, or says so.
struct Manual {
    start: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    passed: Duration,
    slept: Vec<Duration>,
}

impl Manual {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            state: Arc::default(),
        }
    }

    /// Lets time pass, as work does.
    fn advance(&self, time: Duration) {
        self.state.lock().unwrap().passed += time;
    }

    /// How much time has passed.
    fn passed(&self) -> Duration {
        self.state.lock().unwrap().passed
    }

    /// The sleeps since the last call, each of them.
    fn take_slept(&self) -> Vec<Duration> {
        std::mem::take(&mut self.state.lock().unwrap().slept)
    }
}

impl Clock for Manual {
    fn now(&self) -> Instant {
        self.start + self.passed()
    }

    fn sleep(&self, duration: Duration) -> Option<Sleep> {
        let state = Arc::clone(&self.state);
        Some(Box::pin(async move {
            let mut state = state.lock().unwrap();
            state.passed += duration;
            state.slept.push(duration);
        }))
    }
}

/// Runs what never has to wait.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Work that fails with each of these in turn, and then succeeds with the number of its calls.
fn run(policy: Policy<'_>, faults: &[Fault]) -> Result<usize, Fault> {
    let mut faults = faults.iter();
    let mut calls = 0;
    now(policy.retry_with(
        |fault| *fault,
        || {
            calls += 1;
            std::future::ready(faults.next().map_or(Ok(calls), |fault| Err(*fault)))
        },
    ))
}

/// How often work is called that always fails with this.
fn calls(policy: Policy<'_>, fault: Fault) -> usize {
    let mut calls = 0;
    let outcome = now(policy.retry_with(
        |fault| *fault,
        || {
            calls += 1;
            std::future::ready(Err::<(), _>(fault))
        },
    ));
    assert_eq!(outcome, Err(fault));
    calls
}
