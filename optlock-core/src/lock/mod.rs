//! Row locks: the queries that take them, and the rows that are locked.

mod in_order;
mod key_order;
mod keyed_read;
mod locked;
mod refresh;
mod rows;
mod select;
mod source;

pub use in_order::{LockTables, lock_in_order};
pub use locked::Locked;
pub use refresh::LockModel;
pub(crate) use rows::{Held, lock_each};
pub use rows::{LockKeys, LockRows, LockedRows};
pub(crate) use select::for_write;
pub use select::{LockExt, LockSelect, SayWait, WaitSaid, WaitUnsaid};
pub use source::{LockOne, LockSource, OfFirst};
