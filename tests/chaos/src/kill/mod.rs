//! Processes that are killed, of the application and of the server, and a disk that is full.

mod application;
mod control;
mod full;
mod server;

pub(crate) use application::{bank as bank_of_killed, counter as counter_of_killed};
pub(crate) use control::is_there as is_control_there;
pub(crate) use full::run as full;
pub(crate) use server::run as server;
