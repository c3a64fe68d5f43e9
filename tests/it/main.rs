//! The integration tests: one set of cases, run on every backend that is there.
//!
//! SQLite needs nothing. PostgreSQL and MariaDB are taken from `OPTLOCK_POSTGRES_URL` and `OPTLOCK_MARIADB_URL`, which
//! `cargo xtask test` sets; without them their tests are listed as ignored, and a line says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a case fails"
)]

mod backend;
mod case;
mod context;
mod entity;
mod proxy;
mod wait;

mod batch;
mod cancel;
mod codes;
mod conflict;
mod delete;
mod fault;
mod generated;
mod hooks;
mod insert;
mod journal;
mod keys;
mod lock;
mod modify;
mod nested;
mod opt_out;
mod race;
mod retry;
mod runner;
mod sql;
mod telemetry;
mod touch;
mod transaction;
mod types;
mod update;
mod update_by_id;
mod update_many;
mod upsert;

use std::process::ExitCode;

use libtest_mimic::Arguments;

use backend::Backend;
use case::Case;

/// Every case, by the file it is in.
fn cases() -> Vec<Case> {
    [
        batch::cancel::CASES,
        batch::delete::CASES,
        batch::keys::CASES,
        batch::large::CASES,
        batch::parts::CASES,
        batch::policy::CASES,
        batch::race::CASES,
        batch::update::CASES,
        batch::values::CASES,
        batch::versions::CASES,
        batch::within::CASES,
        cancel::CASES,
        codes::CASES,
        conflict::CASES,
        delete::CASES,
        fault::CASES,
        generated::CASES,
        hooks::CASES,
        insert::CASES,
        journal::CASES,
        keys::CASES,
        lock::advisory::CASES,
        lock::join::CASES,
        lock::many::CASES,
        lock::matrix::CASES,
        lock::mode::CASES,
        lock::queue::CASES,
        lock::refresh::CASES,
        lock::transfer::CASES,
        lock::wait::CASES,
        lock::write::CASES,
        modify::cancel::CASES,
        modify::combine::CASES,
        modify::combine::dropped::CASES,
        modify::combine::failure::CASES,
        modify::combine::rivals::CASES,
        modify::combine::versions::CASES,
        modify::contention::CASES,
        modify::hand::CASES,
        modify::hooks::CASES,
        modify::insert::CASES,
        modify::keys::CASES,
        modify::many::CASES,
        modify::patience::CASES,
        modify::queue::CASES,
        modify::queue::dropped::CASES,
        modify::queue::generated::CASES,
        modify::queue::rivals::CASES,
        modify::queue::writers::CASES,
        modify::rival::CASES,
        modify::round::CASES,
        modify::within::CASES,
        nested::CASES,
        opt_out::CASES,
        race::CASES,
        retry::CASES,
        runner::after_commit::CASES,
        runner::cancel::CASES,
        runner::commit::CASES,
        runner::deadlock::CASES,
        runner::dropped::CASES,
        runner::escape::CASES,
        runner::full::CASES,
        runner::isolation::CASES,
        runner::loss::CASES,
        runner::loss_elsewhere::CASES,
        runner::nested::CASES,
        runner::savepoint::CASES,
        runner::send::CASES,
        runner::swallowed::CASES,
        runner::trigger::CASES,
        runner::types::CASES,
        sql::CASES,
        telemetry::CASES,
        touch::CASES,
        transaction::CASES,
        types::CASES,
        update::CASES,
        update_by_id::CASES,
        update_many::CASES,
        upsert::CASES,
    ]
    .concat()
}

fn main() -> ExitCode {
    if let Some(code) = lock::queue::run_as_worker() {
        return code;
    }
    if let Some(code) = runner::full::run_as_writer() {
        return code;
    }
    let arguments = Arguments::from_args();
    let cases = cases();
    let trials: Vec<_> = Backend::ALL
        .into_iter()
        .flat_map(|backend| cases.iter().filter_map(move |case| case.trial(backend)))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);

    let absent: Vec<_> = Backend::ALL
        .into_iter()
        .filter(|backend| backend.url().is_none())
        .map(Backend::name)
        .collect();
    if !absent.is_empty() && !arguments.list {
        println!(
            "left out for want of a server: {}. `cargo xtask test` starts private ones and runs everything.\n",
            absent.join(" and ")
        );
    }
    conclusion.exit_code()
}
