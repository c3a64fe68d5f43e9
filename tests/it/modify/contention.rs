//! Many tasks, one row: nothing is lost, nobody starves, and it costs no more than to wait in line from the beginning.

use std::sync::Arc;
use std::time::{Duration, Instant};

use optlock::prelude::*;
use optlock::{Error, Policy, Report};
use tokio::sync::{Barrier, Mutex};
use tokio::task::JoinSet;

use super::insert_item;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};

cases![
    sixteen_tasks_on_one_row_lose_nothing_and_nobody_starves,
    sixty_four_tasks_on_one_row_lose_nothing_and_nobody_starves,
    sixteen_tasks_are_about_as_fast_as_with_locks,
    sixty_four_tasks_are_about_as_fast_as_with_locks;
    POSTGRES:
    everybody_gets_through_where_a_wait_for_a_lock_is_a_conflict,
];

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Three rounds that are lost, and one that is locked.
const WORST: u32 = 4;

/// What is allowed for not knowing in advance that there will be so many.
const RATIO: f64 = 1.3;

/// How often the time of each is taken.
const LEAST: usize = 3;
const MOST: usize = 10;

/// These cases take the time, or all of the machine: one at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn pool(context: &Context) -> Result<DatabaseConnection> {
    let size = context.backend.pick(4, 16, 16);
    let db = context.connect(size).await?;
    // All of its connections are there before anybody counts the time.
    let mut tasks = JoinSet::new();
    let start = Arc::new(Barrier::new(size as usize));
    for _ in 0..size {
        let (db, start) = (db.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            use sea_orm::TransactionTrait;

            let txn = db.begin().await?;
            start.wait().await;
            txn.rollback().await
        });
    }
    while let Some(result) = tasks.join_next().await {
        result??;
    }
    Ok(db)
}

/// Runs an increment so often in each of so many tasks, and returns how long all of it took, and what each increment returned.
async fn race<T, F>(tasks: usize, increments: usize, work: impl Fn() -> F) -> Result<(Duration, Vec<T>)>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let start = Arc::new(Barrier::new(tasks + 1));
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let start = Arc::clone(&start);
        let work: Vec<_> = std::iter::repeat_with(&work).take(increments).collect();
        running.spawn(async move {
            start.wait().await;
            let mut outputs = Vec::new();
            for work in work {
                outputs.push(work.await?);
            }
            Ok::<_, Error>(outputs)
        });
    }
    start.wait().await;
    let begun = Instant::now();
    let mut outputs = Vec::new();
    while let Some(result) = running.join_next().await {
        outputs.extend(result??);
    }
    Ok((begun.elapsed(), outputs))
}

/// A row of this case's on this backend: what it is known for is no other one's.
async fn create(context: &Context, number: i64) -> Result<i64> {
    item::create(context).await?;
    let id = number + context.backend.pick(0, 1, 2);
    insert_item(context, id, 0).await?;
    Ok(id)
}

async fn loses_nothing(context: &Context, number: i64, tasks: usize, increments: usize) -> Outcome {
    let id = create(context, number).await?;
    let db = pool(context).await?;
    let _alone = ALONE.lock().await;
    let work = || {
        let db = db.clone();
        async move {
            let report = Report::new();
            // As if each were of a process of its own.
            let policy = Policy::new().without_deadline().never_queue().report(&report);
            let row = policy.modify(item::Entity, &db, id, |row| row.qty += 1).await?;
            Ok((row, report.attempts()))
        }
    };
    let (took, outputs) = race(tasks, increments, work).await?;
    let total = i64::try_from(tasks * increments)?;
    let worst = outputs.iter().map(|(_, attempts)| *attempts).max();
    let repeated = outputs.iter().filter(|(_, attempts)| *attempts > 1).count();
    let lost: u32 = outputs.iter().map(|(_, attempts)| attempts - 1).sum();
    println!(
        "{:?}: {tasks} tasks, {increments} increments each, {took:?}; {repeated} of {total} lost {lost} rounds, the worst had {worst:?} attempts",
        context.backend
    );
    let mut versions: Vec<_> = outputs.iter().map(|(row, _)| row.version).collect();
    versions.sort_unstable();
    assert!(versions.into_iter().eq(2..=total + 1), "the versions have a gap");
    for (row, _) in &outputs {
        assert_eq!(row.qty, row.version - 1, "what is returned is the caller's own");
    }
    let row = stored(context, id).await?;
    assert_eq!((row.1, row.2), (total, total + 1));
    assert!(repeated > 0, "nobody ever raced: the case shows nothing");
    assert!(worst <= Some(WORST), "somebody needed {worst:?} attempts");
    Ok(())
}

async fn sixteen_tasks_on_one_row_lose_nothing_and_nobody_starves(context: Context) -> Outcome {
    loses_nothing(&context, 600, 16, 10).await
}

async fn sixty_four_tasks_on_one_row_lose_nothing_and_nobody_starves(context: Context) -> Outcome {
    loses_nothing(&context, 610, 64, 5).await
}

/// Above READ COMMITTED, whoever has waited finds what was committed meanwhile a reason to fail.
async fn everybody_gets_through_where_a_wait_for_a_lock_is_a_conflict(context: Context) -> Outcome {
    use sea_orm::TransactionTrait;

    let id = create(&context, 660).await?;
    let db = context.connect(16).await?;
    let mut sessions = Vec::new();
    for _ in 0..16 {
        let session = db.begin().await?;
        session
            .execute_unprepared("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .await?;
        sessions.push(session);
    }
    for session in sessions {
        session.commit().await?;
    }
    let _alone = ALONE.lock().await;
    let work = || {
        let db = db.clone();
        async move {
            let policy = Policy::new().without_deadline().never_queue();
            policy.modify(item::Entity, &db, id, |row| row.qty += 1).await
        }
    };
    let (_, outputs) = race(32, 10, work).await?;
    assert_eq!(outputs.len(), 320);
    let row = stored(&context, id).await?;
    assert_eq!((row.1, row.2), (320, 321));
    Ok(())
}

async fn is_about_as_fast_as_with_locks(context: &Context, number: i64, tasks: usize, increments: usize) -> Outcome {
    let id = create(context, number).await?;
    let locked_id = number + 5 + context.backend.pick(0, 1, 2);
    insert_item(context, locked_id, 0).await?;
    let db = pool(context).await?;
    let _alone = ALONE.lock().await;
    let modified = || {
        let db = db.clone();
        async move {
            let policy = Policy::new().without_deadline();
            policy.modify(item::Entity, &db, id, |row| row.qty += 1).await
        }
    };
    let locked = || {
        let db = db.clone();
        async move {
            let work = |txn| async move {
                let row = item::Entity::find_by_id(locked_id).for_update().one(&txn).await?;
                let row = row.ok_or_else(|| DbErr::RecordNotFound("the row".to_owned()))?;
                Ok::<_, Error>(row.update(|row| row.qty += 1).await?.into_model())
            };
            // The default policy would do, if it were not for the deadline: what is measured is to wait in line.
            Policy::new().without_deadline().transaction(&db, work).await
        }
    };
    let mut all = [Vec::new(), Vec::new()];
    let best = |times: &Vec<Duration>| times.iter().min().map_or(f64::INFINITY, Duration::as_secs_f64);
    // In turns, and each of the two is first about as often as it is second. What else the machine does makes a time longer and never shorter, so the
    // best of more is nearer to the truth.
    for which in [0, 1, 1, 0].into_iter().cycle().take(2 * MOST) {
        let took = if which == 0 {
            race(tasks, increments, modified).await?.0
        } else {
            race(tasks, increments, locked).await?.0
        };
        all[which].push(took);
        let count = all[0].len();
        if count == all[1].len() && count >= LEAST && best(&all[0]) <= RATIO * best(&all[1]) {
            break;
        }
    }
    let total = i64::try_from(tasks * increments * all[0].len())?;
    for id in [id, locked_id] {
        let row = stored(context, id).await?;
        assert_eq!((row.1, row.2), (total, total + 1));
    }
    let ratio = best(&all[0]) / best(&all[1]);
    println!(
        "{:?}: {tasks} tasks, {increments} increments each: modify {:?}, locks {:?}: ratio {ratio:.2}",
        context.backend, all[0], all[1]
    );
    assert!(
        ratio <= RATIO,
        "it takes {ratio:.2} times as long as with locks: {:?} and {:?}",
        all[0],
        all[1]
    );
    Ok(())
}

async fn sixteen_tasks_are_about_as_fast_as_with_locks(context: Context) -> Outcome {
    is_about_as_fast_as_with_locks(&context, 620, 16, 10).await
}

async fn sixty_four_tasks_are_about_as_fast_as_with_locks(context: Context) -> Outcome {
    is_about_as_fast_as_with_locks(&context, 640, 64, 5).await
}
