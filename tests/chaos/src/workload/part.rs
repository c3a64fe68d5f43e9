//! A workload as a part: two processes of clients at once, and a look at what they have logged and left.

use optlock_history::{Attempt, History, Outcome, check_within};

use super::{Rows, Workload};
use crate::Result;
use crate::address::Address;
use crate::clock;
use crate::crew::Hand;
use crate::job::Job;
use crate::stage::Stage;
use crate::tally::Tally;

const PROCESSES: u64 = 2;
const CLIENTS: u64 = 4;

pub(crate) async fn counter(stage: &Stage) -> Result<Tally> {
    run(stage, Workload::Counter).await
}

pub(crate) async fn bank_versioned(stage: &Stage) -> Result<Tally> {
    run(stage, Workload::BankVersioned).await
}

pub(crate) async fn bank_locked(stage: &Stage) -> Result<Tally> {
    run(stage, Workload::BankLocked).await
}

pub(crate) async fn bank_serializable(stage: &Stage) -> Result<Tally> {
    run(stage, Workload::BankSerializable).await
}

pub(crate) async fn inventory(stage: &Stage) -> Result<Tally> {
    run(stage, Workload::Inventory).await
}

pub(crate) async fn nested(stage: &Stage) -> Result<Tally> {
    run(stage, Workload::Nested).await
}

pub(crate) async fn batch(stage: &Stage) -> Result<Tally> {
    run(stage, Workload::Batch).await
}

async fn run(stage: &Stage, workload: Workload) -> Result<Tally> {
    let address = stage.database().await?;
    let before = begin(&address, workload).await?;
    let hands = (0..PROCESSES).map(|process| {
        Hand::start(&Job {
            workload,
            address: address.clone(),
            time: stage.time,
            seed: stage.seed,
            first_client: process * CLIENTS,
            clients: CLIENTS,
            connections: u32::try_from(CLIENTS)?,
            is_journalled: false,
        })
    });
    let mut attempts = Vec::new();
    for hand in hands.collect::<Result<Vec<_>>>()? {
        attempts.extend(hand.done().await?.attempts);
    }
    judge(&address, workload, before, attempts).await
}

/// Creates the rows, and says what they are.
pub(crate) async fn begin(address: &Address, workload: Workload) -> Result<Rows> {
    let db = address.connect(1).await?;
    workload.create(&db).await?;
    let rows = workload.rows(&db).await?;
    db.close().await?;
    Ok(rows)
}

/// What the rows and the log say about all that was done to the rows.
pub(crate) async fn judge(address: &Address, workload: Workload, first: Rows, attempts: Vec<Attempt>) -> Result<Tally> {
    let db = address.connect(1).await?;
    let last = workload.rows(&db).await?;
    let mut violations = workload.wrongs(&db).await?;
    db.close().await?;
    let count = |outcome| attempts.iter().filter(|attempt| attempt.outcome == outcome).count() as u64;
    let (committed, conflicts, unknowns) = (
        count(Outcome::Committed),
        count(Outcome::Refused),
        count(Outcome::Unknown),
    );
    if committed == 0 {
        violations.push("nothing was ever committed".to_owned());
    }
    let history = History { first, attempts, last };
    let verdict = check_within(&history, clock::TOLERANCE);
    violations.extend(verdict.violations.iter().map(ToString::to_string));
    Ok(Tally {
        operations: committed + conflicts + unknowns,
        conflicts,
        unknowns,
        violations,
        ..Tally::default()
    })
}
