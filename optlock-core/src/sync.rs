//! What threads share the rest through. It has a module so that `tests/schedules` can include the files that use it, with Shuttle's types in place of the standard library's.

pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};
