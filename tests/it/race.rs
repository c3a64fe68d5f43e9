//! Many writers, one row.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use optlock::Error;
use optlock::prelude::*;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::{item, priced};

cases![
    concurrent_increments_are_all_kept,
    without_the_check_increments_are_lost,
    a_returned_model_is_never_a_rivals,
    a_returned_model_that_was_read_back_is_never_a_rivals,
    of_many_deletes_one_wins,
];

const TASKS: usize = 16;
const ROUNDS: usize = 12;

/// Whether a write failed because of a rival, and may be tried again from a fresh read.
fn may_retry(err: &Error) -> bool {
    err.is_conflict() || err.fault() == Some(optlock::Fault::Busy) || err.fault() == Some(optlock::Fault::Deadlock)
}

async fn concurrent_increments_are_all_kept(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(8).await?;
    let start = Arc::new(Barrier::new(TASKS));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (db, start) = (db.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            let mut versions = Vec::new();
            let mut conflicts = 0;
            while versions.len() < ROUNDS {
                let item = item::Entity::find_by_id(1).one(&db).await?.ok_or("no row")?;
                let qty = item.qty + 1;
                let mut change = item.into_active_model();
                change.qty = Set(qty);
                match change.update(&db).await {
                    Ok(item) => {
                        assert_eq!(item.qty, qty);
                        versions.push(item.version);
                    }
                    Err(err) if may_retry(&err) => conflicts += 1,
                    Err(err) => return Err(err.into()),
                }
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((versions, conflicts))
        });
    }
    let mut versions = BTreeSet::new();
    let mut conflicts = 0;
    while let Some(result) = tasks.join_next().await {
        let (of_task, conflicts_of_task) = result??;
        conflicts += conflicts_of_task;
        for version in of_task {
            assert!(versions.insert(version), "version {version} was given out twice");
        }
    }
    let writes = i64::try_from(TASKS * ROUNDS)?;
    assert!(versions.into_iter().eq(2..=writes + 1), "the versions have a gap");
    assert_eq!(
        item::stored(&context, 1).await?,
        ("a".to_owned(), 10 + writes, 1 + writes)
    );
    assert!(conflicts > 0, "nobody ever raced: the case shows nothing");
    Ok(())
}

async fn without_the_check_increments_are_lost(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(8).await?;
    let read = Arc::new(Barrier::new(2));
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let (db, read) = (db.clone(), Arc::clone(&read));
        tasks.spawn(async move {
            let item = item::Entity::find_by_id(1).one(&db).await?.ok_or("no row")?;
            read.wait().await;
            let qty = item.qty + 1;
            let mut change = item.into_active_model();
            change.qty = Set(qty);
            change.update_unchecked(&db).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    while let Some(result) = tasks.join_next().await {
        result??;
    }
    assert_eq!(
        item::stored(&context, 1).await?,
        ("a".to_owned(), 11, 1),
        "two increments, one kept"
    );
    Ok(())
}

/// A rival who writes the row over and over until the returned flag is set.
fn rival(context: &Context, table: &'static str) -> (Arc<AtomicBool>, tokio::task::JoinHandle<Result<(), DbErr>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (db, stopped) = (context.other.clone(), Arc::clone(&stop));
    let task = tokio::spawn(async move {
        while !stopped.load(Ordering::Relaxed) {
            let sql = format!("UPDATE {table} SET qty = -1, version = version + 1 WHERE id = 1");
            match db.execute_unprepared(&sql).await {
                Err(err) if !may_retry(&err.clone().into()) => return Err(err),
                _ => tokio::task::yield_now().await,
            }
        }
        Ok(())
    });
    (stop, task)
}

async fn a_returned_model_is_never_a_rivals(context: Context) -> Outcome {
    item::create(&context).await?;
    let (stop, task) = rival(&context, "item");
    let mut written = 0;
    while written < 300 {
        let item = item::load(&context, 1).await?;
        let expected = item.version;
        let mut change = item.into_active_model();
        change.qty = Set(written);
        match change.update(&context.db).await {
            Ok(item) => {
                assert_eq!((item.qty, item.version), (written, expected + 1));
                written += 1;
            }
            Err(err) => assert!(may_retry(&err), "{err:?}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    task.await??;
    Ok(())
}

async fn a_returned_model_that_was_read_back_is_never_a_rivals(context: Context) -> Outcome {
    context.create(priced::Entity).await?;
    context
        .sql("INSERT INTO priced (id, price, qty, version) VALUES (1, 1.50, 0, 1)")
        .await?;
    let (stop, task) = rival(&context, "priced");
    let mut written = 0;
    while written < 300 {
        let row = priced::Entity::find_by_id(1).one(&context.db).await?.ok_or("no row")?;
        let expected = row.version;
        let price = rust_decimal(written);
        let mut change = row.into_active_model();
        change.price = Set(price);
        change.qty = Set(written);
        match change.update(&context.db).await {
            Ok(row) => {
                assert_eq!((row.price, row.qty, row.version), (price, written, expected + 1));
                written += 1;
            }
            Err(err) => assert!(may_retry(&err), "{err:?}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    task.await??;
    if context.backend == Backend::MariaDb {
        context.take_statements();
        let row = priced::Entity::find_by_id(1).one(&context.db).await?.ok_or("no row")?;
        let mut change = row.into_active_model();
        change.price = Set(rust_decimal(1));
        change.update(&context.db).await?;
        let read = context.take_statements().pop().unwrap_or_default();
        assert!(
            read.starts_with("SELECT") && read.contains("`priced`.`version` = ?"),
            "{read}"
        );
    }
    Ok(())
}

fn rust_decimal(cents: i64) -> Decimal {
    Decimal::new(cents, 2)
}

async fn of_many_deletes_one_wins(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(8).await?;
    let item = item::load(&context, 1).await?;
    let start = Arc::new(Barrier::new(8));
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (db, start, item) = (db.clone(), Arc::clone(&start), item.clone());
        tasks.spawn(async move {
            start.wait().await;
            item.delete(&db).await
        });
    }
    let mut wins = 0;
    while let Some(result) = tasks.join_next().await {
        match result? {
            Ok(_) => wins += 1,
            Err(err) => assert!(err.is_gone(), "{err:?}"),
        }
    }
    assert_eq!(wins, 1);
    assert_eq!(
        item::Entity::find()
            .filter(item::Column::Qty.eq(10))
            .all(&db)
            .await?
            .len(),
        0
    );
    Ok(())
}
