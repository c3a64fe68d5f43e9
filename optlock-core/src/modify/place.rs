//! Where a row is changed: on a connection, or in a transaction.

pub use crate::place::ModifyIn;
pub(super) use crate::place::Place;
