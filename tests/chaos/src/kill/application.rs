//! Processes of clients that are killed wherever they are, while others go on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::Result;
use crate::address::Address;
use crate::crew::{Hand, Log};
use crate::job::Job;
use crate::stage::Stage;
use crate::tally::Tally;
use crate::workload::Workload;
use crate::workload::part::{begin, judge};

const PROCESSES: usize = 2;
const CLIENTS: u64 = 3;

/// Whoever works when the killing is over has this long for one more attempt on each row.
pub(super) const BOUND: Duration = Duration::from_secs(20);

pub(crate) async fn counter(stage: &Stage) -> Result<Tally> {
    run(stage, Workload::Counter).await
}

pub(crate) async fn bank(stage: &Stage) -> Result<Tally> {
    run(stage, Workload::BankLocked).await
}

async fn run(stage: &Stage, workload: Workload) -> Result<Tally> {
    let address = stage.database().await?;
    let first = begin(&address, workload).await?;
    let mut random = stage.random(1);
    let mut recruits = Recruits {
        workload,
        address: address.clone(),
        seed: stage.seed,
        next: 0,
    };
    let until = Instant::now() + stage.time;
    let mut hands = VecDeque::new();
    let mut logs = Vec::new();
    let mut kills = 0;
    while Instant::now() < until {
        while hands.len() < PROCESSES {
            hands.push_back(recruits.start()?);
        }
        // At random points of what they do.
        tokio::time::sleep(Duration::from_millis(random.u64(100..700))).await;
        if let Some(oldest) = hands.pop_front() {
            logs.push(oldest.kill().await?);
            kills += 1;
        }
    }
    for hand in hands {
        logs.push(hand.kill().await?);
        kills += 1;
    }
    logs.push(recruits.last().await?);
    let attempts = logs.into_iter().flat_map(|log| log.into_attempts(&first)).collect();
    let mut tally = judge(&address, workload, first, attempts).await?;
    tally.faults = kills;
    Ok(tally)
}

/// Processes one after another, each with clients of its own.
pub(super) struct Recruits {
    pub(super) workload: Workload,
    pub(super) address: Address,
    pub(super) seed: u64,
    pub(super) next: u64,
}

impl Recruits {
    pub(super) fn start(&mut self) -> Result<Hand> {
        // Longer than anybody lets it.
        Hand::start(&self.job(Duration::from_hours(1)))
    }

    pub(super) fn job(&mut self, time: Duration) -> Job {
        let first_client = self.next;
        self.next += CLIENTS;
        Job {
            workload: self.workload,
            address: self.address.clone(),
            time,
            seed: self.seed,
            first_client,
            clients: CLIENTS,
            connections: u32::try_from(CLIENTS).unwrap_or(u32::MAX),
            is_journalled: true,
        }
    }

    /// One that nobody kills: what the others have left must not keep it from its work.
    pub(super) async fn last(&mut self) -> Result<Log> {
        let hand = Hand::start(&self.job(Duration::from_millis(500)))?;
        let log = tokio::time::timeout(BOUND, hand.done())
            .await
            .map_err(|_| "what is left of the killed ones keeps others from their work")??;
        if log.attempts.is_empty() {
            return Err("nobody has done anything after the killing".into());
        }
        Ok(log)
    }
}
