//! Random commands on three rows and four models in hand, some of them stale, compared after each with a reference; a case that differs is shrunk.

mod case;
mod client;
mod command;
mod item;
mod outcome;
mod reference;
mod strategy;

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use proptest::prelude::Strategy;
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

pub(crate) async fn run(stage: &Stage) -> Result<Tally> {
    let db = stage.database().await?.connect(4).await?;
    item::create(&db).await?;
    let since = Instant::now();
    let mut tally = Tally::default();
    let mut cases = 0;
    while since.elapsed() < stage.time && tally.violations.is_empty() {
        one(stage, &db, cases, &mut tally);
        cases += 1;
    }
    tally.notes.push(format!(
        "Model, {}: {cases} cases of up to {} commands, compared with the reference after each.",
        stage.backend.name(),
        strategy::COMMANDS,
    ));
    Ok(tally)
}

/// A case by its number, the same for the same seed.
fn one(stage: &Stage, db: &DatabaseConnection, number: u64, tally: &mut Tally) {
    let mut random = stage.random(number);
    let mut seed = [0; 32];
    random.fill(&mut seed);
    let config = Config {
        failure_persistence: None,
        max_shrink_time: u32::try_from(SHRINKING.as_millis()).unwrap_or(u32::MAX),
        max_shrink_iters: u32::MAX,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let tree = strategy::commands().new_tree(&mut runner).expect("nothing is filtered out");
    let done = Mutex::new((0, 0));
    let outcome = runner.run_one(tree, |commands| {
        let case = sync(stage.backend, db, &commands).map_err(TestCaseError::fail)?;
        *done.lock().unwrap_or_else(PoisonError::into_inner) = (case.operations, case.conflicts);
        Ok(())
    });
    let (operations, conflicts) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.operations += operations;
    tally.conflicts += conflicts;
    match outcome {
        Ok(_) => {}
        Err(TestError::Fail(reason, commands)) => {
            let mut text = format!("case {number} of seed {}, shrunk to {} commands:\n", stage.seed, commands.len());
            for (number, command) in commands.iter().enumerate() {
                let _ = writeln!(text, "  {number}: {command:?}");
            }
            let _ = write!(text, "{}", reason.message());
            tally.violations.push(text);
        }
        Err(err) => tally.violations.push(format!("case {number} of seed {}: {err}", stage.seed)),
    }
}

/// Proptest knows no futures.
fn sync(backend: Backend, db: &DatabaseConnection, commands: &[Command]) -> Result<Case, String> {
    tokio::task::block_in_place(|| {
        let case = tokio::time::timeout(PATIENCE, Case::run(backend, db, commands));
        tokio::runtime::Handle::current()
            .block_on(async { case.await })
            .unwrap_or_else(|_| Err("it stands still".to_owned()))
    })
}
