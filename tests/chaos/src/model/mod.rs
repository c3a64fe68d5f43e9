//! Random commands on three rows and four models in hand, some of them stale, compared after each with a reference; a case that differs is shrunk.

mod case;
mod client;
mod command;
mod item;
mod outcome;
mod reference;
mod smaller;
mod strategy;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use sea_orm::DatabaseConnection;

use crate::Result;
use crate::backend::Backend;
use crate::stage::Stage;
use crate::tally::Tally;

use case::Case;
use command::Command;

/// A case that takes longer than this stands still.
const PATIENCE: Duration = Duration::from_secs(30);
/// For how long a case that differs is made smaller.
const SHRINKING: Duration = Duration::from_mins(1);

/// After so many cases each kind of outcome that every database has must have been told, or the commands have lost something.
const ENOUGH: u64 = 400;
const KINDS: &[&str] = &[
    "a count",
    "a key that is taken",
    "a key twice",
    "a row",
    "a row that was found",
    "a version that is assigned",
    "an overflow",
    "blocked",
    "changed",
    "conflicts",
    "deleted",
    "inserted",
    "missing rows",
    "no row",
    "not set",
    "refused",
    "rows",
    "the closure's own error",
    "unsupported",
    "updated",
    "verdicts",
];

pub(crate) async fn run(stage: &Stage) -> Result<Tally> {
    let db = stage.database().await?.connect(4).await?;
    item::create(&db).await?;
    let since = Instant::now();
    let mut tally = Tally::default();
    let mut kinds = BTreeMap::new();
    let mut cases = 0;
    while since.elapsed() < stage.time {
        match one(stage, &db, cases) {
            Ok(case) => {
                tally.operations += case.operations;
                tally.conflicts += case.conflicts;
                for (kind, count) in case.kinds {
                    *kinds.entry(kind).or_insert(0) += count;
                }
            }
            Err(violation) => {
                tally.violations.push(violation);
                return Ok(tally);
            }
        }
        cases += 1;
    }
    let untold: Vec<_> = KINDS.iter().filter(|kind| !kinds.contains_key(**kind)).collect();
    if cases >= ENOUGH && !untold.is_empty() {
        tally
            .violations
            .push(format!("in {cases} cases nobody was told {untold:?}"));
    }
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    tally.notes.push(format!(
        "model on {}: {cases} cases of up to {} commands, the outcome and the table compared after each; told were: {}.",
        stage.backend.name(),
        strategy::COMMANDS,
        kinds.join(", "),
    ));
    Ok(tally)
}

/// Runs a case by its number, which is the same for the same seed. If it differs: how, and the smallest case that was found to.
fn one(stage: &Stage, db: &DatabaseConnection, number: u64) -> Result<Case, String> {
    let mut seed = [0; 32];
    stage.random(number).fill(&mut seed);
    let config = Config {
        failure_persistence: None,
        max_shrink_time: u32::try_from(SHRINKING.as_millis()).unwrap_or(u32::MAX),
        max_shrink_iters: u32::MAX,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let tree = strategy::commands()
        .new_tree(&mut runner)
        .map_err(|reason| reason.to_string())?;
    let length = tree.current().len();
    let done = Mutex::new(None);
    let outcome = runner.run_one(tree, |commands| {
        let case = sync(stage.backend, db, &commands).map_err(TestCaseError::fail)?;
        *done.lock().unwrap_or_else(PoisonError::into_inner) = Some(case);
        Ok(())
    });
    let (reason, commands) = match outcome {
        Ok(_) => {
            let case = done.into_inner().unwrap_or_else(PoisonError::into_inner);
            return case.ok_or_else(|| "it was not run".to_owned());
        }
        Err(TestError::Fail(reason, commands)) => (reason, commands),
        Err(TestError::Abort(reason)) => return Err(format!("case {number} of seed {}: {reason}", stage.seed)),
    };
    let since = Instant::now();
    let run = |commands: &[Command]| {
        if since.elapsed() > SHRINKING {
            return Ok(());
        }
        sync(stage.backend, db, commands).map(drop)
    };
    let (commands, difference) = smaller::smaller(commands, reason.message().to_owned(), run);
    let mut text = format!(
        "case {number} of seed {}, of {length} commands, comes down to {}:\n",
        stage.seed,
        commands.len()
    );
    for (number, command) in commands.iter().enumerate() {
        let _ = writeln!(text, "  {number}: {command:?}");
    }
    text.push_str(&difference);
    Err(text)
}

/// Proptest knows no futures.
fn sync(backend: Backend, db: &DatabaseConnection, commands: &[Command]) -> Result<Case, String> {
    tokio::task::block_in_place(|| {
        let case = Box::pin(Case::run(backend, db, commands));
        tokio::runtime::Handle::current()
            .block_on(tokio::time::timeout(PATIENCE, case))
            .unwrap_or_else(|_| Err("it stands still".to_owned()))
    })
}
