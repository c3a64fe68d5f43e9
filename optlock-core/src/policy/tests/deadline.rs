//! How long a run may take.

use std::time::Duration;

use super::{Manual, SECOND, calls, now};
use crate::backend::Fault;
use crate::backoff::Backoff;
use crate::policy::{Policy, Report, Run, Stop};
use crate::random::Random;

#[test]
fn the_deadline_counts_across_attempts() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new()
        .clock(&clock)
        .report(&report)
        .deadline(SECOND * 7 / 2)
        .backoff(Backoff::constant(SECOND));
    assert_eq!(calls(policy, Fault::Stale), 4, "after 0, 1, 2 and 3 seconds");
    assert_eq!(report.stop(), Some(Stop::Deadline));
    assert_eq!(
        report.elapsed(),
        3 * SECOND,
        "nobody waits for an end that brings nothing"
    );
}

#[test]
fn the_time_of_the_attempts_counts() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new()
        .clock(&clock)
        .report(&report)
        .deadline(SECOND * 7 / 2)
        .backoff(Backoff::constant(SECOND));
    let mut begun = Vec::new();
    let outcome = now(policy.retry_with(
        |fault: &Fault| *fault,
        || {
            begun.push(clock.passed());
            clock.advance(SECOND);
            std::future::ready(Err::<(), _>(Fault::Stale))
        },
    ));
    assert_eq!(outcome, Err(Fault::Stale));
    assert_eq!(begun, [Duration::ZERO, 2 * SECOND], "the next one would begin after 4");
    assert_eq!((report.stop(), report.elapsed()), (Some(Stop::Deadline), 3 * SECOND));
}

#[test]
fn the_time_of_other_waits_counts() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new().clock(&clock).report(&report).deadline(3 * SECOND);
    let run = Run::start(&policy);
    clock.advance(2 * SECOND);
    assert_eq!(run.in_time(Fault::Stale), Ok(()));
    assert_eq!(report.stop(), None);
    clock.advance(SECOND);
    assert_eq!(run.in_time(Fault::Stale), Err(Stop::Deadline));
    assert_eq!(report.stop(), Some(Stop::Deadline));

    let policy = policy.without_deadline();
    let run = Run::start(&policy);
    clock.advance(100 * SECOND);
    assert_eq!(run.in_time(Fault::Stale), Ok(()));
}

#[test]
fn an_attempt_that_uses_up_the_time_is_the_last_one_even_without_a_delay() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new().clock(&clock).report(&report).backoff(Backoff::none());
    let mut calls = 0;
    let outcome = now(policy.retry_with(
        |fault: &Fault| *fault,
        || {
            calls += 1;
            clock.advance(2 * SECOND);
            std::future::ready(Err::<(), _>(Fault::Stale))
        },
    ));
    assert_eq!((outcome, calls), (Err(Fault::Stale), 1));
    assert_eq!(report.stop(), Some(Stop::Deadline));
}

#[test]
fn an_attempt_that_is_under_way_is_not_cut_short() {
    let clock = Manual::new();
    let policy = Policy::new().clock(&clock).deadline(SECOND);
    let outcome = now(policy.retry_with(
        |fault: &Fault| *fault,
        || {
            clock.advance(60 * SECOND);
            std::future::ready(Ok(1))
        },
    ));
    assert_eq!(outcome, Ok(1));
}

#[test]
fn no_delay_passes_the_deadline() {
    let mut stops = 0;
    for seed in 0..300 {
        let clock = Manual::new();
        let report = Report::new();
        let policy = Policy::new()
            .clock(&clock)
            .report(&report)
            .seed(seed)
            .attempts(100)
            .backoff(Backoff::full_jitter(SECOND / 10, SECOND));
        let mut work = Random::with_seed(seed);
        let outcome = now(policy.retry_with(
            |fault: &Fault| *fault,
            || {
                assert!(clock.passed() < 2 * SECOND, "attempt {} begins late", report.attempts());
                clock.advance(Duration::from_millis(work.up_to(299)));
                std::future::ready(Err::<(), _>(Fault::Stale))
            },
        ));
        assert_eq!(outcome, Err(Fault::Stale));
        stops += usize::from(report.stop() == Some(Stop::Deadline));
        assert!(report.attempts() > 1);
    }
    assert_eq!(stops, 300, "the deadline is what stopped all of them");
}

#[test]
fn the_default_is_ten_attempts_within_two_seconds() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new().clock(&clock).report(&report);
    assert_eq!(calls(policy, Fault::Stale), 10);
    assert_eq!(report.stop(), Some(Stop::Attempts));
    let slow = policy.backoff(Backoff::constant(Duration::from_nanos(999_999_999)));
    assert_eq!(calls(slow, Fault::Stale), 3);
    assert_eq!(report.stop(), Some(Stop::Deadline));
    assert_eq!(calls(slow.without_deadline(), Fault::Stale), 10);
    assert_eq!(report.stop(), Some(Stop::Attempts));
}

#[test]
fn an_endless_delay_is_refused_and_does_not_overflow() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new()
        .clock(&clock)
        .report(&report)
        .backoff(Backoff::constant(Duration::MAX));
    clock.advance(SECOND);
    assert_eq!(calls(policy.deadline(Duration::MAX), Fault::Stale), 1);
    assert_eq!(report.stop(), Some(Stop::Deadline));
}
