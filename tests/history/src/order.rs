//! What began after an outcome was known has seen it.

use std::collections::BTreeMap;

use crate::attempt::{Id, Key, Outcome, Version};
use crate::place::Rows;
use crate::violation::Violation;

/// At this time, somebody knew of this version, or began and then saw it.
#[derive(Clone, Copy)]
struct Point {
    time: u64,
    version: Version,
    by: Id,
}

#[derive(Default)]
struct Timeline {
    known: Vec<Point>,
    begun: Vec<Point>,
}

pub(crate) fn violations(rows: &Rows<'_>, tolerance: u64) -> Vec<Violation> {
    let mut timelines: BTreeMap<Key, Timeline> = BTreeMap::new();
    for attempt in rows.attempts {
        let by = attempt.id;
        for access in &attempt.accesses {
            let read = access
                .read
                .filter(|read| read.writer != Some(by))
                .map(|read| read.version);
            let wrote = access.wrote.filter(|_| attempt.outcome == Outcome::Committed);
            let timeline = timelines.entry(access.key).or_default();
            timeline.known.extend(read.max(wrote).map(|version| Point {
                time: attempt.end.saturating_add(tolerance),
                version,
                by,
            }));
            // A write without a look comes after the version before its own, which it waited for.
            let saw = read.or(wrote
                .and_then(|wrote| wrote.checked_sub(1))
                .filter(|_| access.read.is_none()));
            timeline.begun.extend(saw.map(|version| Point {
                time: attempt.start,
                version,
                by,
            }));
        }
    }
    let of_key = |(key, timeline)| out_of_order(key, timeline);
    timelines.into_iter().flat_map(of_key).collect()
}

fn out_of_order(key: Key, timeline: Timeline) -> Vec<Violation> {
    let Timeline { mut known, mut begun } = timeline;
    known.sort_by_key(|point| point.time);
    begun.sort_by_key(|point| point.time);
    let mut known = known.into_iter().peekable();
    let mut highest: Option<Point> = None;
    let mut violations = Vec::new();
    for later in begun {
        while let Some(point) = known.next_if(|point| point.time < later.time) {
            if highest.is_none_or(|highest| highest.version < point.version) {
                highest = Some(point);
            }
        }
        if let Some(earlier) = highest.filter(|earlier| later.version < earlier.version && later.by != earlier.by) {
            violations.push(Violation::OutOfOrder {
                key,
                earlier: earlier.by,
                version: earlier.version,
                ended: earlier.time,
                later: later.by,
                saw: later.version,
                started: later.time,
            });
        }
    }
    violations
}
