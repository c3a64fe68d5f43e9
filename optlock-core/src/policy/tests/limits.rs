//! How many attempts, how far apart, and what comes back.

use std::time::Duration;

use sea_orm::{ConnAcquireErr, DbErr};

use super::{Manual, SECOND, calls, now, run};
use crate::backend::Fault;
use crate::backoff::{Backoff, Jitter};
use crate::invalid_policy::InvalidPolicy;
use crate::policy::{Policy, Report, Stop};

#[test]
fn what_succeeds_is_called_once() {
    let clock = Manual::new();
    assert_eq!(run(Policy::new().clock(&clock), &[]), Ok(1));
    assert_eq!(clock.take_slept(), [Duration::ZERO; 0]);
}

#[test]
fn three_conflicts_are_three_delays_and_a_fourth_call() {
    let clock = Manual::new();
    let policy = Policy::new().clock(&clock).backoff(Backoff::constant(SECOND / 10));
    assert_eq!(run(policy, &[Fault::Stale; 3]), Ok(4));
    assert_eq!(clock.take_slept(), [SECOND / 10; 3]);
}

#[test]
fn a_fatal_error_after_three_conflicts_is_that_error_at_once() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new().clock(&clock).backoff(Backoff::constant(SECOND / 10));
    let faults = [Fault::Stale, Fault::Stale, Fault::Stale, Fault::Unique, Fault::Stale];
    assert_eq!(run(policy.report(&report), &faults), Err(Fault::Unique));
    assert_eq!((report.attempts(), report.stop()), (4, Some(Stop::Fault)));
    assert_eq!(clock.take_slept().len(), 3);
}

#[test]
fn three_attempts_are_three_calls_and_no_delay_after_the_last() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new()
        .clock(&clock)
        .report(&report)
        .backoff(Backoff::constant(SECOND / 10));
    assert_eq!(calls(policy.attempts(3), Fault::Stale), 3);
    assert_eq!(clock.take_slept(), [SECOND / 10; 2]);
    assert_eq!(report.stop(), Some(Stop::Attempts));

    assert_eq!(calls(policy.attempts(1), Fault::Stale), 1);
    assert_eq!(clock.take_slept(), [Duration::ZERO; 0]);
    assert_eq!(report.stop(), Some(Stop::Attempts));
}

#[test]
fn there_are_no_more_attempts_for_one_fault_than_for_all() {
    let limited = |all, of_deadlocks| {
        let policy = Policy::new().without_deadline().attempts(all);
        calls(
            policy.backoff_on(Fault::Deadlock, Backoff::none(), of_deadlocks),
            Fault::Deadlock,
        )
    };
    assert_eq!((limited(3, 9), limited(9, 3), limited(3, 3)), (3, 3, 3));
}

#[test]
fn no_attempts_and_no_time_are_refused() {
    assert_eq!(Policy::new().try_attempts(0).unwrap_err(), InvalidPolicy::NoAttempts);
    assert_eq!(
        Policy::new().try_deadline(Duration::ZERO).unwrap_err(),
        InvalidPolicy::NoTime
    );
    assert_eq!(calls(Policy::new().try_attempts(1).unwrap(), Fault::Stale), 1);
    assert!(Policy::new().try_deadline(Duration::from_nanos(1)).is_ok());
}

#[test]
#[should_panic(expected = "at least one attempt")]
fn no_attempts_by_hand_panic() {
    let _ = Policy::new().attempts(0);
}

#[test]
#[should_panic(expected = "at least one attempt")]
fn no_attempts_for_one_fault_panic() {
    let _ = Policy::new().backoff_on(Fault::Stale, Backoff::none(), 0);
}

#[test]
#[should_panic(expected = "no time")]
fn no_time_by_hand_panics() {
    let _ = Policy::new().deadline(Duration::ZERO);
}

#[test]
fn a_delay_doubles_up_to_its_cap() {
    let clock = Manual::new();
    let policy = Policy::new()
        .clock(&clock)
        .without_deadline()
        .attempts(5)
        .backoff(Backoff::exponential(SECOND, 3 * SECOND));
    assert_eq!(calls(policy, Fault::Stale), 5);
    assert_eq!(clock.take_slept(), [1, 2, 3, 3].map(Duration::from_secs));
}

#[test]
fn many_thousand_attempts_stay_at_the_cap() {
    let clock = Manual::new();
    let policy = Policy::new()
        .clock(&clock)
        .without_deadline()
        .attempts(100_001)
        .backoff(Backoff::exponential(Duration::from_nanos(1), 3 * SECOND));
    assert_eq!(calls(policy, Fault::Stale), 100_001);
    let slept = clock.take_slept();
    assert_eq!(slept.len(), 100_000);
    assert_eq!(slept[3], Duration::from_nanos(8));
    // 2^32 nanoseconds are more than three seconds, and so is what comes after.
    assert!(slept[32..].iter().all(|delay| *delay == 3 * SECOND));
}

#[test]
fn delays_that_make_a_busy_loop_are_refused() {
    for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
        assert_eq!(
            Backoff::try_new(jitter, Duration::ZERO, SECOND).unwrap_err(),
            InvalidPolicy::NoDelay
        );
        assert_eq!(
            Backoff::try_new(jitter, SECOND, SECOND / 2).unwrap_err(),
            InvalidPolicy::Backwards {
                base: SECOND,
                cap: SECOND / 2
            }
        );
    }
}

#[test]
fn no_delay_is_no_sleep() {
    let clock = Manual::new();
    let policy = Policy::new().clock(&clock).backoff(Backoff::none());
    assert_eq!(calls(policy, Fault::Stale), 10);
    assert_eq!(clock.take_slept(), [Duration::ZERO; 0]);
}

#[test]
fn an_iterator_that_ends_ends_the_run() {
    let clock = Manual::new();
    let report = Report::new();
    let steps = [1, 2].map(Duration::from_millis).into_iter();
    let policy = Policy::new()
        .clock(&clock)
        .report(&report)
        .backoff(Backoff::delays(&steps));
    for _ in 0..2 {
        assert_eq!(calls(policy, Fault::Stale), 3);
        assert_eq!(clock.take_slept(), [1, 2].map(Duration::from_millis));
        assert_eq!(report.stop(), Some(Stop::Delays));
    }
    assert_eq!(run(policy, &[Fault::Stale; 2]), Ok(3), "what it has is used");
}

#[test]
fn faults_of_different_kinds_have_delays_of_their_own() {
    let clock = Manual::new();
    let steps = [1, 2, 3].map(Duration::from_millis).into_iter();
    let others = [10, 20, 30].map(Duration::from_millis).into_iter();
    let policy = Policy::new()
        .clock(&clock)
        .backoff_on(Fault::Stale, Backoff::delays(&steps), 10)
        .backoff_on(Fault::Deadlock, Backoff::delays(&others), 10);
    let faults = [Fault::Stale, Fault::Deadlock, Fault::Stale, Fault::Deadlock];
    assert_eq!(run(policy, &faults), Ok(5));
    assert_eq!(clock.take_slept(), [1, 10, 2, 20].map(Duration::from_millis));
}

#[test]
fn an_attempt_counts_for_the_fault_that_it_ends_in() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new().clock(&clock).report(&report);
    // The fifth deadlock is one too many; the conflicts in between do not count for it.
    let faults = [Fault::Deadlock, Fault::Stale].repeat(5);
    assert_eq!(run(policy, &faults[..7]), Ok(8), "the fourth deadlock is answered");
    assert_eq!(run(policy, &faults), Err(Fault::Deadlock));
    assert_eq!((report.attempts(), report.stop()), (9, Some(Stop::Attempts)));
    // The attempts of the policy count for all.
    assert_eq!(run(policy.attempts(4), &faults), Err(Fault::Stale));
    assert_eq!((report.attempts(), report.stop()), (4, Some(Stop::Attempts)));
}

#[test]
fn a_policy_begins_anew_in_every_run() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new()
        .clock(&clock)
        .report(&report)
        .backoff(Backoff::exponential(SECOND / 10, SECOND));
    for _ in 0..2 {
        assert_eq!(run(policy, &[Fault::Stale; 2]), Ok(3));
        assert_eq!((report.attempts(), report.stop()), (3, None));
        assert_eq!(clock.take_slept(), [SECOND / 10, SECOND / 5]);
    }
}

#[test]
fn a_seed_gives_the_same_delays_again() {
    let clock = Manual::new();
    let delays = |seed| {
        calls(Policy::new().clock(&clock).seed(seed), Fault::Stale);
        clock.take_slept()
    };
    assert_eq!(delays(42), delays(42));
    assert_ne!(delays(42), delays(43));
    let unseeded = || {
        calls(Policy::new().clock(&clock), Fault::Stale);
        clock.take_slept()
    };
    assert_ne!(unseeded(), unseeded(), "rivals do not stay in step");
}

#[test]
fn the_last_error_comes_back_as_it_was() {
    /// Neither an error nor one that can be cloned.
    #[derive(Debug, PartialEq)]
    struct Attempt(u32);

    let clock = Manual::new();
    let mut calls = 0;
    let outcome = now(Policy::new().clock(&clock).attempts(3).retry_with(
        |_: &Attempt| Fault::Stale,
        || {
            calls += 1;
            std::future::ready(Err::<(), _>(Attempt(calls)))
        },
    ));
    assert_eq!(outcome, Err(Attempt(3)));
}

#[test]
fn an_error_is_looked_into() {
    #[derive(Debug, thiserror::Error)]
    #[error("the order was not stored")]
    struct NotStored(#[source] DbErr);

    let clock = Manual::new();
    for (policy, attempts) in [
        (Policy::new(), 1),
        (Policy::new().retry_on(Fault::PoolTimeout).attempts(4), 4),
    ] {
        let mut calls = 0;
        let outcome = now(policy.clock(&clock).without_deadline().retry(|| {
            calls += 1;
            let err = DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
            std::future::ready(Err::<(), _>(NotStored(err)))
        }));
        assert!(matches!(outcome, Err(NotStored(DbErr::ConnectionAcquire(_)))));
        assert_eq!(calls, attempts);
    }
}

#[test]
fn work_keeps_what_it_has_counted_and_reads_anew() {
    let clock = Manual::new();
    let mut stored = 1;
    let mut seen = Vec::new();
    let outcome = now(Policy::new().clock(&clock).retry_with(
        |fault: &Fault| *fault,
        || {
            let model = stored;
            seen.push(model);
            // Somebody else is faster twice.
            let is_stale = seen.len() < 3;
            stored += 1;
            std::future::ready(if is_stale { Err(Fault::Stale) } else { Ok(model) })
        },
    ));
    assert_eq!((outcome, seen), (Ok(3), vec![1, 2, 3]));
}
