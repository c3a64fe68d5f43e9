//! Many clients under a policy of `optlock`, in virtual time: a seed decides who runs next, when time passes, what fails, and what the policies are.
//!
//! No driver, no server, no thread: a store in memory, on an executor of our own. Whatever a seed shows, it shows again:
//!
//! ```sh
//! OPTLOCK_SEEDS=10000 cargo test -p optlock-simulation   # so many seeds
//! OPTLOCK_SEED=17 cargo test -p optlock-simulation       # this one, with all that happens in it
//! ```

#![cfg(test)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unchecked_time_subtraction,
    reason = "a panic is how a seed fails"
)]

mod attempt;
mod bounds;
mod client;
mod executor;
mod judge;
mod ledger;
mod outcome;
mod plan;
mod run;
mod seeds;
mod store;
mod table;
mod time;
mod weather;
mod world;
