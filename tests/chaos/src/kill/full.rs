//! A disk that is full: no file of the process may grow beyond a size, so that SQLite's writes to its log fail, wherever they are.

use optlock_history::{Attempt, Outcome};
use tokio::process::Command;

use super::application::{BOUND, Recruits};
use crate::Result;
use crate::crew::Hand;
use crate::stage::Stage;
use crate::tally::Tally;
use crate::workload::Workload;
use crate::workload::part::{begin, judge};

pub(crate) async fn run(stage: &Stage) -> Result<Tally> {
    let address = stage.database().await?;
    let workload = Workload::Counter;
    let first = begin(&address, workload).await?;
    let mut recruits = Recruits {
        workload,
        address: address.clone(),
        seed: stage.seed,
        next: 0,
    };
    // Blocks of the shell's, of 512 bytes or 1,024: less than the thousand pages after which SQLite begins its log anew.
    let blocks = stage.random(3).u64(100..2_000);
    // A process is told by a signal that would end it, unless it is ignored.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut attempts = Vec::new();
    let mut time = stage.time;
    let faults = loop {
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .arg(std::env::current_exe()?)
            .args(recruits.job(time).arguments());
        let of_process = Hand::spawn(command)?.done().await?.into_attempts(&first);
        let unknown = |attempt: &&Attempt| attempt.outcome == Outcome::Unknown;
        let faults = of_process.iter().filter(unknown).count() as u64;
        attempts.extend(of_process);
        if faults > 0 {
            break faults;
        }
        if time > BOUND {
            return Err("the disk was never full".into());
        }
        // A machine that is busy may not have written as much by then.
        time *= 2;
    };
    // There is room again.
    attempts.extend(recruits.last().await?.into_attempts(&first));
    let mut tally = judge(&address, workload, first, attempts).await?;
    tally.faults = faults;
    Ok(tally)
}
