//! The entities that the cases share.

pub(crate) mod item;
pub(crate) mod priced;
