//! A bound on the retries of several policies together.

use std::time::Duration;

use super::{Manual, SECOND, calls, run};
use crate::backend::Fault;
use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::policy::{Policy, Report, Stop};

/// A policy that nothing but its budget stops.
fn endless<'a>(clock: &'a Manual, budget: &'a Budget) -> Policy<'a> {
    Policy::new()
        .clock(clock)
        .budget(budget)
        .without_deadline()
        .attempts(u32::MAX)
        .backoff(Backoff::none())
        .backoff_on(Fault::Deadlock, Backoff::none(), u32::MAX)
}

/// How many retries there were before the budget was empty.
fn retries(policy: Policy<'_>, fault: Fault) -> usize {
    let report = Report::new();
    let retries = calls(policy.report(&report), fault) - 1;
    assert_eq!(report.stop(), Some(Stop::Budget));
    retries
}

#[test]
fn two_policies_share_a_budget() {
    let clock = Manual::new();
    let budget = Budget::new().conflicts(1, 0);
    let (one, two) = (endless(&clock, &budget), endless(&clock, &budget).seed(1));
    assert_eq!(run(one, &[Fault::Stale; 4]), Ok(5));
    assert_eq!(retries(two, Fault::Deadlock), 6);
    assert_eq!(retries(one, Fault::Stale), 0);
    let other = Budget::new().conflicts(1, 0);
    assert_eq!(retries(one.budget(&other), Fault::Stale), 10);
}

#[test]
fn conflicts_and_infrastructure_are_apart() {
    let clock = Manual::new();
    let budget = Budget::new().conflicts(1, 0).infrastructure(2, 0);
    let policy = endless(&clock, &budget)
        .idempotent()
        .retry_on(Fault::LockTimeout)
        .retry_on(Fault::ReadOnly)
        .retry_on(Fault::PoolTimeout);
    assert_eq!(retries(policy, Fault::Stale), 10);
    for fault in [Fault::Serialization, Fault::Deadlock, Fault::Busy, Fault::LockTimeout] {
        assert_eq!(retries(policy, fault), 0, "{fault:?}");
    }
    assert_eq!(retries(policy, Fault::Unavailable), 20);
    for fault in [
        Fault::ConnectionLost,
        Fault::OutcomeUnknown,
        Fault::ReadOnly,
        Fault::PoolTimeout,
    ] {
        assert_eq!(retries(policy, fault), 0, "{fault:?}");
    }
}

#[test]
fn calls_pay_in_their_share() {
    let clock = Manual::new();
    let budget = Budget::new().conflicts(0, 50).infrastructure(0, 20);
    let policy = endless(&clock, &budget);
    for _ in 0..98 {
        assert_eq!(run(policy, &[]), Ok(1));
    }
    assert_eq!(retries(policy, Fault::Stale), 49, "this is the 99th call");
    assert_eq!(retries(policy, Fault::Unavailable), 20, "this is the 100th");
    assert_eq!(retries(policy, Fault::Stale), 1, "and the 101st leaves half a retry");
    // After ten seconds the calls are forgotten, and so are the retries.
    clock.advance(11 * SECOND);
    assert_eq!(retries(policy, Fault::Stale), 0);
}

#[test]
fn time_fills_it_again() {
    let clock = Manual::new();
    let budget = Budget::new().conflicts(1, 0);
    let policy = endless(&clock, &budget);
    assert_eq!(retries(policy, Fault::Stale), 10);
    clock.advance(Duration::from_millis(9_999));
    assert_eq!(retries(policy, Fault::Stale), 0);
    clock.advance(Duration::from_millis(1));
    assert_eq!(retries(policy, Fault::Stale), 10);
    // However long nobody wants anything: it is never more than full.
    clock.advance(10_000 * SECOND);
    assert_eq!(retries(policy, Fault::Stale), 10);
}

#[test]
fn nothing_is_an_amount() {
    let clock = Manual::new();
    let budget = Budget::new().conflicts(0, 0).infrastructure(0, 0);
    let policy = endless(&clock, &budget);
    assert_eq!(retries(policy, Fault::Stale), 0);
    assert_eq!(retries(policy, Fault::Unavailable), 0);
    assert_eq!(run(policy, &[]), Ok(1), "what succeeds needs none");
}

#[test]
fn a_large_amount_does_not_overflow() {
    let clock = Manual::new();
    let budget = Budget::new().conflicts(u32::MAX, u32::MAX);
    assert_eq!(run(endless(&clock, &budget), &[Fault::Stale; 100]), Ok(101));
}

#[test]
fn a_clock_that_steps_back_does_no_harm() {
    let (late, early) = (Manual::new(), Manual::new());
    let budget = Budget::new().conflicts(1, 0);
    late.advance(100 * SECOND);
    assert_eq!(run(endless(&late, &budget), &[Fault::Stale]), Ok(2));
    assert_eq!(retries(endless(&early, &budget), Fault::Stale), 9);
}

#[test]
fn a_retry_that_is_not_made_is_not_paid_for() {
    let clock = Manual::new();
    let budget = Budget::new().conflicts(1, 0);
    let policy = endless(&clock, &budget);
    let nothing = std::iter::empty();
    for _ in 0..20 {
        assert_eq!(calls(policy.attempts(1), Fault::Stale), 1);
        assert_eq!(calls(policy.stop_on(Fault::Stale), Fault::Stale), 1);
        let late = policy.deadline(SECOND).backoff(Backoff::constant(SECOND));
        assert_eq!(calls(late, Fault::Stale), 1);
        assert_eq!(calls(policy.backoff(Backoff::delays(&nothing)), Fault::Stale), 1);
    }
    assert_eq!(retries(policy, Fault::Stale), 10);
}

#[test]
fn the_default_is_the_documented_one() {
    let clock = Manual::new();
    let budget = Budget::default();
    let policy = endless(&clock, &budget);
    assert_eq!(retries(policy, Fault::Stale), 501, "50 a second, and one for this call");
    for _ in 0..3 {
        assert_eq!(run(policy, &[]), Ok(1));
    }
    assert_eq!(
        retries(policy, Fault::Unavailable),
        101,
        "10 a second, and one for five calls"
    );
}
