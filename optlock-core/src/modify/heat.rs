//! Which rows have so many writers that it is faster to wait than to lose.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sea_orm::sea_query::ValueTuple;

use crate::sync::{AtomicU64, Ordering};

/// How long a row stays hot after its last contention was seen.
const HOT: Duration = Duration::from_millis(250);
/// For how much longer a single conflict makes it hot again.
const WARM: Duration = Duration::from_secs(2);

/// Places in the table. Rows that share one share their heat, which costs one of them some speed and nothing else.
const PLACES: usize = 1024;

/// Up to when the rows of each place are hot, in milliseconds from [`origin`]; 0 is never.
static TABLE: [AtomicU64; PLACES] = [const { AtomicU64::new(0) }; PLACES];

/// The heat of one row, in this process.
///
/// A handful of writers are fastest when each tries, and the loser tries again with the row that won. With many more, most rounds are lost, and
/// each of them costs the winner time. So the writers that come while a row is hot queue up for its lock from the start.
#[derive(Clone, Copy)]
pub(super) struct Heat(&'static AtomicU64);

impl Heat {
    /// Each clock has places of its own: the times of two are no use to each other.
    pub(super) fn of(table: &str, key: &ValueTuple, clock: usize) -> Self {
        let mut hasher = DefaultHasher::new();
        (table, key, clock).hash(&mut hasher);
        // The remainder is below the length of the array.
        #[allow(clippy::cast_possible_truncation)]
        let place = (hasher.finish() % PLACES as u64) as usize;
        Self(&TABLE[place])
    }

    pub(super) fn is_hot(self, now: Instant) -> bool {
        since_origin(now) < self.0.load(Ordering::Relaxed)
    }

    /// A round was lost, and this is the caller's n-th in a row of those that it puts up with.
    pub(super) fn lost(self, now: Instant, has_lost_enough: bool) {
        let now = since_origin(now);
        let until = self.0.load(Ordering::Relaxed);
        let is_warm = until != 0 && now < until + millis(WARM);
        if has_lost_enough || is_warm {
            self.0.fetch_max(now + millis(HOT), Ordering::Relaxed);
        }
    }
}

fn since_origin(now: Instant) -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();

    millis(now.saturating_duration_since(*ORIGIN.get_or_init(|| now)))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat(key: i64) -> Heat {
        Heat::of("heat_test", &ValueTuple::One(key.into()), 0)
    }

    #[test]
    fn a_row_is_hot_for_a_while_and_soon_again() {
        let row = heat(1);
        let start = Instant::now() + Duration::from_secs(1);
        row.lost(start, false);
        assert!(!row.is_hot(start), "one conflict is nothing");
        row.lost(start, true);
        assert!(row.is_hot(start));
        assert!(!row.is_hot(start + HOT), "it cools down");
        let warm = start + HOT + WARM / 2;
        row.lost(warm, false);
        assert!(row.is_hot(warm), "one conflict is enough while it is warm");
        let cold = warm + HOT + WARM;
        row.lost(cold, false);
        assert!(!row.is_hot(cold));
    }

    #[test]
    fn another_row_stays_cold() {
        let now = Instant::now();
        heat(2).lost(now, true);
        // Two of a hundred may share a place, but not all with the first.
        assert!((3..100).any(|key| !heat(key).is_hot(now)));
    }
}
