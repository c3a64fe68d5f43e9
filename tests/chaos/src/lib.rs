//! Workloads, faults and interleavings that show what optlock promises, on real databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a part fails"
)]

mod address;
mod backend;
mod client;
mod clock;
mod crew;
mod fault;
mod interleaving;
mod job;
mod kill;
mod model;
mod options;
mod part;
mod report;
mod row;
mod run;
mod stage;
mod tally;
mod trial;
mod worker;
mod workload;

use std::error::Error;
use std::process::ExitCode;

use backend::Backend;
use job::Job;
use options::Options;
use part::{Part, part};
use workload::part as workloads;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// All that is shown, in this order.
const PARTS: &[Part] = &[
    part!("counter", workloads::counter, seconds: 3, share: 3),
    part!("bank-versioned", workloads::bank_versioned, seconds: 2, share: 1),
    part!("bank-locked", workloads::bank_locked, seconds: 2, share: 1),
    part!("bank-serializable", workloads::bank_serializable, seconds: 2, share: 1),
    part!("inventory", workloads::inventory, seconds: 2, share: 2),
    part!("nested", workloads::nested, seconds: 2, share: 1),
    part!("batch", workloads::batch, seconds: 2, share: 8),
    part!("kill-application-counter", kill::counter_of_killed, seconds: 2, share: 1),
    part!("kill-application-bank", kill::bank_of_killed, seconds: 2, share: 1),
    part!("kill-server", kill::server, seconds: 4, share: 1, on: &Backend::SERVERS),
    part!("full", kill::full, seconds: 2, share: 1, on: &[Backend::Sqlite]),
    part!("wire", fault::wire::run, seconds: 8, share: 3, on: &Backend::SERVERS),
    part!("sweep", fault::sweep::run, seconds: 8, share: 2, on: &Backend::SERVERS),
    part!("model", model::run, seconds: 8, share: 2),
    part!("interleavings", interleaving::run, seconds: 20, share: 0),
];

/// What the arguments ask for: to be a worker, to run for some time, or, as a test, the short form.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        [job::COMMAND, job @ ..] => Job::parse(job)
            .and_then(|job| worker::run(&job))
            .map(|()| ExitCode::SUCCESS),
        [options::COMMAND, options @ ..] => Options::parse(options).and_then(|options| run::run(&options, PARTS)),
        _ => Ok(trial::run(PARTS)),
    };
    outcome.unwrap_or_else(|err| {
        eprintln!("{err}");
        ExitCode::FAILURE
    })
}
