//! The benchmark of optlock against what a user would pick instead. Run it with `cargo xtask bench`.

mod candidate;
mod case;
mod data;
mod database;
mod machine;
mod options;
mod plot;
mod progress;
mod report;
mod stats;
mod table;

use std::error::Error;
use std::process::ExitCode;

use case::Case;
use data::Data;
use database::{Backend, Target};
use options::{Options, Request, USAGE};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> ExitCode {
    // On a worker: what runs on the main thread pays for waking it with each answer of the driver.
    let outcome = match tokio::spawn(run()).await {
        Ok(outcome) => outcome,
        Err(panic) => Err(panic.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    match Request::parse(std::env::args().skip(1))? {
        Request::Help => print!("{USAGE}"),
        Request::List => {
            for case in Case::ALL {
                println!("{:<12}{}", case.name(), case.title());
            }
        }
        Request::Report(options) => report::write(&options.out)?,
        Request::Run(options) => {
            for (case, backend) in plan(&options)? {
                measure(case, backend, &options).await?;
                // After each, so that an interrupted run leaves a report of what is done.
                report::write(&options.out)?;
            }
        }
    }
    Ok(())
}

/// The chosen cases, each with the chosen backends that it knows.
fn plan(options: &Options) -> Result<Vec<(Case, Option<Backend>)>> {
    let mut plan = Vec::new();
    for case in &options.cases {
        let backends = case.backends();
        if backends.is_empty() {
            plan.push((*case, None));
        }
        let chosen = backends.iter().filter(|backend| options.backends.contains(backend));
        plan.extend(chosen.map(|backend| (*case, Some(*backend))));
    }
    if options.only_missing {
        let there = Data::read_all(&options.out)?;
        plan.retain(|step| !there.iter().any(|data| (data.case, data.backend) == *step));
    }
    Ok(plan)
}

async fn measure(case: Case, backend: Option<Backend>, options: &Options) -> Result<()> {
    let (machine, date) = (machine::facts(), machine::date());
    let mut command = format!(
        "cargo xtask bench -- --case {} --length {}",
        case.name(),
        options.length.name()
    );
    let mut settings = Vec::new();
    let findings = if let Some(backend) = backend {
        command = format!("{command} --backend {}", backend.name());
        let target = Target::open(backend).await?;
        settings = target.settings().await?;
        case.run(&target, options.length).await?
    } else {
        case.run_without_database(options.length)?
    };
    for goal in &findings.goals {
        let verdict = if goal.is_reached() { "reached" } else { "missed" };
        eprintln!("bench: {verdict}: {} ({})", goal.what, stats::figure(goal.measured));
    }
    Data {
        case,
        backend,
        command,
        length: options.length.name().to_owned(),
        date,
        machine,
        settings,
        findings,
    }
    .write(&options.out)
}
