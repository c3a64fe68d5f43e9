//! One run of a policy: from the first attempt to the end.

use std::time::{Duration, Instant};

use super::pace::Group;
use super::report::{Retry, Stop, Summary};
use super::{DEFAULT_ATTEMPTS, Policy};
use crate::backend::{Fault, Redo};
use crate::backoff::Pacer;
use crate::clock::Sleep;
use crate::random::Random;

/// Whether an attempt that failed may be repeated, if the policy agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// What it did is known to be undone, or to be nothing.
    Known,
    /// It may have been done.
    Unknown,
    /// It was done, and what came after it has failed.
    Done,
}

impl Undone {
    /// What a fault alone says.
    pub(crate) fn by(fault: Fault) -> Self {
        match fault.redo() {
            Redo::Unknown => Self::Unknown,
            Redo::Statement | Redo::Transaction | Redo::Never => Self::Known,
        }
    }
}

pub(crate) struct Run<'a> {
    policy: Policy<'a>,
    started: Instant,
    attempts: u32,
    pacers: [Pacer<'a>; Group::COUNT],
    random: Random,
    fault: Option<Fault>,
    /// The time up to the end of the last attempt that has ended.
    spent: Duration,
}

impl<'a> Run<'a> {
    pub(crate) fn start(policy: &Policy<'a>) -> Self {
        let policy = *policy;
        let started = policy.clock.now();
        if let Some(budget) = policy.budget {
            budget.deposit(started);
        }
        let run = Self {
            policy,
            started,
            attempts: 0,
            pacers: policy.paces.map(|pace| Pacer::new(pace.backoff)),
            random: policy.seed.map_or_else(Random::new, Random::with_seed),
            fault: None,
            spent: Duration::ZERO,
        };
        run.tell(None);
        run
    }

    /// Begins an attempt: 1 for the first.
    fn begin(&mut self) -> u32 {
        self.attempts += 1;
        self.tell(None);
        self.attempts
    }

    /// Begins an attempt, and the span of what happens in it.
    pub(crate) fn begin_in_span(&mut self) -> tracing::Span {
        let attempt = self.begin();
        tracing::debug_span!("optlock.attempt", attempt)
    }

    /// The time, by the policy's clock.
    pub(crate) fn now(&self) -> Instant {
        self.policy.clock.now()
    }

    pub(crate) fn succeeded(&mut self) {
        self.spent = self.elapsed();
        self.tell(None);
        if self.attempts > 1 {
            tracing::debug!(attempts = self.attempts, elapsed = ?self.spent, "succeeded in the end");
        }
    }

    /// Waits until the next attempt may begin, or says why there is none.
    ///
    /// Dropping the future leaves nothing behind.
    pub(crate) async fn failed(&mut self, fault: Fault, undone: Undone) -> Result<(), Stop> {
        if let Some(sleep) = self.pause(fault, undone)? {
            sleep.await;
        }
        Ok(())
    }

    /// The same for somebody who has something to give up before the wait, if there is one.
    pub(crate) fn pause(&mut self, fault: Fault, undone: Undone) -> Result<Option<Sleep>, Stop> {
        self.fault = Some(fault);
        self.spent = self.elapsed();
        self.decide(fault, undone).map_err(|stop| self.gave_up(fault, stop))
    }

    /// Whether the next attempt may still begin after something else than a delay was waited for.
    pub(crate) fn in_time(&self, fault: Fault) -> Result<(), Stop> {
        match self.policy.deadline {
            Some(deadline) if self.elapsed() >= deadline => Err(self.gave_up(fault, Stop::Deadline)),
            _ => Ok(()),
        }
    }

    fn gave_up(&self, fault: Fault, stop: Stop) -> Stop {
        self.tell(Some(stop));
        // A refusal of the work's own is nothing to tell.
        if stop != Stop::Fault || self.attempts > 1 {
            tracing::debug!(
                attempts = self.attempts,
                %fault,
                ?stop,
                elapsed = ?self.spent,
                "gave up"
            );
        }
        stop
    }

    /// The wait for the next attempt, if there is one and it is not at once. Does not wait.
    fn decide(&mut self, fault: Fault, undone: Undone) -> Result<Option<Sleep>, Stop> {
        let policy = self.policy;
        let may_repeat = match undone {
            Undone::Known => true,
            Undone::Unknown => policy.is_idempotent,
            Undone::Done => false,
        };
        if !policy.retried.has(fault) || !may_repeat {
            return Err(Stop::Fault);
        }
        let group = Group::of(fault);
        let pacer = &mut self.pacers[group as usize];
        // Those for all faults, and those that may fail in this way.
        let attempts = policy.limit(group);
        if self.attempts >= policy.attempts.unwrap_or(DEFAULT_ATTEMPTS)
            || pacer.failures().saturating_add(1) >= attempts
        {
            return Err(Stop::Attempts);
        }
        let delay = pacer.next(&mut self.random).ok_or(Stop::Delays)?;
        let now = policy.clock.now();
        let elapsed = now.saturating_duration_since(self.started);
        if policy
            .deadline
            .is_some_and(|deadline| elapsed.saturating_add(delay) >= deadline)
        {
            return Err(Stop::Deadline);
        }
        let sleep = if delay.is_zero() {
            None
        } else {
            Some(policy.clock.sleep(delay).ok_or(Stop::NoTimer)?)
        };
        // Last, so that nothing is taken out for an attempt that is not made.
        if policy
            .budget
            .is_some_and(|budget| !budget.withdraw(group.account(), now))
        {
            return Err(Stop::Budget);
        }
        let retry = Retry {
            attempt: self.attempts,
            delay,
            fault,
            elapsed,
        };
        tracing::debug!(attempt = retry.attempt, %fault, ?delay, ?elapsed, "retries");
        self.tell(None);
        if let Some(hook) = policy.on_retry {
            hook(&retry);
        }
        Ok(sleep)
    }

    fn elapsed(&self) -> Duration {
        self.now().saturating_duration_since(self.started)
    }

    fn tell(&self, stop: Option<Stop>) {
        if let Some(report) = self.policy.report {
            report.set(Summary {
                attempts: self.attempts,
                elapsed: self.spent,
                fault: self.fault,
                stop,
            });
        }
    }
}
