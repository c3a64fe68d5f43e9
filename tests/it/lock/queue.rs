//! Work that is taken from a queue with `skip_locked`.

use std::env;
use std::process::ExitCode;

use optlock::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ConnectOptions, Database, QueryOrder};

use super::begin;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    workers_take_work_one_after_the_other;
    SERVERS:
    two_workers_take_different_work,
    a_row_that_is_skipped_is_none,
    work_of_a_worker_that_is_killed_is_free_at_once;
    POSTGRES:
    a_row_that_changes_under_the_snapshot_is_skipped;
];

/// Jobs 1 to 10.
async fn create(context: &Context) -> Outcome {
    context.create(item::Entity).await?;
    for id in 1..=10 {
        let job = format!("INSERT INTO item (id, name, qty, version) VALUES ({id}, 'job {id}', 0, 1)");
        context.sql(&job).await?;
    }
    Ok(())
}

async fn take(
    txn: &sea_orm::DatabaseTransaction,
    jobs: u64,
) -> Result<Vec<optlock::Locked<'_, item::Model>>, optlock::Error> {
    let open = item::Entity::find()
        .filter(item::Column::Qty.eq(0))
        .order_by_asc(item::Column::Id);
    open.for_update().skip_locked().limit(jobs).all(txn).await
}

fn ids(rows: &[optlock::Locked<'_, item::Model>]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

async fn workers_take_work_one_after_the_other(context: Context) -> Outcome {
    create(&context).await?;
    for expected in [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]] {
        let txn = begin(&context.db).await?;
        let jobs = take(&txn, 5).await?;
        assert_eq!(ids(&jobs), expected);
        for job in jobs {
            job.update(|job| job.qty = 1).await?;
        }
        txn.commit().await?;
    }
    Ok(())
}

async fn two_workers_take_different_work(context: Context) -> Outcome {
    create(&context).await?;
    let (first, second) = (begin(&context.db).await?, begin(&context.other).await?);
    assert_eq!(ids(&take(&first, 5).await?), [1, 2, 3, 4, 5]);
    assert_eq!(ids(&take(&second, 5).await?), [6, 7, 8, 9, 10]);
    Ok(())
}

async fn a_row_that_is_skipped_is_none(context: Context) -> Outcome {
    create(&context).await?;
    let (first, second) = (begin(&context.db).await?, begin(&context.other).await?);
    let _held = item::Entity::find_by_id(1).for_update().one(&first).await?;
    let skipped = item::Entity::find_by_id(1)
        .for_update()
        .skip_locked()
        .one(&second)
        .await?;
    assert!(skipped.is_none());
    Ok(())
}

/// The variables that make this program a worker, and tell it where the jobs are.
const WORKER_URL: &str = "OPTLOCK_TEST_WORKER_URL";
const WORKER_SCHEMA: &str = "OPTLOCK_TEST_WORKER_SCHEMA";

/// The worker's side of the case below, if this process is one: it takes a job and never finishes it.
pub(crate) fn run_as_worker() -> Option<ExitCode> {
    let url = env::var(WORKER_URL).ok()?;
    let work = async {
        let mut options = ConnectOptions::new(url);
        if let Ok(schema) = env::var(WORKER_SCHEMA) {
            options.set_schema_search_path(schema);
        }
        let db = Database::connect(options).await?;
        let txn = begin(&db).await?;
        println!("took {:?}", ids(&take(&txn, 1).await?));
        std::future::pending::<()>().await;
        Ok::<_, optlock::Error>(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let err = runtime.expect("a runtime").block_on(work).unwrap_err();
    eprintln!("{err:?}");
    Some(ExitCode::FAILURE)
}

async fn work_of_a_worker_that_is_killed_is_free_at_once(context: Context) -> Outcome {
    use tokio::io::{AsyncBufReadExt as _, BufReader};

    create(&context).await?;
    let (url, schema) = context.address();
    let mut command = tokio::process::Command::new(env::current_exe()?);
    command
        .env(WORKER_URL, url)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true);
    if let Some(schema) = schema {
        command.env(WORKER_SCHEMA, schema);
    }
    let mut worker = command.spawn()?;
    let output = worker.stdout.take().ok_or("no output")?;
    let said = BufReader::new(output).lines().next_line().await?;
    assert_eq!(said.as_deref(), Some("took [1]"));

    let txn = begin(&context.db).await?;
    assert_eq!(ids(&take(&txn, 1).await?), [2], "the first one is taken");
    txn.rollback().await?;

    worker.kill().await?;
    let txn = begin(&context.db).await?;
    let freed = item::Entity::find_by_id(1)
        .for_update()
        .wait(std::time::Duration::from_secs(10))
        .one(&txn)
        .await?;
    assert!(freed.is_some());
    Ok(())
}

/// The snapshot of the claim is older than a change to the first job, which is locked once more by then.
async fn a_row_that_changes_under_the_snapshot_is_skipped(context: Context) -> Outcome {
    create(&context).await?;
    let gate = context.connect(1).await?;
    gate.execute_unprepared("SELECT pg_advisory_lock(hashtextextended(current_schema(), 0))")
        .await?;
    let claim = tokio::spawn({
        let db = context.db.clone();
        async move {
            let txn = begin(&db).await?;
            let behind_the_gate =
                Expr::cust("pg_advisory_xact_lock_shared(hashtextextended(current_schema(), 0))::text IS NOT NULL");
            let jobs = item::Entity::find()
                .filter(behind_the_gate)
                .order_by_asc(item::Column::Id);
            let jobs = jobs.for_update().skip_locked().limit(1).all(&txn).await?;
            Ok::<_, optlock::Error>(ids(&jobs))
        }
    });
    crate::wait::until_waiting_for_name(&context, &context.name).await?;
    context.sql("UPDATE item SET name = 'changed' WHERE id = 1").await?;
    let rival = begin(&context.other).await?;
    let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
    gate.execute_unprepared("SELECT pg_advisory_unlock(hashtextextended(current_schema(), 0))")
        .await?;
    assert_eq!(claim.await??, [2]);
    Ok(())
}
