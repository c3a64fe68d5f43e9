//! When to try again, and when to stop.

mod modify;
mod pace;
mod report;
mod run;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use sea_orm::{AccessMode, IsolationLevel};

pub use report::{Report, Retry, Stop};

pub(crate) use modify::Queueing;
pub(crate) use run::{Run, Undone};

use pace::{DEFAULTS, Faults, Group, Limit, Pace};

use crate::backend::Fault;
use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::clock::{Clock, TOKIO_CLOCK};
use crate::invalid_policy::InvalidPolicy;

/// How many attempts there are if the caller does not say.
const DEFAULT_ATTEMPTS: u32 = 10;

/// When to try again after a failure, how soon, and when to stop. `Copy`, and made in a `const`:
///
/// ```
/// use std::time::Duration;
///
/// use optlock::Policy;
///
/// const CHECKOUT: Policy = Policy::new().attempts(8).deadline(Duration::from_secs(2));
/// # let _ = CHECKOUT;
/// ```
///
/// [`retry`](Self::retry) repeats any call, [`transaction`](Self::transaction) a whole transaction that it begins and ends itself,
/// [`modify`](Self::modify) and its siblings the change of a row. [`retry`](crate::retry()), [`transaction`](crate::transaction()) and
/// [`Modify`](crate::Modify) do the same with the default policy.
///
/// # Defaults
///
/// At most 10 attempts within 2 seconds, and what follows. A delay is anything from zero to a limit that doubles from `base` to
/// `cap`. The last column is how many attempts may fail in this way; – means that only the policy's own number counts, as it does for all once
/// [`attempts`](Self::attempts) is said.
///
/// | after | retried | base, cap | attempts |
/// | --- | --- | --- | --- |
/// | [`Stale`](Fault::Stale) | yes, at once the first time | 2 ms, 100 ms | – |
/// | [`Serialization`](Fault::Serialization) | yes | 5 ms, 250 ms | 8 |
/// | [`Deadlock`](Fault::Deadlock) | yes | 10 ms, 500 ms | 5 |
/// | [`Busy`](Fault::Busy) | yes | 5 ms, 200 ms | 5 |
/// | [`ConnectionLost`](Fault::ConnectionLost) | in a transaction, before its commit was sent; else only if [`idempotent`](Self::idempotent) | 50 ms, 2 s | 3 |
/// | [`OutcomeUnknown`](Fault::OutcomeUnknown) | only if [`idempotent`](Self::idempotent) | 50 ms, 2 s | 3 |
/// | [`Unavailable`](Fault::Unavailable) | yes | 250 ms, 5 s | – |
/// | [`LockNotAvailable`](Fault::LockNotAvailable), [`LockTimeout`](Fault::LockTimeout) | with [`retry_on`](Self::retry_on): their time has been waited already | 10 ms, 500 ms | 3 |
/// | [`ReadOnly`](Fault::ReadOnly) | with [`retry_on`](Self::retry_on), where a failover makes it pass | 250 ms, 5 s | – |
/// | [`PoolTimeout`](Fault::PoolTimeout) | with [`retry_on`](Self::retry_on): a pool without connections is overload, or a server that cannot be reached | 250 ms, 5 s | – |
/// | what else the caller names | with [`retry_on`](Self::retry_on) | 5 ms, 200 ms | 5 |
/// | [`Other`](Fault::Other), [`Unclassified`](Fault::Unclassified), [`Aborted`](Fault::Aborted) | never | – | – |
///
/// A policy is `Policy<'a>` because it borrows what it shares with others: a [`Budget`], a [`Report`], a hook, a [`Clock`]. In a
/// `const` that is `'static`, and need not be written.
#[derive(Clone, Copy)]
#[must_use = "a policy does nothing until it runs something"]
pub struct Policy<'a> {
    /// `None` for the default.
    attempts: Option<u32>,
    deadline: Option<Duration>,
    paces: [Pace<'a>; Group::COUNT],
    retried: Faults,
    is_idempotent: bool,
    budget: Option<&'a Budget>,
    report: Option<&'a Report>,
    on_retry: Option<&'a (dyn Fn(&Retry) + Send + Sync)>,
    clock: &'a dyn Clock,
    seed: Option<u64>,
    isolation_level: Option<IsolationLevel>,
    access_mode: Option<AccessMode>,
    lost_rounds: Option<u32>,
    lock_wait: Option<Duration>,
    queueing: Queueing,
}

impl<'a> Policy<'a> {
    /// The default policy.
    pub const fn new() -> Self {
        Self {
            attempts: None,
            deadline: Some(Duration::from_secs(2)),
            paces: DEFAULTS,
            retried: Faults::of(&[
                Fault::Stale,
                Fault::Serialization,
                Fault::Deadlock,
                Fault::Busy,
                Fault::ConnectionLost,
                Fault::OutcomeUnknown,
                Fault::Unavailable,
            ]),
            is_idempotent: false,
            budget: None,
            report: None,
            on_retry: None,
            clock: &TOKIO_CLOCK,
            seed: None,
            isolation_level: None,
            access_mode: None,
            lost_rounds: Some(3),
            lock_wait: None,
            queueing: Queueing::Queue,
        }
    }

    /// How many attempts there are at most, the first one included, whatever they fail with: in place of all numbers in the table above. A number that is said
    /// by [`backoff_on`](Self::backoff_on) stays.
    ///
    /// # Panics
    ///
    /// If it is zero. In a `const` that is a compile error; [`try_attempts`](Self::try_attempts) is for a number that comes from a
    /// configuration.
    pub const fn attempts(mut self, attempts: u32) -> Self {
        assert!(attempts > 0, "a policy needs at least one attempt");
        self.attempts = Some(attempts);
        self
    }

    /// [`attempts`](Self::attempts) for a number that is not known before run time.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy::NoAttempts`].
    pub const fn try_attempts(self, attempts: u32) -> Result<Self, InvalidPolicy> {
        if attempts == 0 {
            return Err(InvalidPolicy::NoAttempts);
        }
        Ok(self.attempts(attempts))
    }

    /// The time, from the beginning of the first attempt on, within which another one may begin. No delay passes it. An
    /// attempt that is under way is not cut short: put a timeout around the whole for that.
    ///
    /// # Panics
    ///
    /// If it is zero. In a `const` that is a compile error; [`try_deadline`](Self::try_deadline) is for a time that comes from a
    /// configuration.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        assert!(
            !deadline.is_zero(),
            "a deadline of zero leaves no time for a second attempt"
        );
        self.deadline = Some(deadline);
        self
    }

    /// [`deadline`](Self::deadline) for a time that is not known before run time.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy::NoTime`].
    pub const fn try_deadline(self, deadline: Duration) -> Result<Self, InvalidPolicy> {
        if deadline.is_zero() {
            return Err(InvalidPolicy::NoTime);
        }
        Ok(self.deadline(deadline))
    }

    /// No bound on the time but the one that the attempts and their delays make.
    pub const fn without_deadline(mut self) -> Self {
        self.deadline = None;
        self
    }

    /// The delays after every fault, in place of those in the table.
    pub const fn backoff(mut self, backoff: Backoff<'a>) -> Self {
        let mut i = 0;
        while i < self.paces.len() {
            self.paces[i].backoff = backoff;
            i += 1;
        }
        self
    }

    /// The delays after one fault, and how many attempts may fail with it. `Unavailable`, `ReadOnly` and `PoolTimeout` are one in this, and so are
    /// `ConnectionLost` and `OutcomeUnknown`, `LockNotAvailable` and `LockTimeout`, and all that have no row of their own with `Busy`. It does
    /// not say that the fault is retried: [`retry_on`](Self::retry_on) does.
    ///
    /// # Panics
    ///
    /// If `attempts` is zero. In a `const` that is a compile error.
    pub const fn backoff_on(mut self, fault: Fault, backoff: Backoff<'a>, attempts: u32) -> Self {
        assert!(attempts > 0, "a policy needs at least one attempt");
        self.paces[Group::of(fault) as usize] = Pace {
            backoff,
            attempts: Limit::Said(attempts),
        };
        self
    }

    /// Tries again after this fault, too.
    ///
    /// # Panics
    ///
    /// For [`Other`](Fault::Other), [`Unclassified`](Fault::Unclassified) and [`Aborted`](Fault::Aborted), which say nothing about what would
    /// help. In a `const` that is a compile error.
    pub const fn retry_on(mut self, fault: Fault) -> Self {
        assert!(
            !matches!(fault, Fault::Other | Fault::Unclassified | Fault::Aborted),
            "this fault says nothing about whether another attempt would help"
        );
        self.retried = self.retried.with(fault);
        self
    }

    /// Does not try again after this fault.
    pub const fn stop_on(mut self, fault: Fault) -> Self {
        self.retried = self.retried.without(fault);
        self
    }

    /// Says that doing the work twice does no harm, so that it is also repeated when nobody knows whether it was done: after a
    /// connection that was lost outside of a transaction, and after a lost answer to a commit.
    pub const fn idempotent(mut self) -> Self {
        self.is_idempotent = true;
        self
    }

    /// Shares a bound on the retries with all policies that name the same budget.
    pub const fn budget(mut self, budget: &'a Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Keeps count in a report. One report is for one run at a time.
    pub const fn report(mut self, report: &'a Report) -> Self {
        self.report = Some(report);
        self
    }

    /// Calls a function ahead of every delay, for metrics.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// use optlock::Policy;
    ///
    /// static RETRIES: AtomicU64 = AtomicU64::new(0);
    /// const CHECKOUT: Policy = Policy::new().on_retry(&|_| {
    ///     RETRIES.fetch_add(1, Ordering::Relaxed);
    /// });
    /// # let _ = CHECKOUT;
    /// ```
    pub const fn on_retry(mut self, hook: &'a (dyn Fn(&Retry) + Send + Sync)) -> Self {
        self.on_retry = Some(hook);
        self
    }

    /// Takes the time from this clock, and waits with it.
    pub const fn clock(mut self, clock: &'a dyn Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the jitter the same in every run, for tests. Rivals who share a seed do not get out of each other's way.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The isolation level of the transactions that the policy begins: those of [`transaction`](Self::transaction), of [`modify_all`](Self::modify_all), and of a
    /// [`modify`](Self::modify) that locks its row. SQLite has only the strictest, which it uses for any.
    pub const fn isolation(mut self, level: IsolationLevel) -> Self {
        self.isolation_level = Some(level);
        self
    }

    /// Whether the transactions that the policy begins may write. [`Error::Unsupported`](crate::Error::Unsupported) for a transaction that may
    /// not on SQLite, which would let it.
    pub const fn access_mode(mut self, mode: AccessMode) -> Self {
        self.access_mode = Some(mode);
        self
    }

    /// How many attempts there may be when one has failed in a way of this group.
    const fn limit(&self, group: Group) -> u32 {
        let all = match self.attempts {
            Some(attempts) => attempts,
            None => DEFAULT_ATTEMPTS,
        };
        match (self.paces[group as usize].attempts, self.attempts) {
            (Limit::Said(attempts), _) | (Limit::Default(attempts), None) if attempts < all => attempts,
            _ => all,
        }
    }

    pub(crate) const fn options(&self) -> (Option<IsolationLevel>, Option<AccessMode>) {
        (self.isolation_level, self.access_mode)
    }

    /// Tells one clock from another.
    pub(crate) fn clock_id(&self) -> usize {
        let clock = std::ptr::from_ref(self.clock).addr();
        // The same in every process.
        if clock == std::ptr::from_ref(&TOKIO_CLOCK).addr() {
            0
        } else {
            clock
        }
    }
}

impl Default for Policy<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Policy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("attempts", &self.attempts)
            .field("deadline", &self.deadline)
            .field("is_idempotent", &self.is_idempotent)
            .field("isolation_level", &self.isolation_level)
            .field("access_mode", &self.access_mode)
            .field("lock_after", &self.lost_rounds)
            .field("queueing", &self.queueing)
            .finish_non_exhaustive()
    }
}
