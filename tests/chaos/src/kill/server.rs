//! A server that is killed in the middle of commits, and started again.

use std::time::{Duration, Instant};

use super::application::{BOUND, Recruits};
use super::control;
use crate::Result;
use crate::clock;
use crate::stage::Stage;
use crate::tally::Tally;
use crate::workload::Workload;
use crate::workload::part::{begin, judge};

/// In a full run, whatever its time is.
const ROUNDS: u64 = 20;

pub(crate) async fn run(stage: &Stage) -> Result<Tally> {
    let mut tally = Tally::default();
    let rounds = if stage.is_short { 2 } else { ROUNDS };
    let workloads = [Workload::Counter, Workload::BankVersioned, Workload::BankLocked];
    for (workload, rounds) in workloads.into_iter().zip(shares(rounds, workloads.len())) {
        if rounds > 0 {
            tally.add(killed(stage, workload, rounds).await?);
        }
    }
    Ok(tally)
}

/// So many for each, the rest to the first ones.
fn shares(rounds: u64, of: usize) -> impl Iterator<Item = u64> {
    let of = of as u64;
    (0..of).map(move |number| rounds / of + u64::from(number < rounds % of))
}

async fn killed(stage: &Stage, workload: Workload, rounds: u64) -> Result<Tally> {
    let address = stage.database().await?;
    let first = begin(&address, workload).await?;
    let mut random = stage.random(2);
    let mut recruits = Recruits {
        workload,
        address: address.clone(),
        seed: stage.seed,
        next: 0,
    };
    let mut hands = [recruits.start()?, recruits.start()?];
    let mut slowest = Duration::ZERO;
    for _ in 0..rounds {
        tokio::time::sleep(Duration::from_millis(random.u64(200..1500))).await;
        let since = Instant::now();
        control::crash(stage.backend).await?;
        slowest = slowest.max(since.elapsed());
    }
    // Both have lost their server every time, and go on with the one that came back.
    let back = clock::now();
    for hand in &mut hands {
        let goes_on = tokio::time::timeout(BOUND, hand.goes_on_after(back));
        goes_on
            .await
            .map_err(|_| "a process does not go on with the server that came back")?;
    }
    let mut logs = Vec::new();
    for hand in hands {
        logs.push(hand.kill().await?);
    }
    logs.push(recruits.last().await?);
    let attempts = logs.into_iter().flat_map(|log| log.into_attempts(&first)).collect();
    let mut tally = judge(&address, workload, first, attempts).await?;
    tally.faults = rounds;
    tally.notes.push(format!(
        "{}: {rounds} times SIGKILL during {}, back after {:.1} s at most",
        stage.backend.name(),
        workload.name(),
        slowest.as_secs_f64()
    ));
    Ok(tally)
}
