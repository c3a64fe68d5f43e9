//! How finely a timestamp column counts.

/// The number of fractional digits of seconds that a timestamp version is stored with: 6 (microseconds) unless the
/// field says `#[version(precision = N)]`.
///
/// It must not be finer than the column's: a column that rounds the version would let two writes within one of its
/// ticks carry the same version. PostgreSQL's timestamps and SQLite's text hold microseconds. MariaDB and MySQL hold
/// whole seconds unless the column is a `DATETIME(6)` or `TIMESTAMP(6)`. A column that cuts the version off is reported
/// ([`Error::Imprecise`](crate::Error::Imprecise)); one that rounds it up, as MySQL does, shows as a conflict of the next
/// write from the returned model.
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
}
