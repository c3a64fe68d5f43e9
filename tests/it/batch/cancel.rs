//! Batches that are dropped half-way.

use std::future::Future;

use optlock::Error;
use optlock::prelude::*;

use super::with_qty;
use crate::cancel::poll_times;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    an_update_dropped_at_any_point_is_done_for_all_or_none,
    verdicts_dropped_at_any_point_are_done_for_all_or_none,
    a_delete_dropped_at_any_point_is_done_for_all_or_none,
];

type Row = (i64, i64, i64);

async fn rows(db: &DatabaseConnection) -> super::Result<Vec<item::Model>> {
    Ok(item::Entity::find().order_by_id_asc().all(db).await?)
}

fn seen(rows: &[item::Model]) -> Vec<Row> {
    rows.iter().map(|row| (row.id, row.qty, row.version)).collect()
}

/// Drops the work on the rows as they are after one poll, after two, and so on until it is done by then; many times over.
async fn drop_everywhere<T, F>(
    db: &DatabaseConnection,
    context: &Context,
    work: impl Fn(Vec<item::Model>) -> F,
    done: impl Fn(&[Row]) -> Vec<Row>,
) -> Outcome
where
    F: Future<Output = Result<T, Error>>,
{
    let (mut half_way, mut undone) = (0, 0);
    for _ in 0..20 {
        for times in 1.. {
            context.sql("DELETE FROM item").await?;
            context.sql("INSERT INTO item (id, name, qty, version) VALUES (1, 'a', 10, 1), (2, 'b', 20, 1), (3, 'c', 30, 1)").await?;
            let loaded = rows(db).await?;
            let before = seen(&loaded);
            let result = poll_times(Box::pin(work(loaded)), times).await;
            let after = seen(&rows(db).await?);
            let is_done = after == done(&before);
            assert!(
                is_done || after == before,
                "dropped after {times} polls: {before:?} became {after:?}"
            );
            if let Some(result) = result {
                result?;
                assert!(is_done, "{before:?} became {after:?}");
                break;
            }
            half_way += 1;
            undone += usize::from(!is_done);
        }
    }
    assert!(
        half_way > 0 && undone > 0,
        "half-way {half_way} times, {undone} of them undone: the case shows nothing"
    );
    Ok(())
}

async fn an_update_dropped_at_any_point_is_done_for_all_or_none(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let work = |rows: Vec<item::Model>| {
        // In two statements.
        let mut batch: Vec<_> = rows.iter().map(|row| with_qty(row, row.qty + 1)).collect();
        batch[1].name = Set(rows[1].name.clone());
        item::Entity::update_batch(batch).exec(&db)
    };
    let done = |before: &[Row]| {
        before
            .iter()
            .map(|(id, qty, version)| (*id, qty + 1, version + 1))
            .collect()
    };
    drop_everywhere(&db, &context, work, done).await
}

async fn verdicts_dropped_at_any_point_are_done_for_all_or_none(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let work = |rows: Vec<item::Model>| {
        let mut batch: Vec<_> = rows.iter().map(|row| with_qty(row, row.qty + 1)).collect();
        batch[1].version = Unchanged(0);
        item::Entity::update_batch(batch).exec_each(&db)
    };
    let done = |before: &[Row]| {
        let after = before.iter().map(|(id, qty, version)| {
            if *id == 2 {
                (*id, *qty, *version)
            } else {
                (*id, qty + 1, version + 1)
            }
        });
        after.collect()
    };
    drop_everywhere(&db, &context, work, done).await
}

async fn a_delete_dropped_at_any_point_is_done_for_all_or_none(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let work = |rows: Vec<item::Model>| {
        let batch = rows.into_iter().map(IntoActiveModel::into_active_model);
        item::Entity::delete_batch(batch).exec(&db)
    };
    drop_everywhere(&db, &context, work, |_| Vec::new()).await
}
