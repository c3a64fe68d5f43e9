//! Judges what concurrent clients did to versioned rows by what they logged.
//!
//! Clients log each [`Attempt`]: which versions it read and wrote, how it ended, and when. From all attempts, and the rows as they were before and
//! after, [`check`] finds what must not be. The order of versions is logged and not inferred, so this is far simpler than a checker that sees values alone, such as Elle.

#![allow(missing_docs, reason = "fields and variants are named by what they are")]

mod attempt;
mod chain;
mod cycle;
mod graph;
mod happened;
mod history;
mod line;
mod order;
mod place;
mod violation;

#[cfg(test)]
mod tests;

pub use attempt::{Access, Attempt, Id, Key, Outcome, Seen, Version};
pub use history::{History, Verdict, check, check_within};
pub use line::NotAnAttempt;
pub use violation::{Dependency, Edge, Violation};
