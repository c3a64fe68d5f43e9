//! How finely a timestamp column counts.

/// The number of fractional digits of seconds that a timestamp version is stored with: 6 (microseconds) unless the
/// field says `#[version(precision = N)]`.
///
/// It must not be finer than the column's: a column that rounds the version would let two writes within one of its
/// ticks carry the same version. PostgreSQL's timestamps and SQLite's text hold microseconds. MariaDB and MySQL hold
/// whole seconds unless the column is a `DATETIME(6)` or `TIMESTAMP(6)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision(u8);

impl Precision {
    /// Six digits: microseconds.
    pub const MICROS: Self = Self(6);

    /// A precision of this many digits. More than six count as six.
    pub const fn digits(digits: u8) -> Self {
        Self(if digits > 6 { 6 } else { digits })
    }

    /// The microseconds in one tick: 1 for six digits, 1,000,000 for none.
    pub const fn tick_micros(self) -> i64 {
        let mut tick = 1;
        let mut digit = self.0;
        while digit < 6 {
            tick *= 10;
            digit += 1;
        }
        tick
    }

    /// The instant after `previous`: now, or one tick later than `previous` where the clock has not got that far.
    /// Both are in microseconds since 1970; `None` where the instant is out of range.
    pub(super) fn advance(self, previous: Option<i64>, now: i64) -> Option<i64> {
        let tick = self.tick_micros();
        let now = now.div_euclid(tick).checked_mul(tick)?;
        let Some(previous) = previous else {
            return Some(now);
        };
        let after = previous.div_euclid(tick).checked_add(1)?.checked_mul(tick)?;
        Some(now.max(after))
    }

    /// Whether a column that counts more coarsely than in microseconds stored the one instant when it was sent the
    /// other: it cuts off, or rounds to the nearest tick.
    pub(super) fn has_rounded(sent: i64, stored: i64) -> bool {
        let nearest = |digits| {
            let tick = Self(digits).tick_micros();
            sent.saturating_add(tick / 2).div_euclid(tick).saturating_mul(tick)
        };
        stored < sent || (stored > sent && (0..6).any(|digits| nearest(digits) == stored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_a_power_of_ten() {
        assert_eq!(Precision::MICROS.tick_micros(), 1);
        assert_eq!(Precision::digits(3).tick_micros(), 1_000);
        assert_eq!(Precision::digits(0).tick_micros(), 1_000_000);
        assert_eq!(Precision::digits(9), Precision::MICROS);
    }

    #[test]
    fn a_clock_that_stands_still_or_steps_back_still_advances_the_version() {
        let seconds = Precision::digits(0);
        assert_eq!(seconds.advance(None, 1_600_000), Some(1_000_000));
        assert_eq!(seconds.advance(Some(1_000_000), 1_600_000), Some(2_000_000));
        assert_eq!(seconds.advance(Some(9_000_000), 1_600_000), Some(10_000_000));
        assert_eq!(Precision::MICROS.advance(Some(7), 7), Some(8));
        assert_eq!(Precision::MICROS.advance(Some(7), 9), Some(9));
    }

    #[test]
    fn a_version_between_two_ticks_is_passed() {
        // Written by hand with a finer precision than the field declares.
        assert_eq!(Precision::digits(0).advance(Some(1_600_000), 0), Some(2_000_000));
        assert_eq!(Precision::digits(0).advance(Some(-600_000), i64::MIN / 2), Some(0));
    }

    #[test]
    fn a_rounded_version_is_told_from_a_rivals() {
        assert!(Precision::has_rounded(1_600_000, 1_000_000), "cut off");
        assert!(Precision::has_rounded(1_600_000, 2_000_000), "rounded to seconds");
        assert!(Precision::has_rounded(1_600_700, 1_601_000), "rounded to milliseconds");
        assert!(!Precision::has_rounded(1_600_700, 1_600_700), "stored as sent");
        assert!(!Precision::has_rounded(1_600_700, 1_603_123), "somebody else's, later");
    }

    #[test]
    fn the_end_of_time_is_not_wrapped() {
        assert_eq!(Precision::MICROS.advance(Some(i64::MAX), 0), None);
    }
}
