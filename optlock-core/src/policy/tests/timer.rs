//! What a policy waits with.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::{Manual, SECOND, calls};
use crate::backend::Fault;
use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::clock::{Clock, Sleep};
use crate::policy::{Policy, Report, Retry, Stop};

/// Runs a future on a thread without a runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// How often work is called that always fails, on a thread of its own.
fn calls_on_a_plain_thread(policy: Policy<'_>, fault: Fault) -> usize {
    thread::scope(|scope| {
        let run = scope.spawn(|| {
            let mut calls = 0;
            let outcome = block_on(policy.retry_with(
                |fault| *fault,
                || {
                    calls += 1;
                    std::future::ready(Err::<(), _>(fault))
                },
            ));
            assert_eq!(outcome, Err(fault));
            calls
        });
        run.join().unwrap()
    })
}

#[test]
fn outside_of_tokio_there_is_no_timer() {
    let report = Report::new();
    let policy = Policy::new().report(&report);
    assert_eq!(calls_on_a_plain_thread(policy, Fault::Deadlock), 1);
    assert_eq!(
        (report.fault(), report.stop()),
        (Some(Fault::Deadlock), Some(Stop::NoTimer))
    );
    // What needs no timer is done: the first conflict is retried at once.
    assert_eq!(calls_on_a_plain_thread(policy, Fault::Stale), 2);
    assert_eq!(report.stop(), Some(Stop::NoTimer));
    assert_eq!(
        calls_on_a_plain_thread(policy.backoff(Backoff::none()), Fault::Stale),
        10
    );
    assert_eq!(report.stop(), Some(Stop::Attempts));
}

#[test]
fn outside_of_tokio_a_clock_of_the_callers_is_used() {
    /// A thread for every sleep.
    struct Threads;

    impl Clock for Threads {
        fn now(&self) -> std::time::Instant {
            std::time::Instant::now()
        }

        fn sleep(&self, duration: Duration) -> Option<Sleep> {
            let state: Arc<Mutex<(bool, Option<Waker>)>> = Arc::default();
            let shared = Arc::clone(&state);
            thread::spawn(move || {
                thread::sleep(duration);
                let mut state = shared.lock().unwrap();
                state.0 = true;
                if let Some(waker) = state.1.take() {
                    waker.wake();
                }
            });
            Some(Box::pin(std::future::poll_fn(move |cx| {
                let mut state = state.lock().unwrap();
                if state.0 {
                    return Poll::Ready(());
                }
                state.1 = Some(cx.waker().clone());
                Poll::Pending
            })))
        }
    }

    let report = Report::new();
    let policy = Policy::new()
        .clock(&Threads)
        .report(&report)
        .attempts(3)
        .backoff(Backoff::constant(Duration::from_millis(2)));
    assert_eq!(calls_on_a_plain_thread(policy, Fault::Deadlock), 3);
    assert_eq!(report.stop(), Some(Stop::Attempts));
    assert!(report.elapsed() >= Duration::from_millis(4));
}

/// A clock without anything to wait with.
struct Still(Manual);

impl Clock for Still {
    fn now(&self) -> std::time::Instant {
        self.0.now()
    }

    fn sleep(&self, _: Duration) -> Option<Sleep> {
        None
    }
}

#[test]
fn without_a_timer_nothing_is_taken_out_of_the_budget() {
    let (clock, still) = (Manual::new(), Still(Manual::new()));
    let budget = Budget::new().conflicts(1, 0);
    let policy = Policy::new()
        .budget(&budget)
        .attempts(100)
        .backoff(Backoff::constant(Duration::from_nanos(1)));
    for _ in 0..10 {
        assert_eq!(calls(policy.clock(&still), Fault::Stale), 1);
    }
    assert_eq!(calls(policy.clock(&clock), Fault::Stale), 11, "ten retries are left");
}

#[test]
fn without_a_timer_the_hook_is_told_of_no_retry() {
    let still = Still(Manual::new());
    let told = Mutex::new(Vec::new());
    let hook = |retry: &Retry| told.lock().unwrap().push(*retry);
    let policy = Policy::new().clock(&still).on_retry(&hook);
    assert_eq!(calls(policy, Fault::Deadlock), 1);
    assert_eq!(*told.lock().unwrap(), []);
}

/// A runtime can be built without a timer, and Tokio's sleep panics in one.
#[test]
fn a_runtime_whose_timer_is_off_has_none() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = Report::new();
    let outcome = runtime.block_on(
        Policy::new()
            .report(&report)
            .retry_with(|fault| *fault, || std::future::ready(Err::<(), _>(Fault::Deadlock))),
    );
    assert_eq!(outcome, Err(Fault::Deadlock));
    assert_eq!(report.stop(), Some(Stop::NoTimer));
}

#[tokio::test(start_paused = true)]
async fn inside_of_tokio_its_timer_is_used() {
    let report = Report::new();
    let policy = Policy::new()
        .report(&report)
        .attempts(3)
        .without_deadline()
        .backoff(Backoff::constant(3_600 * SECOND));
    let outcome = policy
        .retry_with(|fault| *fault, || std::future::ready(Err::<(), _>(Fault::Deadlock)))
        .await;
    assert_eq!(outcome, Err(Fault::Deadlock));
    assert_eq!((report.attempts(), report.stop()), (3, Some(Stop::Attempts)));
    assert!(report.elapsed() >= 7_200 * SECOND, "{:?}", report.elapsed());
}

#[tokio::test(start_paused = true)]
async fn dropped_in_a_delay_nothing_more_is_called() {
    let report = Report::new();
    let mut calls = 0;
    let policy = Policy::new().report(&report).backoff(Backoff::constant(SECOND));
    let run = policy.retry_with(
        |fault| *fault,
        || {
            calls += 1;
            std::future::ready(Err::<(), _>(Fault::Deadlock))
        },
    );
    assert!(tokio::time::timeout(SECOND / 2, run).await.is_err());
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!((calls, report.attempts(), report.stop()), (1, 1, None));
}

#[test]
fn each_clock_is_known_by_a_number_of_its_own() {
    let (one, another) = (Manual::new(), Manual::new());
    assert_eq!(Policy::new().clock_id(), 0);
    let [one, another] = [&one, &another].map(|clock| Policy::new().clock(clock).clock_id());
    assert!(one != 0 && another != 0 && one != another, "{one} and {another}");
}
