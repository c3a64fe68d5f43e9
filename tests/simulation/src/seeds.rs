//! Seeds, and what becomes of each.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use optlock_history::{History, Key, check};

use crate::client::client;
use crate::executor::Executor;
use crate::ledger::{Allowance, Ledger};
use crate::outcome::Outcome;
use crate::store::Store;
use crate::time::Time;
use crate::world::{Setup, World};

/// The rows that all clients want.
pub(crate) const KEYS: Key = 4;

/// The most clients.
const CLIENTS: usize = 6;

/// For how long a simulation may go on once nothing fails any more: the longest delay that can have been begun by then, the longest time that a client is idle, and
/// conflicts, of which each lets somebody else be done.
const BOUND: Duration = Duration::from_secs(20);

const MOST_STEPS: u64 = 200_000;

/// How many attempts somebody needs at most to whom nothing happens but conflicts: each is with the last operation of another client, with the one before that, or
/// with what was still on its way.
const LAST_ATTEMPTS: u32 = 20;

/// What every so many seeds meet.
const MET: [&str; 32] = [
    "dropped",
    "fault: busy",
    "fault: connection_lost",
    "fault: deadlock",
    "fault: lock_not_available",
    "fault: lock_timeout",
    "fault: other",
    "fault: outcome_unknown",
    "fault: pool_timeout",
    "fault: read_only",
    "fault: serialization",
    "fault: stale",
    "fault: unavailable",
    "fault: unique",
    "jitter: above nine tenths",
    "jitter: below a tenth",
    "redone after connection_lost",
    "redone after outcome_unknown",
    "operations",
    "attempts",
    "stop: Attempts",
    "stop: Budget",
    "stop: Deadline",
    "stop: Delays",
    "stop: Fault",
    "stop: NoTimer",
    "succeeded at once",
    "succeeded in the end",
    "unknown, and done",
    "unknown, and not done",
    "late, and done",
    "seconds",
];

fn simulate(seed: u64, checks_versions: bool, is_verbose: bool) -> Outcome {
    let mut random = Rng::with_seed(seed);
    let time = Time::new();
    let mut executor = Executor::new(&time, random.u64(..));
    let world = Arc::new(World::new(Setup {
        time,
        spawner: executor.spawner(),
        store: Store::new(KEYS, checks_versions),
        ledgers: (0..2).map(|_| ledger(&mut random)).collect(),
        random: random.fork(),
        is_verbose,
    }));
    let first = world.store.lock().unwrap().rows();
    for number in 0..random.usize(1..=CLIENTS) {
        let work = client(Arc::clone(&world), number, random.fork(), LAST_ATTEMPTS);
        world.spawner.spawn(work);
    }
    if let Err(stuck) = executor.run(MOST_STEPS) {
        world.violated(format!("not everybody comes to an end: {stuck}"));
    }
    let late = world.time.now().saturating_sub(world.weather.lock().unwrap().ends);
    if late > BOUND {
        world.violated(format!("the last one was done {late:?} after the faults had stopped"));
    }
    let mut outcome = std::mem::take(&mut *world.outcome.lock().unwrap());
    let store = world.store.lock().unwrap();
    outcome.meet("seconds", world.time.now().as_secs());
    for operation in outcome.operations.clone() {
        let done = store.doers(operation).len();
        if done > 1 {
            outcome
                .violations
                .push(format!("operation {operation} was done {done} times in the end"));
        }
    }
    outcome.history = History {
        first,
        attempts: std::mem::take(&mut *world.attempts.lock().unwrap()),
        last: store.rows(),
    };
    let verdict = check(&outcome.history);
    outcome.judged(&verdict);
    outcome
}

fn ledger(random: &mut Rng) -> Ledger {
    let mut allowance = || Allowance {
        per_second: random.u32(..3),
        percent: random.u32(..150),
    };
    Ledger::new(allowance(), allowance())
}

/// What a seed violates, also by a panic.
fn violations(seed: u64, is_verbose: bool) -> Result<Outcome, Vec<String>> {
    match catch_unwind(AssertUnwindSafe(|| simulate(seed, true, is_verbose))) {
        Ok(outcome) if outcome.violations.is_empty() => Ok(outcome),
        Ok(outcome) => Err(outcome.violations),
        Err(_) => Err(vec!["a panic, see above".to_owned()]),
    }
}

fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}

#[test]
fn every_seed_keeps_every_promise() {
    const MOST: usize = 5;

    let only = number_in("OPTLOCK_SEED");
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None => 0..number_in("OPTLOCK_SEEDS").unwrap_or(500),
    };
    let count = seeds.end - seeds.start;
    let (mut failed, mut met) = (Vec::new(), BTreeMap::<String, u64>::new());
    for seed in seeds {
        match violations(seed, only.is_some()) {
            Ok(outcome) => {
                for (what, times) in outcome.met {
                    *met.entry(what).or_default() += times;
                }
            }
            Err(violations) => failed.push((seed, violations)),
        }
    }
    for (seed, violations) in failed.iter().take(MOST) {
        println!(
            "seed {seed}, again by: OPTLOCK_SEED={seed} cargo test -p optlock-simulation every_seed -- --nocapture"
        );
        for violation in violations.iter().take(MOST) {
            println!("  {violation}");
        }
    }
    assert!(failed.is_empty(), "{} of {count} seeds failed", failed.len());
    println!("{count} seeds: {met:#?}");
    if count >= 500 {
        for what in MET {
            assert!(met.get(what).is_some_and(|times| *times > 0), "never met: {what}");
        }
    }
}

#[test]
fn a_seed_shows_the_same_again() {
    for seed in 0..20 {
        assert_eq!(simulate(seed, true, false), simulate(seed, true, false), "seed {seed}");
    }
}

#[test]
fn a_store_that_checks_no_versions_is_found_out() {
    let is_found = |seed: &u64| {
        let outcome = simulate(*seed, false, false);
        outcome
            .violations
            .iter()
            .any(|violation| violation.starts_with("lost update"))
    };
    let found = (0..50).filter(is_found).count();
    assert!(found > 25, "{found} of 50");
}
