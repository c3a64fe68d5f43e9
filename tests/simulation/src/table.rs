//! What the documentation of `Policy` says of each fault, restated.

use std::time::Duration;

use optlock::Fault;

/// How a delay is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    None,
    Constant(Duration),
    List(&'static [Duration]),
    Exponential(Duration, Duration),
    Full(Duration, Duration),
    Equal(Duration, Duration),
    Decorrelated(Duration, Duration),
}

/// How faults of one kind are answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) shape: Shape,
    pub(crate) first_at_once: bool,
    pub(crate) attempts: Limit,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    None,
    Default(u32),
    Said(u32),
}

/// The kinds of fault that have a row in the table.
pub(crate) const KINDS: usize = 7;

/// One fault of each kind, in the order of [`kind`].
pub(crate) const OF_EACH_KIND: [Fault; KINDS] = [
    Fault::Stale,
    Fault::Serialization,
    Fault::Deadlock,
    Fault::LockTimeout,
    Fault::Busy,
    Fault::ConnectionLost,
    Fault::Unavailable,
];

pub(crate) fn kind(fault: Fault) -> usize {
    match fault {
        Fault::Stale => 0,
        Fault::Serialization => 1,
        Fault::Deadlock => 2,
        Fault::LockNotAvailable | Fault::LockTimeout => 3,
        Fault::ConnectionLost | Fault::OutcomeUnknown => 5,
        Fault::Unavailable | Fault::ReadOnly | Fault::PoolTimeout => 6,
        _ => 4,
    }
}

pub(crate) fn is_infrastructure(fault: Fault) -> bool {
    kind(fault) >= 5
}

/// Whether the work may have been done.
pub(crate) fn is_unknown(fault: Fault) -> bool {
    matches!(fault, Fault::ConnectionLost | Fault::OutcomeUnknown)
}

pub(crate) const RETRIED: [Fault; 7] = [
    Fault::Stale,
    Fault::Serialization,
    Fault::Deadlock,
    Fault::Busy,
    Fault::ConnectionLost,
    Fault::OutcomeUnknown,
    Fault::Unavailable,
];

/// What is retried only if somebody says so.
pub(crate) const ON_REQUEST: [Fault; 4] = [
    Fault::LockNotAvailable,
    Fault::LockTimeout,
    Fault::ReadOnly,
    Fault::PoolTimeout,
];

pub(crate) const DEFAULT_ATTEMPTS: u32 = 10;

pub(crate) const DEFAULT_DEADLINE: Duration = Duration::from_secs(2);

pub(crate) fn defaults() -> [Pace; KINDS] {
    let full = |base, cap| Shape::Full(Duration::from_millis(base), Duration::from_millis(cap));
    let pace = |shape, attempts| Pace {
        shape,
        first_at_once: false,
        attempts,
    };
    [
        Pace {
            first_at_once: true,
            ..pace(full(2, 100), Limit::None)
        },
        pace(full(5, 250), Limit::Default(8)),
        pace(full(10, 500), Limit::Default(5)),
        pace(full(10, 500), Limit::Default(3)),
        pace(full(5, 200), Limit::Default(5)),
        pace(full(50, 2_000), Limit::Default(3)),
        pace(full(250, 5_000), Limit::None),
    ]
}
