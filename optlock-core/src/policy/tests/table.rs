//! Each row of the table in the documentation of `Policy`.

use std::time::Duration;

use super::{Manual, calls};
use crate::backend::Fault;
use crate::backoff::Backoff;
use crate::policy::pace::{DEFAULTS, Group};
use crate::policy::{Policy, Report, Stop};

/// When a fault is answered by another attempt.
#[derive(Clone, Copy, PartialEq)]
enum Retried {
    Yes,
    IfIdempotent,
    IfNamed,
}

/// Faults, when they are retried, base and cap in milliseconds, and attempts.
type Row<F> = (F, Retried, u64, u64, Option<usize>);

const TABLE: &[Row<&[Fault]>] = &[
    (&[Fault::Stale], Retried::Yes, 2, 100, None),
    (&[Fault::Serialization], Retried::Yes, 5, 250, Some(8)),
    (&[Fault::Deadlock], Retried::Yes, 10, 500, Some(5)),
    (&[Fault::Busy], Retried::Yes, 5, 200, Some(5)),
    (
        &[Fault::ConnectionLost, Fault::OutcomeUnknown],
        Retried::IfIdempotent,
        50,
        2_000,
        Some(3),
    ),
    (&[Fault::Unavailable], Retried::Yes, 250, 5_000, None),
    (
        &[Fault::LockNotAvailable, Fault::LockTimeout],
        Retried::IfNamed,
        10,
        500,
        Some(3),
    ),
    (
        &[Fault::ReadOnly, Fault::PoolTimeout],
        Retried::IfNamed,
        250,
        5_000,
        None,
    ),
    (
        &[
            Fault::Blocked,
            Fault::OutOfLocks,
            Fault::Unique,
            Fault::ForeignKey,
            Fault::NotNull,
            Fault::Check,
            Fault::OutOfRange,
            Fault::Raised,
            Fault::Cancelled,
        ],
        Retried::IfNamed,
        5,
        200,
        Some(5),
    ),
];

const NEVER: [Fault; 3] = [Fault::Other, Fault::Unclassified, Fault::Aborted];

/// More than any fault has.
const MANY: u32 = 40;

fn delays(base: u64, cap: u64, fault: Fault) -> Backoff<'static> {
    let backoff = Backoff::full_jitter(Duration::from_millis(base), Duration::from_millis(cap));
    if fault == Fault::Stale {
        backoff.first_at_once()
    } else {
        backoff
    }
}

fn allowing(policy: Policy<'_>, fault: Fault, retried: Retried) -> Policy<'_> {
    match retried {
        Retried::Yes => policy,
        Retried::IfIdempotent => policy.idempotent(),
        Retried::IfNamed => policy.retry_on(fault),
    }
}

fn rows() -> impl Iterator<Item = Row<Fault>> {
    TABLE.iter().flat_map(|(faults, retried, base, cap, attempts)| {
        faults.iter().map(|fault| (*fault, *retried, *base, *cap, *attempts))
    })
}

#[test]
fn a_fault_is_retried_as_the_table_says() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new().clock(&clock).report(&report).without_deadline();
    for (fault, retried, ..) in rows() {
        let once = calls(policy, fault);
        let stop = report.stop();
        if retried == Retried::Yes {
            assert!(once > 1, "{fault:?}");
            assert_eq!(stop, Some(Stop::Attempts), "{fault:?}");
        } else {
            assert_eq!((once, stop), (1, Some(Stop::Fault)), "{fault:?}");
            assert!(calls(allowing(policy, fault, retried), fault) > 1, "{fault:?}");
            assert_eq!(report.stop(), Some(Stop::Attempts), "{fault:?}");
        }
    }
    for fault in NEVER {
        assert_eq!(calls(policy.idempotent(), fault), 1, "{fault:?}");
        assert_eq!(report.stop(), Some(Stop::Fault), "{fault:?}");
    }
}

#[test]
fn a_fault_has_the_attempts_of_the_table() {
    let clock = Manual::new();
    let policy = Policy::new().clock(&clock).without_deadline();
    let mut wrong = Vec::new();
    for (fault, retried, _, _, attempts) in rows() {
        let made = calls(allowing(policy, fault, retried), fault);
        if made != attempts.unwrap_or(10) {
            wrong.push((fault, made));
        }
    }
    assert_eq!(wrong, []);
    // A number of the caller's is for all of them, whether it is lower or higher.
    for (fault, retried, ..) in rows() {
        for said in [2, MANY] {
            let made = calls(allowing(policy.attempts(said), fault, retried), fault);
            assert_eq!(made, said as usize, "{fault:?}");
        }
    }
}

#[test]
fn a_fault_has_the_delays_of_the_table() {
    let clock = Manual::new();
    let mut wrong = Vec::new();
    for (fault, retried, base, cap, _) in rows() {
        let policy = Policy::new().clock(&clock).without_deadline().seed(7).attempts(MANY);
        let policy = allowing(policy, fault, retried);
        calls(policy, fault);
        let slept = clock.take_slept();
        assert!(!slept.is_empty(), "{fault:?}");
        calls(policy.backoff(delays(base, cap, fault)), fault);
        // No run of the default attempts is long enough to see all the caps, so the numbers themselves are looked at as well.
        let is_as_said =
            format!("{:?}", DEFAULTS[Group::of(fault) as usize].backoff) == format!("{:?}", delays(base, cap, fault));
        if slept != clock.take_slept() || !is_as_said {
            wrong.push(fault);
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn the_first_conflict_is_retried_at_once_and_the_second_is_not() {
    for seed in 0..20 {
        let clock = Manual::new();
        let policy = Policy::new().clock(&clock).seed(seed);
        assert_eq!(super::run(policy, &[Fault::Stale]), Ok(2));
        assert_eq!(clock.take_slept(), [Duration::ZERO; 0]);
        assert_eq!(super::run(policy, &[Fault::Stale; 2]), Ok(3));
        let slept = clock.take_slept();
        assert!(slept.len() == 1 && slept[0] <= Duration::from_millis(2), "{slept:?}");
        assert_eq!(super::run(policy, &[Fault::Deadlock]), Ok(2));
        assert_eq!(clock.take_slept().len(), 1, "a deadlock is not");
    }
}

#[test]
fn a_fault_that_is_to_stop_stops() {
    let clock = Manual::new();
    let report = Report::new();
    let policy = Policy::new().clock(&clock).report(&report);
    for fault in [Fault::Stale, Fault::Deadlock, Fault::Unavailable] {
        assert_eq!(calls(policy.stop_on(fault), fault), 1, "{fault:?}");
        assert_eq!(report.stop(), Some(Stop::Fault));
        // It stops for that one, and the last word counts.
        assert!(calls(policy.stop_on(fault), Fault::Serialization) > 1);
        assert!(calls(policy.stop_on(fault).retry_on(fault), fault) > 1);
        // To say what is so already changes nothing.
        assert!(calls(policy.retry_on(fault), fault) > 1);
        assert_eq!(calls(policy.stop_on(fault).stop_on(fault), fault), 1);
    }
    assert_eq!(
        calls(
            policy.idempotent().stop_on(Fault::OutcomeUnknown),
            Fault::OutcomeUnknown
        ),
        1
    );
}

#[test]
fn a_lost_connection_is_named_in_vain_where_doing_it_twice_may_harm() {
    let clock = Manual::new();
    let policy = Policy::new().clock(&clock);
    for fault in [Fault::ConnectionLost, Fault::OutcomeUnknown] {
        assert_eq!(calls(policy.retry_on(fault), fault), 1, "{fault:?}");
    }
}

#[test]
fn one_delay_for_all_leaves_the_attempts_of_each() {
    let clock = Manual::new();
    let policy = Policy::new()
        .clock(&clock)
        .backoff(Backoff::constant(Duration::from_millis(1)));
    assert_eq!(calls(policy, Fault::Deadlock), 5);
    assert_eq!(calls(policy, Fault::Serialization), 8);
    let patient = policy.backoff_on(Fault::Deadlock, Backoff::constant(Duration::from_millis(2)), 7);
    clock.take_slept();
    assert_eq!(calls(patient, Fault::Deadlock), 7);
    assert_eq!(clock.take_slept(), [Duration::from_millis(2); 6]);
    assert_eq!(calls(patient, Fault::Serialization), 8, "that was for deadlocks");
    // In either order.
    for policy in [
        patient.attempts(MANY),
        policy.attempts(MANY).backoff_on(Fault::Deadlock, Backoff::none(), 7),
    ] {
        assert_eq!(calls(policy, Fault::Deadlock), 7);
        assert_eq!(calls(policy, Fault::Serialization), MANY as usize);
    }
}

#[test]
fn what_says_nothing_cannot_be_named() {
    for fault in NEVER {
        let named = std::panic::catch_unwind(|| drop(format!("{:?}", Policy::new().retry_on(fault))));
        assert!(named.is_err(), "{fault:?}");
    }
}
