//! Runs the parts, one after another, on each database.

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use crate::Result;
use crate::backend::Backend;
use crate::options::Options;
use crate::part::Part;
use crate::report::{self, Line, Outcome};
use crate::stage::Stage;

/// How much longer than it was given a part may take until all that it has begun is at its end.
const GRACE: Duration = Duration::from_mins(2);

pub(crate) fn run(options: &Options, parts: &[Part]) -> Result<ExitCode> {
    if options.lists {
        for part in parts {
            println!("{}", part.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines = Vec::new();
    println!("chaos: seed {}", options.seed);
    for backend in Backend::ALL {
        if options.backend.is_some_and(|only| only != backend) {
            continue;
        }
        let parts = parts
            .iter()
            .filter(|part| part.name.starts_with(&options.part) && part.backends.contains(&backend));
        let parts: Vec<_> = parts.collect();
        let shares: u32 = parts.iter().map(|part| part.share).sum();
        for part in parts {
            let time = (!options.is_short).then(|| options.time * part.share / shares.max(1));
            let since = Instant::now();
            let outcome = if part.is_possible(backend) {
                part_on(part, backend, time, options.seed)
            } else {
                Outcome::Absent
            };
            let line = Line {
                part: part.name,
                backend,
                took: since.elapsed(),
                outcome,
            };
            println!("test chaos::{}::{} ... {}", backend.name(), part.name, line.verdict());
            lines.push(line);
        }
    }
    let succeeded = report::summary(&lines);
    if let Some(out) = &options.out {
        std::fs::write(out, report::page(options, &lines))?;
    }
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs one part on one database, in a runtime of its own: what it has left there ends with it.
/// `None` is the time of the short form.
pub(crate) fn part_on(part: &Part, backend: Backend, time: Option<Duration>, seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(outcome_of(part, backend, time, seed)),
        Err(err) => Outcome::Broken(err.to_string()),
    }
}

async fn outcome_of(part: &Part, backend: Backend, time: Option<Duration>, seed: u64) -> Outcome {
    let (is_short, time) = (time.is_none(), time.unwrap_or(part.short));
    let work = async {
        let stage = Stage::new(backend, time, seed, is_short)?;
        tokio::time::timeout(time + GRACE, (part.run)(&stage))
            .await
            .map_err(|_| format!("still running {GRACE:?} after its time"))?
    };
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(tally)) if tally.violations.is_empty() => Outcome::Held(tally),
        Ok(Ok(tally)) => Outcome::Violated(tally),
        Ok(Err(err)) => Outcome::Broken(error_chain(&*err)),
        // The panic has said on the terminal what it is about.
        Err(panic) => Outcome::Broken(
            panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "a panic".to_owned()),
        ),
    }
}

/// An error and its causes.
fn error_chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(err) = source {
        text.push_str("\n  caused by: ");
        text.push_str(&err.to_string());
        source = err.source();
    }
    text
}
