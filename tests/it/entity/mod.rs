//! The entities that the cases share.

pub(crate) mod item;
