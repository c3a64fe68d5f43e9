//! Faults on the way to a server, and what is told of what they leave.

mod order;
mod proxy;
mod receipt;
mod relay;
mod session;
pub(crate) mod sweep;
pub(crate) mod wire;
