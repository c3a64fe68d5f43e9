//! All schedules where there are few enough, and many by chance elsewhere. A schedule that fails is printed, with what runs it again.

use std::sync::{Mutex, PoisonError};

use optlock_schedules::{lines, retries, temperature};
use shuttle::{check_dfs, check_pct, check_random};

/// Enough to find each of the `saboteurs`.
const SOME: usize = 500;

/// At so many points a thread must be interrupted for a race to be seen.
const DEPTH: usize = 3;

fn all(scenario: fn()) {
    check_dfs(scenario, None);
}

fn many(scenario: fn()) {
    check_random(scenario, SOME);
    check_pct(scenario, SOME, DEPTH);
}

/// The queues are one for all of a process, and Shuttle's schedules are each of one thread.
fn many_in_line(scenario: fn()) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    many(scenario);
}

#[test]
fn no_retry_is_granted_twice() {
    all(|| retries::no_retry_is_granted_twice(2));
    many(|| retries::no_retry_is_granted_twice(4));
}

#[test]
fn no_call_is_forgotten() {
    all(|| retries::no_call_is_forgotten(2));
    many(|| retries::no_call_is_forgotten(4));
}

#[test]
fn the_last_loss_counts() {
    all(|| temperature::the_last_loss_counts(2));
    many(|| temperature::the_last_loss_counts(4));
}

#[test]
fn one_has_the_turn() {
    many_in_line(lines::one_has_the_turn);
}

#[test]
fn what_is_left_is_found() {
    many_in_line(lines::what_is_left_is_found);
}

#[test]
fn who_gives_up_leaves_no_gap() {
    many_in_line(lines::who_gives_up_leaves_no_gap);
}

#[test]
fn a_queue_that_stands_still_is_left() {
    many_in_line(lines::a_queue_that_stands_still_is_left);
}
