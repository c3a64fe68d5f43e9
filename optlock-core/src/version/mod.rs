//! Versions: what a `#[version]` column may hold, where it starts and how it advances.

mod integer;
mod precision;
mod timestamp;
#[cfg(feature = "with-uuid")]
mod token;

use std::fmt::Debug;

use sea_orm::Value;
use sea_orm::sea_query::ValueType;

pub use precision::Precision;

/// A type that a `#[version]` field may have.
///
/// | type | first version | next version |
/// | --- | --- | --- |
/// | `i16`, `i32`, `i64`, `u32`, `u64` | 1 | one more; at the maximum an [overflow](crate::Error::Overflow) |
/// | `Uuid` (feature `with-uuid`) | random (version 4) | random |
/// | timestamps (features `with-chrono`, `with-time`) | now | now, but always at least one tick of the column's [`Precision`] after the previous one |
///
/// A counter starts at 1 for every row. Where a key that was deleted comes back, a copy from before the delete can then
/// match the new row: use a `Uuid` or a timestamp there.
///
/// Implement it for a newtype to give the version a type of its own. `DeriveValueType` makes the newtype usable as a
/// column; the two functions here say which of the types above it wraps.
///
/// ```
/// use optlock::VersionType;
/// use sea_orm::DeriveValueType;
///
/// #[derive(Clone, Debug, PartialEq, Eq, DeriveValueType)]
/// pub struct Revision(i64);
///
/// impl VersionType for Revision {
///     type Repr = i64;
///     fn from_repr(repr: i64) -> Self {
///         Revision(repr)
///     }
///     fn to_repr(&self) -> i64 {
///         self.0
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of a `#[version]` field",
    label = "not a version type",
    note = "a version is an i16, i32, i64, u32 or u64, a `Uuid` (feature `with-uuid`), or a timestamp (features `with-chrono`, `with-time`)",
    note = "for a newtype of one of these, implement `optlock::VersionType`"
)]
pub trait VersionType: ValueType + Into<Value> + Clone + PartialEq + Debug + Send + Sync + 'static {
    /// The type that is wrapped; for the types in the table above, the type itself.
    type Repr: Repr;

    /// Wraps a representation.
    fn from_repr(repr: Self::Repr) -> Self;

    /// Unwraps the representation.
    fn to_repr(&self) -> Self::Repr;
}

/// One of the types in the table of [`VersionType`]. Sealed: wrap one of them instead.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type that optlock knows how to advance",
    note = "`VersionType::Repr` is an i16, i32, i64, u32 or u64, a `Uuid`, or a timestamp"
)]
pub trait Repr: sealed::Sealed + Clone + PartialEq + Debug + Send + Sync + 'static {
    /// Which family of versions this is.
    #[doc(hidden)]
    const KIND: Kind;

    /// The version of a row that was just inserted.
    #[doc(hidden)]
    fn first(precision: Precision) -> Self;

    /// The version after this one, or `None` where there is none.
    #[doc(hidden)]
    fn next(&self, precision: Precision) -> Option<Self>;

    /// The same version as a database that compares text may have it written: in UTC, where it has another offset.
    #[doc(hidden)]
    fn other_spelling(&self) -> Option<Self> {
        None
    }

    /// Whether this timestamp is earlier than the other.
    #[doc(hidden)]
    fn precedes(&self, other: &Self) -> bool {
        let _ = other;
        false
    }

    /// Whether a column that holds no integer above `limit` can hold this version.
    #[doc(hidden)]
    fn fits(&self, limit: u64) -> bool {
        let _ = limit;
        true
    }
}

/// The families of versions, for code that writes SQL for them.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A counter of this width.
    Integer(Integer),
    /// A random token, compared for equality only.
    Token,
    /// A point in time.
    Timestamp,
}

/// The widths of counters.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integer {
    /// 16 bits, signed.
    I16,
    /// 32 bits, signed.
    I32,
    /// 64 bits, signed.
    I64,
    /// 32 bits, unsigned.
    U32,
    /// 64 bits, unsigned.
    U64,
}

impl Integer {
    /// The largest value of the Rust type.
    pub const fn max(self) -> u64 {
        match self {
            Self::I16 => i16::MAX.unsigned_abs() as u64,
            Self::I32 => i32::MAX.unsigned_abs() as u64,
            Self::I64 => i64::MAX.unsigned_abs(),
            Self::U32 => u32::MAX as u64,
            Self::U64 => u64::MAX,
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Makes a type its own representation.
macro_rules! own_representation {
    ($($ty:ty),+ $(,)?) => {$(
        impl $crate::version::sealed::Sealed for $ty {}
        impl $crate::version::VersionType for $ty {
            type Repr = Self;
            fn from_repr(repr: Self) -> Self {
                repr
            }
            fn to_repr(&self) -> Self {
                *self
            }
        }
    )+};
}
use own_representation;
