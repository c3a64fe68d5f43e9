//! Points in time, to the microsecond, in UTC.

#![cfg(any(feature = "with-chrono", feature = "with-time"))]

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Kind, Precision, Repr, own_representation};

/// The system clock in microseconds since 1970. A clock before 1970 counts as 1970: versions advance all the same.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The instant after `previous`: now, or one tick later than `previous` where the clock has not got that far. Both are in
/// microseconds since 1970; `None` where the instant is out of range.
fn advance(precision: Precision, previous: Option<i64>, now: i64) -> Option<i64> {
    let tick = precision.tick_micros();
    let now = now.div_euclid(tick).checked_mul(tick)?;
    let Some(previous) = previous else {
        return Some(now);
    };
    let after = previous.div_euclid(tick).checked_add(1)?.checked_mul(tick)?;
    Some(now.max(after))
}

macro_rules! timestamp {
    (
        $ty:ty,
        to_micros: $to:expr,
        from_micros: $from:expr,
        epoch: $epoch:expr
        $(, in_utc: $in_utc:expr)? $(,)?
    ) => {
        own_representation!($ty);

        impl Repr for $ty {
            const KIND: Kind = Kind::Timestamp;

            fn first(precision: Precision) -> Self {
                let from: fn(i64) -> Option<Self> = $from;
                advance(precision, None, now()).and_then(from).unwrap_or($epoch)
            }

            fn next(&self, precision: Precision) -> Option<Self> {
                let to: fn(&Self) -> i64 = $to;
                let from: fn(i64) -> Option<Self> = $from;
                advance(precision, Some(to(self)), now()).and_then(from)
            }

            $(
                fn other_spelling(&self) -> Option<Self> {
                    let in_utc: fn(&Self) -> Option<Self> = $in_utc;
                    in_utc(self)
                }
            )?

            fn precedes(&self, other: &Self) -> bool {
                self < other
            }
        }
    };
}

#[cfg(feature = "with-chrono")]
mod with_chrono {
    use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};

    use super::{Kind, Precision, Repr, advance, now, own_representation};

    timestamp!(
        DateTime<Utc>,
        to_micros: DateTime::timestamp_micros,
        from_micros: DateTime::from_timestamp_micros,
        epoch: DateTime::UNIX_EPOCH,
    );
    timestamp!(
        NaiveDateTime,
        to_micros: |at| at.and_utc().timestamp_micros(),
        from_micros: |micros| DateTime::from_timestamp_micros(micros).map(|at| at.naive_utc()),
        epoch: DateTime::UNIX_EPOCH.naive_utc(),
    );
    timestamp!(
        DateTime<FixedOffset>,
        to_micros: DateTime::timestamp_micros,
        from_micros: |micros| DateTime::from_timestamp_micros(micros).map(|at| at.fixed_offset()),
        epoch: DateTime::UNIX_EPOCH.fixed_offset(),
        in_utc: |at| (at.offset().local_minus_utc() != 0).then(|| at.to_utc().fixed_offset()),
    );
}

#[cfg(feature = "with-time")]
mod with_time {
    use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

    use super::{Kind, Precision, Repr, advance, now, own_representation};

    fn to_micros(at: OffsetDateTime) -> i64 {
        // Years that `time` can hold (9999 by default) fit with a wide margin.
        i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
    }

    fn from_micros(micros: i64) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
    }

    timestamp!(
        OffsetDateTime,
        to_micros: |at| to_micros(*at),
        from_micros: from_micros,
        epoch: OffsetDateTime::UNIX_EPOCH,
        in_utc: |at| (!at.offset().is_utc()).then(|| at.to_offset(UtcOffset::UTC)),
    );
    timestamp!(
        PrimitiveDateTime,
        to_micros: |at| to_micros(at.assume_utc()),
        from_micros: |micros| from_micros(micros).map(|at| PrimitiveDateTime::new(at.date(), at.time())),
        epoch: PrimitiveDateTime::new(OffsetDateTime::UNIX_EPOCH.date(), OffsetDateTime::UNIX_EPOCH.time()),
    );
}

#[cfg(all(test, feature = "with-chrono", feature = "with-time"))]
mod tests {
    use chrono::{DateTime, Utc};
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn a_clock_that_stands_still_or_steps_back_still_advances_the_version() {
        let seconds = Precision::digits(0);
        assert_eq!(advance(seconds, None, 1_600_000), Some(1_000_000));
        assert_eq!(advance(seconds, Some(1_000_000), 1_600_000), Some(2_000_000));
        assert_eq!(advance(seconds, Some(9_000_000), 1_600_000), Some(10_000_000));
        assert_eq!(advance(Precision::MICROS, Some(7), 7), Some(8));
        assert_eq!(advance(Precision::MICROS, Some(7), 9), Some(9));
    }

    #[test]
    fn a_version_between_two_ticks_is_passed() {
        // Written by hand with a finer precision than the field declares.
        assert_eq!(advance(Precision::digits(0), Some(1_600_000), 0), Some(2_000_000));
        assert_eq!(advance(Precision::digits(0), Some(-600_000), i64::MIN / 2), Some(0));
    }

    #[test]
    fn the_end_of_time_is_not_wrapped() {
        assert_eq!(advance(Precision::MICROS, Some(i64::MAX), 0), None);
    }

    #[test]
    fn a_timestamp_is_now_cut_to_its_precision() {
        let first = <DateTime<Utc> as Repr>::first(Precision::digits(3));
        assert_eq!(first.timestamp_subsec_micros() % 1_000, 0);
        assert!(now() - first.timestamp_micros() < 5_000_000);
    }

    #[test]
    fn a_thousand_versions_in_a_row_all_differ() {
        let mut version = <OffsetDateTime as Repr>::first(Precision::MICROS);
        for _ in 0..1_000 {
            let next = Repr::next(&version, Precision::MICROS);
            assert!(next > Some(version), "{next:?} does not come after {version:?}");
            version = next.unwrap_or(version);
        }
    }

    #[test]
    fn a_version_ahead_of_the_clock_advances_by_one_tick() {
        let ahead = DateTime::from_timestamp_micros(now() + 3_600_000_000).map(|at| at.naive_utc());
        let ahead = ahead.unwrap_or_default();
        let next = Repr::next(&ahead, Precision::MICROS).unwrap_or_default();
        assert_eq!((next - ahead).num_microseconds(), Some(1));
    }
}
