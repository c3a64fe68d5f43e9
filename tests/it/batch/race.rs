//! Batches over the same rows at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use optlock::prelude::*;
use optlock::{Error, Policy};
use sea_orm::TransactionTrait;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{rows, shuffle, with_qty};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::entity::keys::by_text;

cases![
    every_version_is_the_number_of_writes_that_were_reported,
    of_batches_that_are_all_or_nothing_the_winners_add_up,
    rows_with_keys_of_text_are_told_apart_by_all;
    SERVERS: deletes_of_other_rows_do_not_meet, updates_of_other_rows_by_keys_of_text_do_not_meet,
    no_other_row_is_waited_for;
];

const TASKS: usize = 8;
const ROUNDS: usize = 10;
const ROWS: i64 = 100;

/// SQLite's queue is not a fair one: on a busy machine others may have written for as long as somebody waits, and for longer than a policy goes on.
const PATIENT: Policy<'static> = Policy::new().without_deadline().attempts(1_000);

async fn every_version_is_the_number_of_writes_that_were_reported(context: Context) -> Outcome {
    item::create(&context).await?;
    super::large::fill(&context, ROWS).await?;
    let db = context.connect(8).await?;
    let start = Arc::new(Barrier::new(TASKS));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (db, start) = (db.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            let mut seed = task as u64;
            let mut written = BTreeMap::new();
            let mut conflicts = 0;
            start.wait().await;
            for _ in 0..ROUNDS {
                let mut loaded = item::Entity::find().all(&db).await?;
                shuffle(&mut loaded, &mut seed);
                let batch: Vec<_> = loaded.iter().map(|row| with_qty(row, row.qty + 1)).collect();
                for (row, verdict) in loaded
                    .iter()
                    .zip(item::Entity::update_batch(batch).policy(PATIENT).exec_each(&db).await?)
                {
                    match verdict {
                        Ok(updated) => {
                            assert_eq!(
                                (updated.id, updated.qty, updated.version),
                                (row.id, row.qty + 1, row.version + 1)
                            );
                            *written.entry(row.id).or_insert(0_i64) += 1;
                        }
                        Err(_) => conflicts += 1,
                    }
                }
            }
            Ok::<_, Error>((written, conflicts))
        });
    }
    let mut written = BTreeMap::new();
    let mut conflicts = 0;
    while let Some(result) = tasks.join_next().await {
        let (of_task, conflicts_of_task) = result??;
        for (id, count) in of_task {
            *written.entry(id).or_insert(0) += count;
        }
        conflicts += conflicts_of_task;
    }
    let stored = rows(&context).await?;
    assert_eq!(stored.len(), usize::try_from(ROWS)?);
    for row in stored {
        assert_eq!(
            row.version - 1,
            written.get(&row.id).copied().unwrap_or_default(),
            "{row:?}"
        );
    }
    assert!(conflicts > 0, "nobody ever raced: the case shows nothing");
    Ok(())
}

async fn of_batches_that_are_all_or_nothing_the_winners_add_up(context: Context) -> Outcome {
    item::create(&context).await?;
    super::large::fill(&context, ROWS).await?;
    let db = context.connect(8).await?;
    let start = Arc::new(Barrier::new(TASKS));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (db, start) = (db.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            let mut seed = 100 + task as u64;
            let mut won = 0;
            start.wait().await;
            for _ in 0..ROUNDS {
                let mut loaded = item::Entity::find().all(&db).await?;
                shuffle(&mut loaded, &mut seed);
                let batch: Vec<_> = loaded.iter().map(|row| with_qty(row, row.qty + 1)).collect();
                match item::Entity::update_batch(batch).policy(PATIENT).exec(&db).await {
                    Ok(updated) => {
                        assert_eq!(updated.len(), loaded.len());
                        won += 1;
                    }
                    Err(Error::Conflicts(_)) => {}
                    Err(err) => return Err(err),
                }
            }
            Ok::<_, Error>(won)
        });
    }
    let mut won = 0;
    while let Some(result) = tasks.join_next().await {
        won += result??;
    }
    assert!(won > 0);
    let versions: Vec<_> = rows(&context).await?.iter().map(|row| row.version - 1).collect();
    assert!(versions.iter().all(|version| *version == won), "{won}: {versions:?}");
    Ok(())
}

async fn rows_with_keys_of_text_are_told_apart_by_all(context: Context) -> Outcome {
    context.create(by_text::Entity).await?;
    for id in 0..30 {
        context
            .sql(&format!("INSERT INTO keyed (id, qty, version) VALUES ('k{id}', 0, 1)"))
            .await?;
    }
    let db = context.connect(8).await?;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let db = db.clone();
        tasks.spawn(async move {
            let mut seed = 200 + task as u64;
            let mut written = 0;
            for _ in 0..ROUNDS {
                let mut loaded = by_text::Entity::find().all(&db).await?;
                shuffle(&mut loaded, &mut seed);
                let batch = loaded.into_iter().map(|row| by_text::ActiveModel {
                    qty: Set(row.qty + 1),
                    ..row.into_active_model()
                });
                let verdicts = by_text::Entity::update_batch(batch)
                    .policy(PATIENT)
                    .exec_each(&db)
                    .await?;
                written += verdicts.iter().flatten().count();
            }
            Ok::<_, Error>(written)
        });
    }
    let mut written = 0;
    while let Some(result) = tasks.join_next().await {
        written += i64::try_from(result??)?;
    }
    assert_eq!(
        context
            .row("SELECT CAST(SUM(version - 1) AS CHAR(20)) FROM keyed")
            .await?
            .try_get_by_index::<String>(0)?
            .trim()
            .parse::<i64>()?,
        written
    );
    Ok(())
}

/// The halves of a table that is small enough to be read as a whole.
const HALVES: usize = 2;

/// Half of the rows each, in turns: every other one.
async fn deletes_of_other_rows_do_not_meet(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(2).await?;
    for _ in 0..ROUNDS {
        context.sql("DELETE FROM item WHERE id > 3").await?;
        super::large::fill(&context, 400).await?;
        let loaded = item::Entity::find().filter(item::Column::Id.gt(3)).all(&db).await?;
        let start = Arc::new(Barrier::new(HALVES));
        let mut tasks = JoinSet::new();
        for half in 0..HALVES {
            let (db, start) = (db.clone(), Arc::clone(&start));
            let rows: Vec<_> = loaded.iter().skip(half).step_by(HALVES).cloned().collect();
            tasks.spawn(async move {
                start.wait().await;
                let batch = rows.into_iter().map(IntoActiveModel::into_active_model);
                item::Entity::delete_batch(batch).policy(never()).exec(&db).await
            });
        }
        while let Some(result) = tasks.join_next().await {
            result??;
        }
    }
    Ok(())
}

async fn updates_of_other_rows_by_keys_of_text_do_not_meet(context: Context) -> Outcome {
    create_named(&context).await?;
    let db = context.connect(2).await?;
    let start = Arc::new(Barrier::new(HALVES));
    let mut tasks = JoinSet::new();
    for half in 0..HALVES {
        let (db, start) = (db.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            let loaded = by_text::Entity::find().order_by_id_asc().all(&db).await?;
            let mut rows: Vec<_> = loaded.into_iter().skip(half).step_by(HALVES).collect();
            for _ in 0..ROUNDS {
                start.wait().await;
                let batch = rows.into_iter().map(|row| by_text::ActiveModel {
                    qty: Set(row.qty + 1),
                    ..row.into_active_model()
                });
                rows = by_text::Entity::update_batch(batch).policy(never()).exec(&db).await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(result) = tasks.join_next().await {
        result??;
    }
    Ok(())
}

/// So many rows of so small a table that a server would rather read it, and lock it, as a whole; and one that somebody has locked.
async fn no_other_row_is_waited_for(context: Context) -> Outcome {
    item::create(&context).await?;
    super::large::fill(&context, 400).await?;
    create_named(&context).await?;
    let numbered = item::Entity::find().filter(item::Column::Id.lt(400)).order_by_id_asc();
    let named = by_text::Entity::find()
        .filter(by_text::Column::Id.lt("k399"))
        .order_by_id_asc();
    let (numbered, named) = (numbered.all(&context.db).await?, named.all(&context.db).await?);
    let other = context.other.begin().await?;
    other
        .execute_unprepared("UPDATE item SET qty = 7 WHERE id = 400")
        .await?;
    other
        .execute_unprepared("UPDATE keyed SET qty = 7 WHERE id = 'k399'")
        .await?;
    // At once, and again under locks, because of a row that is out of date.
    for is_stale in [false, true] {
        let every_other = named.iter().skip(usize::from(is_stale)).step_by(HALVES);
        let mut batch: Vec<_> = every_other.cloned().map(IntoActiveModel::into_active_model).collect();
        for model in &mut batch {
            model.qty = Set(1);
        }
        let mut doomed: Vec<_> = numbered
            .iter()
            .skip(usize::from(is_stale))
            .step_by(HALVES)
            .cloned()
            .collect();
        if is_stale {
            batch[3].version = Unchanged(9);
            doomed[3].version = 9;
        }
        let expected = usize::from(is_stale);
        let updated = by_text::Entity::update_batch(batch)
            .policy(never())
            .exec_each(&context.db)
            .await?;
        assert_eq!(updated.iter().filter(|verdict| verdict.is_err()).count(), expected);
        let doomed = doomed.into_iter().map(IntoActiveModel::into_active_model);
        let deleted = item::Entity::delete_batch(doomed)
            .policy(never())
            .exec_each(&context.db)
            .await?;
        assert_eq!(deleted.iter().filter(|verdict| verdict.is_err()).count(), expected);
    }
    other.rollback().await?;
    Ok(())
}

/// Four hundred rows with keys of text.
async fn create_named(context: &Context) -> Outcome {
    context.create(by_text::Entity).await?;
    let values: Vec<_> = (0..400).map(|id| format!("('k{id:03}', 0, 1)")).collect();
    context
        .sql(&format!(
            "INSERT INTO keyed (id, qty, version) VALUES {}",
            values.join(", ")
        ))
        .await
}

/// A policy that must have nothing to do.
fn never() -> Policy<'static> {
    Policy::new().on_retry(&|retry| panic!("{retry:?}"))
}
