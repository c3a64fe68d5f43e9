//! Workloads, faults and interleavings that show what optlock promises, on real databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a part fails"
)]

mod address;
mod backend;
mod clock;
mod fault;
mod options;
mod part;
mod report;
mod row;
mod run;
mod stage;
mod tally;

use std::error::Error;
use std::process::ExitCode;

use backend::Backend;
use options::Options;
use part::{Part, part};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

const SERVERS: &[Backend] = &[Backend::Postgres, Backend::MariaDb];

/// All that is shown, in this order.
const PARTS: &[Part] = &[
    part!("wire", fault::wire::run, seconds: 10, share: 4, on: SERVERS),
    part!("sweep", fault::sweep::run, seconds: 8, share: 2, on: SERVERS),
];

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(err) => {
            eprintln!("{err}");
            return ExitCode::from(2);
        }
    };
    if options.lists {
        for part in PARTS {
            println!("{}", part.name);
        }
        return ExitCode::SUCCESS;
    }
    run::run(&options, PARTS).unwrap_or_else(|err| {
        eprintln!("{err}");
        ExitCode::FAILURE
    })
}
