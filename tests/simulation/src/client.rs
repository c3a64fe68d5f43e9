//! A client: one operation after another, each under a policy of its own.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;
use optlock::{Report, Retry, Stop};

use crate::attempt::{Failed, Operation, attempt};
use crate::judge::judge;
use crate::plan::{Borrowed, Plan};
use crate::run::{End, Recorder};
use crate::table::is_infrastructure;
use crate::time::Watch;
use crate::world::World;

/// Operations until the faults stop, and at most so many.
const OPERATIONS: u64 = 12;

pub(crate) async fn client(world: Arc<World>, number: usize, mut random: Rng, last_attempts: u32) {
    // Some take longer than a budget remembers.
    let longest_idle = if random.bool() { 50_000 } else { 5_000_000 };
    for operation in 0..OPERATIONS {
        if world.is_calm() {
            break;
        }
        let plan = Plan::new(&mut random, world.budgets.len());
        let patience = (random.u32(..8) == 0).then(|| Duration::from_millis(random.u64(1..500)));
        let operation = some_operation(&mut random, number, operation, plan.is_idempotent);
        run(&world, &operation, &plan, patience).await;
        let idle = Duration::from_micros(random.u64(..longest_idle));
        world.time.sleep(idle).await;
    }
    let calm = world.weather.lock().unwrap().ends.saturating_sub(world.time.now());
    world.time.sleep(calm).await;
    // Now nothing fails but by a rival, who has then succeeded.
    let plan = Plan::patient(&mut random, last_attempts);
    let operation = some_operation(&mut random, number, OPERATIONS, true);
    let end = run(&world, &operation, &plan, None).await;
    if end != End::Succeeded {
        world.violated(format!(
            "client {number} does not succeed though nothing fails any more: {end:?}"
        ));
    }
}

fn some_operation(random: &mut Rng, client: usize, number: u64, is_idempotent: bool) -> Operation {
    let mut keys: Vec<_> = (0..crate::seeds::KEYS).collect();
    random.shuffle(&mut keys);
    keys.truncate(random.usize(1..=3));
    Operation {
        number: client as u64 * 1_000 + number,
        client,
        keys: (0..)
            .zip(keys)
            .map(|(place, key)| (key, place == 0 || random.bool()))
            .collect(),
        is_idempotent,
    }
}

/// One run of a policy, which is judged as soon as it ends.
async fn run(world: &Arc<World>, operation: &Operation, plan: &Plan, patience: Option<Duration>) -> End {
    let (watch, report, recorder) = (
        Watch::new(&world.time, plan.has_timer),
        Report::new(),
        Recorder::default(),
    );
    world.tell(format_args!("{operation:?} under {plan:?}"));
    let hook = |retry: &Retry| {
        let (now, of) = (world.time.now(), is_infrastructure(retry.fault()));
        world.tell(format_args!("  client {}: {retry:?}", operation.client));
        recorder.told(now, retry);
        if let Some(budget) = plan.budget {
            let mut ledger = world.ledgers[budget].lock().unwrap();
            if !ledger.allows(now, of) {
                world.violated(format!("{retry:?} is more than the budget allows"));
            }
            ledger.retried(now, of);
        }
    };
    let borrowed = Borrowed {
        clock: &watch,
        report: &report,
        hook: &hook,
        budgets: &world.budgets,
    };
    let policy = plan.policy(&borrowed);
    let work = || {
        let is_first = recorder.began(world.time.now());
        if let Some(budget) = plan.budget.filter(|_| is_first) {
            world.ledgers[budget].lock().unwrap().called(world.time.now());
        }
        async {
            let outcome = attempt(world, operation).await;
            recorder.ended(world.time.now(), outcome.err().map(|Failed(fault)| fault));
            outcome
        }
    };
    // Both are one; each has its own way to what an error means.
    let outcome = if operation.number.is_multiple_of(2) {
        in_time(world, patience, policy.retry(work)).await
    } else {
        in_time(world, patience, policy.retry_with(|Failed(fault)| *fault, work)).await
    };
    let end = match outcome {
        Some(Ok(())) => End::Succeeded,
        Some(Err(Failed(fault))) => End::Failed(fault),
        None => End::Dropped,
    };
    let run = recorder.finish(end, watch.asked(), &report);
    world.tell(format_args!("  client {}: {end:?}, {:?}", operation.client, run.stop));
    if let (Some(Stop::Budget), Some(budget), End::Failed(fault)) = (run.stop, plan.budget, end) {
        let (now, of) = (world.time.now(), is_infrastructure(fault));
        if world.ledgers[budget].lock().unwrap().allows(now, of) {
            world.violated(format!("the budget allows a retry after {fault}, which was not made"));
        }
    }
    if let Err(what) = judge(plan, &run) {
        world.violated(format!(
            "client {}, operation {}: {what}",
            operation.client, operation.number
        ));
    }
    let doers = world.store.lock().unwrap().doers(operation.number).len();
    if doers > 1 || (end == End::Succeeded && doers == 0) {
        world.violated(format!(
            "operation {} ended with {end:?} and was done {doers} times",
            operation.number
        ));
    }
    world.outcome.lock().unwrap().ran(plan, run, operation.number);
    end
}

/// `None` if it takes longer: then it is dropped.
async fn in_time<T>(world: &World, patience: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut timer = patience.map(|patience| Box::pin(world.time.sleep(patience)));
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        match &mut timer {
            Some(timer) => timer.as_mut().poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}
