//! Each byte of an exchange as the point of a crash: after the first, the second, the third byte of either side, the connection is cut, or nothing more comes and the
//! application gives up, and each time what it was told is compared with what is stored.

mod exchange;
mod lane;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::task::JoinSet;

use crate::Result;
use crate::row;
use crate::stage::Stage;
use crate::tally::Tally;

use super::order::When;
use super::receipt;
use exchange::Exchange;
use lane::Lane;

/// How many positions are tried at the same time, each with rows of its own.
const LANES: u32 = 5;

/// Positions are tried in so many passes, each over the whole length, so that a few of them show much.
const PASSES: usize = 8;

/// Where one exchange is ended.
#[derive(Clone, Copy, Debug)]
struct Position {
    exchange: Exchange,
    when: When,
}

/// As many passes as there is time for.
pub(crate) async fn run(stage: &Stage) -> Result<Tally> {
    let until = Instant::now() + stage.time;
    let mut random = stage.random(1);
    let address = stage.database().await?;
    let direct = address.connect(LANES).await?;
    row::create(&direct, 2 * i64::from(LANES), 0).await?;
    receipt::create(&direct).await?;
    let mut lanes = Vec::new();
    for number in 0..LANES {
        let lane = Lane::start(&address, direct.clone(), number, random.fork()).await?;
        lanes.push(lane);
    }

    let mut passes = vec![Vec::new(); PASSES];
    let mut lengths = Vec::new();
    for exchange in Exchange::ALL {
        let (of_client, of_server) = lanes[0].measure(exchange).await?;
        lengths.push(format!("{exchange:?} {of_client} and {of_server}"));
        let of_client = (0..=of_client).map(When::FromClient);
        for (number, when) in of_client.chain((0..=of_server).map(When::FromServer)).enumerate() {
            passes[number % PASSES].push(Position { exchange, when });
        }
    }
    random.shuffle(&mut passes);
    let count: usize = passes.iter().map(Vec::len).sum();
    for pass in &mut passes {
        // What takes longer must not come last.
        random.shuffle(pass);
    }
    let positions: VecDeque<Position> = passes.into_iter().flatten().collect();
    let positions = Arc::new(Mutex::new(positions));

    let mut tasks = JoinSet::new();
    for mut lane in lanes {
        let positions = Arc::clone(&positions);
        tasks.spawn(async move {
            while Instant::now() < until {
                let Some(position) = positions.lock().unwrap().pop_front() else {
                    break;
                };
                lane.fail_at(position).await?;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(lane.end())
        });
    }
    let mut tally = Tally::default();
    while let Some(of_lane) = tasks.join_next().await {
        tally.add(of_lane??);
    }
    direct.close().await?;
    if 2 * tally.faults < tally.operations {
        return Err(format!("{} faults at {} positions", tally.faults, tally.operations).into());
    }
    tally.notes.push(format!(
        "The sweep on {} has tried {} of {count} positions, in bytes of client and server: {}.",
        stage.backend.name(),
        tally.operations,
        lengths.join(", ")
    ));
    Ok(tally)
}
