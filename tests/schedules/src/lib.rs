//! What threads share in `optlock-core`, under schedules that are chosen one by one, by [Shuttle](https://docs.rs/shuttle).
//!
//! The files of the core are included as they are; what they share is Shuttle's (`sync`), but for Tokio's locks, each of which is one step. Shuttle's memory is sequentially consistent: what a weaker
//! order of its own would do to an atomic is not seen. Here no two atomics depend on each other.

// The tests of the files that are included run in the core.
#![cfg(not(test))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a panic is how a schedule fails"
)]

#[allow(dead_code, unreachable_pub, reason = "included for what is tested here")]
#[path = "../../../optlock-core/src/budget.rs"]
mod budget;
#[allow(dead_code, reason = "included for what is tested here")]
#[path = "../../../optlock-core/src/modify/heat.rs"]
mod heat;
#[allow(dead_code, reason = "included for what is tested here")]
#[path = "../../../optlock-core/src/queue.rs"]
mod queue;

pub mod lines;
pub mod retries;
pub mod temperature;

/// In place of the core's.
mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
}

/// The core's, by the way that users have.
mod clock {
    pub(crate) use optlock::{Clock, Sleep};
}
