//! What is told of a run.

use std::sync::Mutex;
use std::time::Duration;

use super::{Manual, SECOND, calls, now, run};
use crate::backend::Fault;
use crate::backoff::Backoff;
use crate::policy::{Policy, Report, Retry, Stop};

#[test]
fn a_report_of_nothing_is_empty() {
    let report = Report::new();
    assert_eq!((report.attempts(), report.elapsed()), (0, Duration::ZERO));
    assert_eq!((report.fault(), report.stop()), (None, None));
}

#[test]
fn a_report_has_the_attempts_the_time_the_fault_and_the_stop() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new()
        .clock(&clock)
        .report(&report)
        .attempts(3)
        .backoff(Backoff::constant(SECOND / 10));
    clock.advance(5 * SECOND);
    assert_eq!(calls(policy, Fault::Deadlock), 3);
    assert_eq!((report.attempts(), report.elapsed()), (3, SECOND / 5));
    assert_eq!(
        (report.fault(), report.stop()),
        (Some(Fault::Deadlock), Some(Stop::Attempts))
    );

    // A success after a failure keeps what it failed with, and has no reason to stop.
    assert_eq!(run(policy, &[Fault::Stale]), Ok(2));
    assert_eq!((report.attempts(), report.elapsed()), (2, SECOND / 10));
    assert_eq!((report.fault(), report.stop()), (Some(Fault::Stale), None));

    // The next run begins with an empty one.
    assert_eq!(run(policy, &[]), Ok(1));
    assert_eq!((report.attempts(), report.elapsed()), (1, Duration::ZERO));
    assert_eq!((report.fault(), report.stop()), (None, None));
}

#[test]
fn a_report_can_be_read_by_the_work() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new()
        .clock(&clock)
        .report(&report)
        .backoff(Backoff::constant(SECOND / 10));
    let mut seen = Vec::new();
    let outcome = now(policy.retry_with(
        |fault: &Fault| *fault,
        || {
            seen.push((report.attempts(), report.fault(), report.stop()));
            std::future::ready(if seen.len() < 3 { Err(Fault::Stale) } else { Ok(()) })
        },
    ));
    assert_eq!(outcome, Ok(()));
    let stale = Some(Fault::Stale);
    assert_eq!(seen, [(1, None, None), (2, stale, None), (3, stale, None)]);
}

/// The time is that up to the end of the last attempt, which the delay after it is no part of.
#[test]
fn the_time_ends_with_the_last_attempt_that_has_ended() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new()
        .clock(&clock)
        .report(&report)
        .backoff(Backoff::constant(SECOND / 10));
    let mut seen = Vec::new();
    let outcome = now(policy.retry_with(
        |fault: &Fault| *fault,
        || {
            seen.push(report.elapsed());
            clock.advance(SECOND / 2);
            std::future::ready(if seen.len() < 3 { Err(Fault::Stale) } else { Ok(()) })
        },
    ));
    assert_eq!(outcome, Ok(()));
    assert_eq!(seen, [Duration::ZERO, SECOND / 2, SECOND * 11 / 10]);
    assert_eq!(report.elapsed(), SECOND * 17 / 10);
}

#[test]
fn the_hook_is_called_ahead_of_every_delay() {
    let clock = Manual::new();
    let told = Mutex::new(Vec::new());
    let hook = |retry: &Retry| {
        let attempt = (retry.attempt(), retry.delay(), retry.fault(), retry.elapsed());
        told.lock().unwrap().push((attempt, clock.passed()));
    };
    let policy = Policy::new()
        .clock(&clock)
        .attempts(3)
        .backoff(Backoff::exponential(SECOND / 10, SECOND))
        .on_retry(&hook);
    let mut faults = [Fault::Stale, Fault::Deadlock, Fault::Unique].into_iter();
    let outcome = now(policy.retry_with(
        |fault: &Fault| *fault,
        || {
            clock.advance(SECOND / 2);
            std::future::ready(faults.next().map_or(Ok(()), Err))
        },
    ));
    assert_eq!(outcome, Err(Fault::Unique));
    let first = (1, SECOND / 10, Fault::Stale, SECOND / 2);
    // Each kind of fault has delays of its own: this is the first one of deadlocks.
    let second = (2, SECOND / 10, Fault::Deadlock, SECOND * 11 / 10);
    assert_eq!(
        *told.lock().unwrap(),
        [(first, SECOND / 2), (second, SECOND * 11 / 10)],
        "and not after the last attempt"
    );
}

#[test]
fn the_hook_is_called_for_no_delay_too() {
    let clock = Manual::new();
    let told = Mutex::new(Vec::new());
    let hook = |retry: &Retry| told.lock().unwrap().push(retry.delay());
    let policy = Policy::new().clock(&clock).on_retry(&hook);
    assert_eq!(run(policy, &[Fault::Stale]), Ok(2));
    assert_eq!(*told.lock().unwrap(), [Duration::ZERO]);
}

#[test]
fn the_hook_is_not_called_where_there_is_no_further_attempt() {
    let clock = Manual::new();
    let told = Mutex::new(0);
    let hook = |_: &Retry| *told.lock().unwrap() += 1;
    let policy = Policy::new().clock(&clock).on_retry(&hook);
    let nothing = std::iter::empty();
    for policy in [
        policy.attempts(1),
        policy.stop_on(Fault::Stale),
        policy.deadline(SECOND).backoff(Backoff::constant(SECOND)),
        policy.backoff(Backoff::delays(&nothing)),
        policy.budget(&crate::budget::Budget::new().conflicts(0, 0)),
    ] {
        assert_eq!(calls(policy, Fault::Stale), 1);
    }
    assert_eq!(*told.lock().unwrap(), 0);
}
