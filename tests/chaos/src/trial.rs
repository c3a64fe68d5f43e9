//! The short form: a test for each part and database.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::backend::Backend;
use crate::part::Part;
use crate::report::Outcome;
use crate::run::part_on;

/// Repeats the chance of another run.
const SEED: &str = "OPTLOCK_CHAOS_SEED";

pub(crate) fn run(parts: &'static [Part]) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They need the machine for themselves.
    arguments.test_threads = Some(1);
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let trials = Backend::ALL.into_iter().flat_map(|backend| {
        let parts = parts.iter().filter(move |part| part.backends.contains(&backend));
        parts.map(move |part| {
            let name = format!("{}::{}", backend.name(), part.name);
            Trial::test(name, move || trial(part, backend, seed)).with_ignored_flag(!part.is_possible(backend))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn trial(part: &Part, backend: Backend, seed: u64) -> Result<(), Failed> {
    let wrongs = match part_on(part, backend, None, seed) {
        Outcome::Held(_) | Outcome::Absent => return Ok(()),
        Outcome::Violated(tally) => tally.violations.join("\n"),
        Outcome::Broken(what) => what,
    };
    Err(format!("{wrongs}\nagain by {SEED}={seed}").into())
}
