//! Histories made by hand, in the form of [`line`](crate::line).

mod bad;
mod cycle;
mod good;
mod large;
mod line;
mod order;

use crate::{History, Key, Seen, Verdict, Version, Violation, check};

/// A history of rows that are all at version 1 at first, and in the end at these.
fn history(last: &[(Key, Version)], attempts: &str) -> History {
    History {
        first: last.iter().map(|(key, _)| (*key, Seen::at(1))).collect(),
        attempts: lines(attempts).map(|line| line.parse().unwrap()).collect(),
        last: last.iter().map(|(key, version)| (*key, Seen::at(*version))).collect(),
    }
}

fn judged(last: &[(Key, Version)], attempts: &str) -> Verdict {
    check(&history(last, attempts))
}

/// What is wrong with a history in which nothing else is.
fn only(verdict: Verdict) -> Violation {
    let [violation] = <[_; 1]>::try_from(verdict.violations).unwrap();
    violation
}

fn assert_clean(verdict: &Verdict) {
    assert!(verdict.is_clean(), "{verdict}");
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}
