//! One run of a policy: from the first attempt to the end.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::Policy;
use super::pace::Group;
use super::report::{Retry, Stop, Summary};
use crate::backend::Fault;
use crate::backoff::Pacer;

/// Whether an attempt that failed may be repeated, if the policy agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// What it did is known to be undone, or to be nothing.
    Known,
    /// It may have been done.
    Unknown,
}

pub(crate) struct Run<'a> {
    policy: Policy<'a>,
    started: Instant,
    attempts: u32,
    pacers: [Pacer<'a>; Group::COUNT],
    random: Rng,
    fault: Option<Fault>,
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
            random: policy.seed.map_or_else(Rng::new, Rng::with_seed),
            fault: None,
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

    pub(crate) fn succeeded(&self) {
        self.tell(None);
        if self.attempts > 1 {
            tracing::debug!(attempts = self.attempts, elapsed = ?self.elapsed(), "succeeded in the end");
        }
    }

    /// Waits until the next attempt may begin, or says why there is none.
    ///
    /// Dropping the future leaves nothing behind.
    pub(crate) async fn failed(&mut self, fault: Fault, undone: Undone) -> Result<(), Stop> {
        self.fault = Some(fault);
        let wait = match self.decide(fault, undone) {
            Ok(delay) if delay.is_zero() => Ok(None),
            Ok(delay) => self.policy.clock.sleep(delay).map(Some).ok_or(Stop::NoTimer),
            Err(stop) => Err(stop),
        };
        match wait {
            Ok(sleep) => {
                if let Some(sleep) = sleep {
                    sleep.await;
                }
                Ok(())
            }
            Err(stop) => {
                self.tell(Some(stop));
                // A refusal of the work's own is nothing to tell.
                if stop != Stop::Fault || self.attempts > 1 {
                    tracing::debug!(
                        attempts = self.attempts,
                        ?fault,
                        ?stop,
                        elapsed = ?self.elapsed(),
                        "gave up"
                    );
                }
                Err(stop)
            }
        }
    }

    /// The delay before the next attempt. Does not wait.
    fn decide(&mut self, fault: Fault, undone: Undone) -> Result<Duration, Stop> {
        let policy = self.policy;
        if !policy.retried.has(fault) || (undone == Undone::Unknown && !policy.is_idempotent) {
            return Err(Stop::Fault);
        }
        let group = Group::of(fault);
        let pacer = &mut self.pacers[group as usize];
        if self.attempts >= policy.attempts
            || pacer.failures().saturating_add(1) >= policy.paces[group as usize].attempts
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
        tracing::debug!(attempt = retry.attempt, ?fault, ?delay, ?elapsed, "retries");
        self.tell(None);
        if let Some(hook) = policy.on_retry {
            hook(&retry);
        }
        Ok(delay)
    }

    fn elapsed(&self) -> Duration {
        self.now().saturating_duration_since(self.started)
    }

    fn tell(&self, stop: Option<Stop>) {
        if let Some(report) = self.policy.report {
            report.set(Summary {
                attempts: self.attempts,
                elapsed: self.elapsed(),
                fault: self.fault,
                stop,
            });
        }
    }
}
