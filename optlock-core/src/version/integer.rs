//! Counters.

use super::{Integer, Kind, Precision, Repr, own_representation};

macro_rules! counter {
    ($($ty:ty => $width:ident),+ $(,)?) => {$(
        own_representation!($ty);

        impl Repr for $ty {
            const KIND: Kind = Kind::Integer(Integer::$width);

            fn first(_: Precision) -> Self {
                1
            }

            fn next(&self, _: Precision) -> Option<Self> {
                self.checked_add(1)
            }

            fn fits(&self, limit: u64) -> bool {
                // A negative version is below every limit.
                u64::try_from(*self).map_or(true, |version| version <= limit)
            }
        }
    )+};
}

counter!(i16 => I16, i32 => I32, i64 => I64, u32 => U32, u64 => U64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_starts_at_one_and_steps_by_one() {
        let precision = Precision::MICROS;
        assert_eq!(<i64 as Repr>::first(precision), 1);
        assert_eq!(Repr::next(&1_i64, precision), Some(2));
        assert_eq!(Repr::next(&-1_i16, precision), Some(0));
        assert_eq!(Repr::next(&0_u64, precision), Some(1));
    }

    #[test]
    fn a_counter_at_its_maximum_has_no_next_version() {
        let precision = Precision::MICROS;
        assert_eq!(Repr::next(&i16::MAX, precision), None);
        assert_eq!(Repr::next(&i32::MAX, precision), None);
        assert_eq!(Repr::next(&i64::MAX, precision), None);
        assert_eq!(Repr::next(&u32::MAX, precision), None);
        assert_eq!(Repr::next(&u64::MAX, precision), None);
    }

    #[test]
    fn a_narrow_column_limits_a_counter() {
        let limit = u64::from(i32::MAX.unsigned_abs());
        assert!(i32::MAX.unsigned_abs().fits(limit));
        assert!(!(i32::MAX.unsigned_abs() + 1).fits(limit));
        assert!((-5_i32).fits(0));
    }
}
