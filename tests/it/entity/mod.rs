//! The entities that the cases share.

#![allow(dead_code, reason = "the macros of SeaORM make more than any case needs")]

pub(crate) mod account;
pub(crate) mod generated;
pub(crate) mod hooked;
pub(crate) mod item;
pub(crate) mod keys;
pub(crate) mod nested;
pub(crate) mod priced;
pub(crate) mod values;
pub(crate) mod versions;
