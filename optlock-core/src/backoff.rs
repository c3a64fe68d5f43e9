//! How long to wait before the next attempt.

use std::fmt;
use std::time::Duration;

use crate::invalid_policy::InvalidPolicy;
use crate::random::Random;

/// The delays between attempts.
///
/// | | the delay after the n-th failure, from 0 on |
/// | --- | --- |
/// | [`full_jitter`](Self::full_jitter) | anything from zero to `e(n)`, where `e(n) = min(cap, base × 2ⁿ)` |
/// | [`equal_jitter`](Self::equal_jitter) | half of `e(n)`, and anything up to the other half |
/// | [`decorrelated_jitter`](Self::decorrelated_jitter) | anything from `base` to three times the last delay, at most `cap` |
/// | [`exponential`](Self::exponential) | `e(n)` |
/// | [`constant`](Self::constant), [`none`](Self::none) | always the same, or none |
/// | [`list`](Self::list), [`delays`](Self::delays) | what a list or an iterator says, from its beginning for each kind of fault; at its end the policy gives up |
///
/// Full jitter is the default and what to use: rivals who lost together must not come back together.
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/> has the comparison.
///
/// ```
/// use std::time::Duration;
///
/// use optlock::{Backoff, Policy};
///
/// const GENTLE: Policy = Policy::new()
///     .backoff(Backoff::full_jitter(Duration::from_millis(20), Duration::from_secs(1)));
///
/// // Any iterator that can be cloned will do, such as one of backon's.
/// let steps = [1, 2, 5].map(Duration::from_millis).into_iter();
/// let by_hand = Policy::new().backoff(Backoff::delays(&steps));
/// # let _ = (GENTLE, by_hand);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Backoff<'a> {
    shape: Shape<'a>,
    first_at_once: bool,
}

#[derive(Clone, Copy, Debug)]
enum Shape<'a> {
    None,
    Constant(Duration),
    Growing {
        jitter: Jitter,
        base: Duration,
        cap: Duration,
    },
    List(&'a [Duration]),
    Delays(&'a dyn Delays),
}

/// What chance does to a delay that doubles. See [`Backoff`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Jitter {
    /// Nothing: rivals stay in step.
    None,
    /// Anything from zero on.
    Full,
    /// At least half.
    Equal,
    /// Up to three times the last one.
    Decorrelated,
}

/// A sequence of delays that can be started anew: every `Clone` iterator of [`Duration`] is one.
pub trait Delays: Send + Sync {
    /// The sequence from its beginning.
    fn restart(&self) -> Box<dyn Iterator<Item = Duration> + Send + '_>;
}

impl<I> Delays for I
where
    I: Iterator<Item = Duration> + Clone + Send + Sync,
{
    fn restart(&self) -> Box<dyn Iterator<Item = Duration> + Send + '_> {
        Box::new(self.clone())
    }
}

impl fmt::Debug for dyn Delays + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delays")
    }
}

impl<'a> Backoff<'a> {
    /// No delay. For work that waits by itself, such as a lock.
    pub const fn none() -> Self {
        Self::of(Shape::None)
    }

    /// The same delay every time.
    pub const fn constant(delay: Duration) -> Self {
        Self::of(Shape::Constant(delay))
    }

    /// A delay that doubles, without jitter.
    ///
    /// # Panics
    ///
    /// If `base` is zero or above `cap`. In a `const` that is a compile error; [`try_new`](Self::try_new) is for numbers that come
    /// from a configuration.
    pub const fn exponential(base: Duration, cap: Duration) -> Self {
        Self::checked(Jitter::None, base, cap)
    }

    /// Anything from zero to a limit that doubles.
    ///
    /// # Panics
    ///
    /// As [`exponential`](Self::exponential).
    pub const fn full_jitter(base: Duration, cap: Duration) -> Self {
        Self::checked(Jitter::Full, base, cap)
    }

    /// Half of a delay that doubles, and anything up to the other half.
    ///
    /// # Panics
    ///
    /// As [`exponential`](Self::exponential).
    pub const fn equal_jitter(base: Duration, cap: Duration) -> Self {
        Self::checked(Jitter::Equal, base, cap)
    }

    /// Anything from `base` to three times the last delay.
    ///
    /// # Panics
    ///
    /// As [`exponential`](Self::exponential).
    pub const fn decorrelated_jitter(base: Duration, cap: Duration) -> Self {
        Self::checked(Jitter::Decorrelated, base, cap)
    }

    /// These delays, one after the other.
    pub const fn list(delays: &'a [Duration]) -> Self {
        Self::of(Shape::List(delays))
    }

    /// The delays of an iterator, cloned for every run.
    pub const fn delays(delays: &'a dyn Delays) -> Self {
        Self::of(Shape::Delays(delays))
    }

    /// A delay that doubles, of numbers that are not known before run time.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy::NoDelay`] and [`InvalidPolicy::Backwards`].
    pub const fn try_new(jitter: Jitter, base: Duration, cap: Duration) -> Result<Self, InvalidPolicy> {
        if base.is_zero() {
            return Err(InvalidPolicy::NoDelay);
        }
        if base.as_nanos() > cap.as_nanos() {
            return Err(InvalidPolicy::Backwards { base, cap });
        }
        Ok(Self::of(Shape::Growing { jitter, base, cap }))
    }

    /// The same, but without a delay after the first failure: for conflicts, whose winner has committed already.
    pub const fn first_at_once(mut self) -> Self {
        self.first_at_once = true;
        self
    }

    const fn of(shape: Shape<'a>) -> Self {
        Self {
            shape,
            first_at_once: false,
        }
    }

    const fn checked(jitter: Jitter, base: Duration, cap: Duration) -> Self {
        assert!(!base.is_zero(), "a delay that starts at zero never grows");
        assert!(
            base.as_nanos() <= cap.as_nanos(),
            "the first delay is longer than the longest one"
        );
        Self::of(Shape::Growing { jitter, base, cap })
    }
}

/// The delays of one run.
pub(crate) struct Pacer<'a> {
    backoff: Backoff<'a>,
    failures: u32,
    previous: Option<Duration>,
    iterator: Option<Box<dyn Iterator<Item = Duration> + Send + 'a>>,
}

impl<'a> Pacer<'a> {
    pub(crate) fn new(backoff: Backoff<'a>) -> Self {
        Self {
            backoff,
            failures: 0,
            previous: None,
            iterator: None,
        }
    }

    /// How many failures there have been.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The delay after one more failure; `None` where there is no further one.
    pub(crate) fn next(&mut self, random: &mut Random) -> Option<Duration> {
        let n = self.failures;
        self.failures = n.saturating_add(1);
        if self.backoff.first_at_once {
            let Some(n) = n.checked_sub(1) else {
                return Some(Duration::ZERO);
            };
            return self.delay(n, random);
        }
        self.delay(n, random)
    }

    fn delay(&mut self, n: u32, random: &mut Random) -> Option<Duration> {
        match self.backoff.shape {
            Shape::None => Some(Duration::ZERO),
            Shape::Constant(delay) => Some(delay),
            Shape::List(delays) => delays.get(usize::try_from(n).unwrap_or(usize::MAX)).copied(),
            Shape::Delays(delays) => self.iterator.get_or_insert_with(|| delays.restart()).next(),
            Shape::Growing { jitter, base, cap } => {
                let limit = doubled(base, n, cap);
                let delay = match jitter {
                    Jitter::None => limit,
                    Jitter::Full => between(Duration::ZERO, limit, random),
                    Jitter::Equal => between(limit / 2, limit, random),
                    Jitter::Decorrelated => {
                        let last = self.previous.unwrap_or(base);
                        between(base, last.saturating_mul(3).min(cap), random)
                    }
                };
                self.previous = Some(delay);
                Some(delay)
            }
        }
    }
}

/// `min(cap, base × 2ⁿ)`, for any n.
fn doubled(base: Duration, n: u32, cap: Duration) -> Duration {
    let factor = 1_u32.checked_shl(n).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(cap)
}

/// Any time from one to another, both included.
fn between(from: Duration, to: Duration, random: &mut Random) -> Duration {
    // 584 years of nanoseconds fit.
    let span = u64::try_from(to.saturating_sub(from).as_nanos()).unwrap_or(u64::MAX);
    from + Duration::from_nanos(random.up_to(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn first(backoff: Backoff<'_>, count: usize, seed: u64) -> Vec<Duration> {
        let mut pacer = Pacer::new(backoff);
        let mut random = Random::with_seed(seed);
        std::iter::from_fn(|| pacer.next(&mut random)).take(count).collect()
    }

    #[test]
    fn a_delay_doubles_up_to_its_cap() {
        let delays = first(Backoff::exponential(SECOND, 3 * SECOND), 4, 0);
        assert_eq!(delays, [1, 2, 3, 3].map(Duration::from_secs));
    }

    #[test]
    fn the_first_delay_can_be_none() {
        let delays = first(Backoff::exponential(SECOND, 3 * SECOND).first_at_once(), 4, 0);
        assert_eq!(delays, [0, 1, 2, 3].map(Duration::from_secs));
    }

    #[test]
    fn a_high_count_stays_at_the_cap() {
        for n in [31, 32, 33, 100_000, u32::MAX] {
            assert_eq!(doubled(SECOND, n, 3 * SECOND), 3 * SECOND);
            assert_eq!(doubled(Duration::MAX, n, Duration::MAX), Duration::MAX);
            let mut pacer = Pacer::new(Backoff::full_jitter(SECOND, 3 * SECOND));
            pacer.failures = n;
            assert!(
                pacer
                    .next(&mut Random::with_seed(1))
                    .is_some_and(|delay| delay <= 3 * SECOND)
            );
            assert!(pacer.failures() >= n);
        }
    }

    #[test]
    fn jitter_stays_within_its_bounds_and_reaches_them() {
        let cap = 8 * SECOND;
        for seed in 0..50 {
            let limits = first(Backoff::exponential(SECOND, cap), 6, seed);
            for (delay, limit) in first(Backoff::full_jitter(SECOND, cap), 6, seed).iter().zip(&limits) {
                assert!(delay <= limit);
            }
            for (delay, limit) in first(Backoff::equal_jitter(SECOND, cap), 6, seed).iter().zip(&limits) {
                assert!((*limit / 2..=*limit).contains(delay));
            }
            let mut last = SECOND;
            for delay in first(Backoff::decorrelated_jitter(SECOND, cap), 6, seed) {
                assert!((SECOND..=cap.min(last * 3)).contains(&delay));
                last = delay;
            }
        }
        // A full jitter that never came below a half, or above, would be another one.
        let all: Vec<_> = (0..200)
            .flat_map(|seed| first(Backoff::full_jitter(SECOND, SECOND), 1, seed))
            .collect();
        assert!(all.iter().any(|delay| *delay < SECOND / 10));
        assert!(all.iter().any(|delay| *delay > SECOND * 9 / 10));
    }

    #[test]
    fn a_seed_gives_the_same_delays_again() {
        let backoff = Backoff::full_jitter(SECOND, 60 * SECOND);
        assert_eq!(first(backoff, 8, 42), first(backoff, 8, 42));
        assert_ne!(first(backoff, 8, 42), first(backoff, 8, 43));
    }

    #[test]
    fn an_iterator_ends_and_starts_anew() {
        let steps = [1, 2].map(Duration::from_secs).into_iter();
        for _ in 0..2 {
            assert_eq!(first(Backoff::delays(&steps), 5, 0), [SECOND, 2 * SECOND]);
            assert_eq!(first(Backoff::list(steps.as_slice()), 5, 0), [SECOND, 2 * SECOND]);
        }
    }

    #[test]
    fn numbers_that_make_a_busy_loop_are_refused() {
        assert_eq!(
            Backoff::try_new(Jitter::Full, Duration::ZERO, SECOND).unwrap_err(),
            InvalidPolicy::NoDelay
        );
        let backwards = Backoff::try_new(Jitter::None, 2 * SECOND, SECOND).unwrap_err();
        assert_eq!(
            backwards,
            InvalidPolicy::Backwards {
                base: 2 * SECOND,
                cap: SECOND
            }
        );
        assert!(Backoff::try_new(Jitter::Equal, SECOND, SECOND).is_ok());
    }
}
