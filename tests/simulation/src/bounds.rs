//! Between what a delay may be, by its documentation.

use std::time::Duration;

use crate::table::{Pace, Shape};

/// The delays after faults of one kind in one run.
pub(crate) struct Bounds {
    pace: Pace,
    failures: u32,
    last: Option<Duration>,
}

impl Bounds {
    pub(crate) fn of(pace: Pace) -> Self {
        Self {
            pace,
            failures: 0,
            last: None,
        }
    }

    /// How many failures were answered by another attempt.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The least and the most of the next delay; `None` if there is none.
    pub(crate) fn next(&self) -> Option<(Duration, Duration)> {
        let exactly = |delay| Some((delay, delay));
        let mut n = self.failures;
        if self.pace.first_at_once {
            let Some(after_first) = n.checked_sub(1) else {
                return exactly(Duration::ZERO);
            };
            n = after_first;
        }
        match self.pace.shape {
            Shape::None => exactly(Duration::ZERO),
            Shape::Constant(delay) => exactly(delay),
            Shape::List(delays) => exactly(*delays.get(n as usize)?),
            Shape::Exponential(base, cap) => exactly(doubled(base, cap, n)),
            Shape::Full(base, cap) => Some((Duration::ZERO, doubled(base, cap, n))),
            Shape::Equal(base, cap) => Some((doubled(base, cap, n) / 2, doubled(base, cap, n))),
            Shape::Decorrelated(base, cap) => Some((base, cap.min(self.last.unwrap_or(base) * 3))),
        }
    }

    pub(crate) fn used(&mut self, delay: Duration) {
        // Of a first delay that is none, the next one knows nothing.
        if !(self.pace.first_at_once && self.failures == 0) {
            self.last = Some(delay);
        }
        self.failures += 1;
    }
}

fn doubled(base: Duration, cap: Duration, times: u32) -> Duration {
    (0..times).fold(base, |delay, _| (delay * 2).min(cap)).min(cap)
}
