//! A clock that all processes of this machine share.

use std::sync::LazyLock;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Read once, so that a clock that is set meanwhile does not reorder what happens in one process.
static ORIGIN: LazyLock<(Instant, u64)> = LazyLock::new(|| {
    loop {
        let before = Instant::now();
        let nanos = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
        // Whoever was put aside between the two would have a clock that is late for good.
        if before.elapsed() < Duration::from_micros(100) {
            return (before, u64::try_from(nanos).unwrap_or(u64::MAX));
        }
    }
});

/// How far the clocks of two processes may be apart, in nanoseconds: each has read the machine's once.
pub(crate) const TOLERANCE: u64 = 2_000_000;

/// Nanoseconds.
pub(crate) fn now() -> u64 {
    let (origin, nanos) = *ORIGIN;
    nanos + u64::try_from(origin.elapsed().as_nanos()).unwrap_or_default()
}
