//! A budget, counted from a list of all that happened.

use std::time::Duration;

use optlock::Budget;

/// Calls and retries of the last so many seconds count: whole ones, from the first call on.
const WINDOW: u64 = 10;

/// Retries a second, and a percentage of the calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) per_second: u32,
    pub(crate) percent: u32,
}

pub(crate) struct Ledger {
    conflicts: Allowance,
    infrastructure: Allowance,
    calls: Vec<Duration>,
    /// When, and whether the infrastructure was at fault.
    retries: Vec<(Duration, bool)>,
}

impl Ledger {
    pub(crate) fn new(conflicts: Allowance, infrastructure: Allowance) -> Self {
        Self {
            conflicts,
            infrastructure,
            calls: Vec::new(),
            retries: Vec::new(),
        }
    }

    /// The library's, with the same numbers.
    pub(crate) fn budget(&self) -> Budget {
        let Self {
            conflicts,
            infrastructure,
            ..
        } = self;
        Budget::new()
            .conflicts(conflicts.per_second, conflicts.percent)
            .infrastructure(infrastructure.per_second, infrastructure.percent)
    }

    pub(crate) fn called(&mut self, now: Duration) {
        self.calls.push(now);
    }

    pub(crate) fn retried(&mut self, now: Duration, is_infrastructure: bool) {
        self.retries.push((now, is_infrastructure));
    }

    /// Whether one more retry may be made.
    pub(crate) fn allows(&self, now: Duration, is_infrastructure: bool) -> bool {
        let Allowance { per_second, percent } = if is_infrastructure {
            self.infrastructure
        } else {
            self.conflicts
        };
        let origin = self.calls.first().copied().unwrap_or(now);
        let second = |time: Duration| (time - origin).as_secs();
        let counts = |time: Duration| second(time) + WINDOW > second(now);
        let calls = self.calls.iter().filter(|time| counts(**time)).count() as u64;
        let retries = self
            .retries
            .iter()
            .filter(|(time, of)| *of == is_infrastructure && counts(*time));
        let allowed = u64::from(per_second) * WINDOW + calls * u64::from(percent) / 100;
        (retries.count() as u64) < allowed
    }
}
