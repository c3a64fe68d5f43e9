//! Histories as long as those of a long run.

use std::time::{Duration, Instant};

use super::assert_clean;
use crate::{Access, Attempt, History, Id, Key, Outcome, Seen, Version, Violation, check};

const ATTEMPTS: u64 = 100_000;

/// Two rows changed by each of many transactions, each of which has seen the one before.
fn long(keys: Key) -> History {
    let mut rows = vec![Seen::at(1); usize::try_from(keys).unwrap()];
    let first = (0..keys).map(|key| (key, Seen::at(1))).collect();
    let mut attempts = Vec::new();
    for number in 0..ATTEMPTS {
        let index = usize::try_from(number).unwrap();
        let mut accesses = Vec::new();
        for place in [index % rows.len(), (index * 7 + 1) % rows.len()] {
            let key = Key::try_from(place).unwrap();
            if accesses.iter().any(|access: &Access| access.key == key) {
                continue;
            }
            accesses.push(Access::changed(key, rows[place]));
            rows[place] = Seen::by(Id(number), rows[place].version + 1);
        }
        let outcome = if number % 10 == 0 {
            Outcome::Unknown
        } else {
            Outcome::Committed
        };
        attempts.push(Attempt {
            id: Id(number),
            start: number * 10,
            end: number * 10 + 15,
            outcome,
            accesses,
        });
    }
    History {
        first,
        attempts,
        last: (0..).zip(rows).collect(),
    }
}

/// Far more than it takes, also on a machine that has much else to do.
fn in_time(history: &History) -> crate::Verdict {
    let since = Instant::now();
    let verdict = check(history);
    println!("{:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    verdict
}

#[test]
fn a_long_history_takes_no_long_time() {
    for keys in [1, 8, 10_000] {
        let verdict = in_time(&long(keys));
        assert_clean(&verdict);
        assert_eq!(verdict.unknown_that_happened, 10_000);
    }
}

#[test]
fn nor_does_one_in_which_everything_is_wrong() {
    let mut history = long(8);
    for attempt in &mut history.attempts {
        for access in &mut attempt.accesses {
            // Nobody sees those of the last moments.
            let version: Version = access.read.unwrap().version;
            access.read = Some(Seen::at((version - 3).max(1)));
        }
    }
    assert!(in_time(&history).violations.len() > 100_000);
}

#[test]
fn a_long_cycle_is_found() {
    let count = Key::try_from(ATTEMPTS).unwrap();
    let attempt = |number: Key| Attempt {
        id: Id(number.unsigned_abs()),
        start: 0,
        end: 1,
        outcome: Outcome::Committed,
        accesses: vec![
            Access::read(number, Seen::at(1)),
            Access::changed((number + 1) % count, Seen::at(1)),
        ],
    };
    let history = History {
        first: (0..count).map(|key| (key, Seen::at(1))).collect(),
        attempts: (0..count).map(attempt).collect(),
        last: (0..count).map(|key| (key, Seen::at(2))).collect(),
    };
    let [Violation::Cycle(edges)] = &in_time(&history).violations[..] else {
        panic!("no cycle");
    };
    assert_eq!(edges.len(), 100_000);
}
