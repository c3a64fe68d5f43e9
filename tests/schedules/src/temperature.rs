//! Several threads that lose on one row.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sea_orm::sea_query::ValueTuple;
use shuttle::thread;

use crate::heat::Heat;

/// For how long a row stays hot.
const HOT: Duration = Duration::from_millis(250);

/// Whoever loses last says for how long the row is hot, in whatever order they say it.
pub fn the_last_loss_counts(threads: u32) {
    // The table is the same in all schedules: in each, it is later.
    static SCHEDULE: AtomicU32 = AtomicU32::new(0);

    let heat = Heat::of("row", &ValueTuple::One(1_i64.into()), 0);
    let start = Instant::now() + Duration::from_mins(1) * SCHEDULE.fetch_add(1, Ordering::Relaxed);
    let losses = (0..threads).map(|number| start + Duration::from_millis(10) * number);
    let last = losses.clone().max().unwrap();
    let losers: Vec<_> = losses.map(|now| thread::spawn(move || heat.lost(now, true))).collect();
    for loser in losers {
        loser.join().unwrap();
    }
    let cools = last + HOT;
    assert!(heat.is_hot(cools.checked_sub(Duration::from_millis(1)).unwrap()));
    assert!(!heat.is_hot(cools + Duration::from_millis(1)));
}
