//! A policy that chance has put together, in the library's words and in ours.

use std::time::Duration;

use fastrand::Rng;
use optlock::{Backoff, Budget, Clock, Fault, Policy, Report, Retry};

use crate::table::{DEFAULT_ATTEMPTS, DEFAULT_DEADLINE, KINDS, Limit, OF_EACH_KIND, ON_REQUEST, Pace, RETRIED, Shape};
use crate::table::{defaults, kind};

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) attempts: Option<u32>,
    pub(crate) deadline: Option<Duration>,
    /// In place of those in the table.
    shape: Option<(Shape, bool)>,
    on_one: Option<(Fault, Shape, bool, u32)>,
    retry_on: Vec<Fault>,
    stop_on: Vec<Fault>,
    pub(crate) is_idempotent: bool,
    /// Which of the budgets.
    pub(crate) budget: Option<usize>,
    pub(crate) has_timer: bool,
    seed: u64,
}

/// What a policy borrows.
pub(crate) struct Borrowed<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) report: &'a Report,
    pub(crate) hook: &'a (dyn Fn(&Retry) + Send + Sync),
    pub(crate) budgets: &'a [Budget],
}

impl Plan {
    pub(crate) fn new(random: &mut Rng, budgets: usize) -> Self {
        let some = |random: &mut Rng, faults: &[Fault]| {
            let chosen = faults.iter().copied().filter(|_| random.u32(..4) == 0);
            chosen.collect()
        };
        let sometimes = |random: &mut Rng, of: u32| random.u32(..of) == 0;
        Self {
            attempts: random.bool().then(|| random.u32(1..=12)),
            deadline: match random.u32(..4) {
                0 => None,
                1 => Some(DEFAULT_DEADLINE),
                _ => Some(Duration::from_micros(random.u64(1..3_000_000))),
            },
            shape: sometimes(random, 2).then(|| (shape(random), random.bool())),
            on_one: sometimes(random, 3).then(|| {
                let fault = OF_EACH_KIND[random.usize(..KINDS)];
                (fault, shape(random), random.bool(), random.u32(1..6))
            }),
            retry_on: some(random, &ON_REQUEST),
            stop_on: if sometimes(random, 4) {
                some(random, &RETRIED)
            } else {
                Vec::new()
            },
            is_idempotent: random.bool(),
            budget: random.bool().then(|| random.usize(..budgets)),
            has_timer: !sometimes(random, 20),
            seed: random.u64(..),
        }
    }

    /// One that stops for nothing but what nobody retries.
    pub(crate) fn patient(random: &mut Rng, attempts: u32) -> Self {
        Self {
            attempts: Some(attempts),
            deadline: None,
            shape: None,
            on_one: None,
            retry_on: Vec::new(),
            stop_on: Vec::new(),
            is_idempotent: true,
            budget: None,
            has_timer: true,
            seed: random.u64(..),
        }
    }

    pub(crate) fn policy<'a>(&self, borrowed: &Borrowed<'a>) -> Policy<'a> {
        let mut policy = Policy::new()
            .clock(borrowed.clock)
            .report(borrowed.report)
            .on_retry(borrowed.hook)
            .seed(self.seed);
        if let Some(attempts) = self.attempts {
            policy = policy.attempts(attempts);
        }
        policy = match self.deadline {
            None => policy.without_deadline(),
            Some(DEFAULT_DEADLINE) => policy,
            Some(deadline) => policy.deadline(deadline),
        };
        if let Some((shape, first_at_once)) = self.shape {
            policy = policy.backoff(backoff(shape, first_at_once));
        }
        if let Some((fault, shape, first_at_once, attempts)) = self.on_one {
            policy = policy.backoff_on(fault, backoff(shape, first_at_once), attempts);
        }
        policy = self
            .retry_on
            .iter()
            .fold(policy, |policy, fault| policy.retry_on(*fault));
        policy = self.stop_on.iter().fold(policy, |policy, fault| policy.stop_on(*fault));
        if self.is_idempotent {
            policy = policy.idempotent();
        }
        match self.budget {
            None => policy,
            Some(budget) => policy.budget(&borrowed.budgets[budget]),
        }
    }

    pub(crate) fn retries(&self, fault: Fault) -> bool {
        let by_default = RETRIED.contains(&fault) && !self.stop_on.contains(&fault);
        by_default || self.retry_on.contains(&fault)
    }

    /// How many attempts there may be, if one fails like this.
    pub(crate) fn limit(&self, fault: Fault) -> u32 {
        let all = self.attempts.unwrap_or(DEFAULT_ATTEMPTS);
        match self.pace(kind(fault)).attempts {
            Limit::Said(attempts) => attempts.min(all),
            Limit::Default(attempts) if self.attempts.is_none() => attempts,
            Limit::Default(_) | Limit::None => all,
        }
    }

    pub(crate) fn pace(&self, of: usize) -> Pace {
        let mut pace = defaults()[of];
        if let Some((shape, first_at_once)) = self.shape {
            (pace.shape, pace.first_at_once) = (shape, first_at_once);
        }
        if let Some((fault, shape, first_at_once, attempts)) = self.on_one
            && kind(fault) == of
        {
            pace = Pace {
                shape,
                first_at_once,
                attempts: Limit::Said(attempts),
            };
        }
        pace
    }
}

const LIST: [Duration; 3] = [Duration::ZERO, Duration::from_millis(30), Duration::from_millis(7)];

fn shape(random: &mut Rng) -> Shape {
    let base = Duration::from_micros(random.u64(1..100_000));
    let cap = base + Duration::from_micros(random.u64(..1_000_000));
    match random.u32(..8) {
        0 => Shape::None,
        1 => Shape::Constant(base),
        2 => Shape::List(&LIST[..random.usize(..=LIST.len())]),
        3 => Shape::Exponential(base, cap),
        4 => Shape::Equal(base, cap),
        5 => Shape::Decorrelated(base, cap),
        _ => Shape::Full(base, cap),
    }
}

fn backoff(shape: Shape, first_at_once: bool) -> Backoff<'static> {
    let backoff = match shape {
        Shape::None => Backoff::none(),
        Shape::Constant(delay) => Backoff::constant(delay),
        Shape::List(delays) => Backoff::list(delays),
        Shape::Exponential(base, cap) => Backoff::exponential(base, cap),
        Shape::Full(base, cap) => Backoff::full_jitter(base, cap),
        Shape::Equal(base, cap) => Backoff::equal_jitter(base, cap),
        Shape::Decorrelated(base, cap) => Backoff::decorrelated_jitter(base, cap),
    };
    if first_at_once {
        backoff.first_at_once()
    } else {
        backoff
    }
}
