//! Futures that are dropped half-way, and futures that cross threads.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use optlock::prelude::*;
use sea_orm::{IsolationLevel, TransactionTrait};

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};

cases![
    an_update_dropped_at_any_point_is_done_or_not_done,
    writes_run_in_spawned_tasks_with_borrowed_arguments;
    // Not on MariaDB: dropped while a statement is in flight, a transaction can lose its connection there, without
    // optlock too (sea-orm 2.0.4, sqlx 0.9.0). GUARANTEES.md has the row.
    SQLITE: a_transaction_dropped_at_any_point_leaves_nothing;
    POSTGRES: a_transaction_dropped_at_any_point_leaves_nothing;
    SERVERS: an_update_dropped_while_it_waits_leaves_the_pool_usable;
];

/// Polls a future this often and drops it. `None` if it was not ready by then.
pub(crate) async fn poll_times<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    std::future::poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // Whoever wakes us wakes the next poll, so each poll follows progress.
            Poll::Pending if left > 0 => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        }
    })
    .await
}

async fn an_update_dropped_at_any_point_is_done_or_not_done(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let mut half_way = 0;
    for times in (1..8).cycle().take(70) {
        let before = item::Entity::find_by_id(1).one(&db).await?.ok_or("no row")?;
        let mut change = before.clone().into_active_model();
        change.qty = Set(before.qty + 1);
        let result = poll_times(change.update(&db), times).await;

        // The only connection of the pool is there for the next caller, and the row is whole.
        let after = item::Entity::find_by_id(1).one(&db).await?.ok_or("no row")?;
        let is_done = (after.qty, after.version) == (before.qty + 1, before.version + 1);
        assert!(
            is_done || after == before,
            "dropped after {times} polls: {before:?} became {after:?}"
        );
        match result {
            Some(result) => assert_eq!(result?, after),
            None => half_way += 1,
        }
    }
    assert!(half_way > 0, "no update was dropped half-way: the case shows nothing");
    Ok(())
}

async fn a_transaction_dropped_at_any_point_leaves_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    for times in 1.. {
        let row = item::Entity::find_by_id(1).one(&db).await?.ok_or("no row")?;
        let stale = item::Model {
            version: row.version - 1,
            ..row.clone()
        };
        let txn = db.begin().await?;
        let work = async {
            let touched = row.clone().touch(&txn).await?;
            // The diagnosis of a conflict is dropped half-way, too.
            assert!(stale.touch(&txn).await.unwrap_err().is_conflict());
            touched.touch(&txn).await
        };
        let result = poll_times(work, times).await;
        drop(txn);
        assert_eq!(
            item::Entity::find_by_id(1).one(&db).await?,
            Some(row),
            "dropped after {times} polls"
        );
        if let Some(result) = result {
            assert_eq!(result?.version, 3);
            return Ok(());
        }
    }
    Ok(())
}

async fn an_update_dropped_while_it_waits_leaves_the_pool_usable(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let mut change = load(&context, 1).await?.into_active_model();
    change.qty = Set(11);
    let rival = context
        .other
        .begin_with_config(Some(IsolationLevel::ReadCommitted), None)
        .await?;
    load(&context, 1).await?.touch(&rival).await?;
    let waiting = tokio::spawn({
        let db = db.clone();
        async move { change.update(&db).await }
    });
    crate::wait::until_blocked(&context).await?;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    rival.commit().await?;
    let row = item::Entity::find_by_id(1).one(&db).await?.ok_or("no row")?;
    assert_eq!(
        (row.qty, row.version),
        (10, 2),
        "the dropped update found the row changed, and did nothing"
    );
    assert_eq!(row.touch(&db).await?.version, 3);
    Ok(())
}

/// The shape of a handler: methods that borrow `self` and their arguments, run by `tokio::spawn`.
struct Shop {
    db: DatabaseConnection,
}

impl Shop {
    async fn rename(&self, id: i64, name: &str) -> Result<item::Model, optlock::Error> {
        let row = item::Entity::find_by_id(id)
            .one(&self.db)
            .await?
            .ok_or(DbErr::RecordNotFound(name.to_owned()))?;
        let mut change = row.into_active_model();
        change.name = Set(name.to_owned());
        let row = change.update(&self.db).await?.touch(&self.db).await?;
        item::Entity::update(item::ActiveModel {
            qty: Set(1),
            ..row.into_active_model()
        })
        .exec(&self.db)
        .await
    }

    async fn clear(&self, name: &str) -> Result<u64, DbErr> {
        let row = item::Entity::find()
            .filter(item::Column::Name.eq(name))
            .one(&self.db)
            .await?;
        let row = row.ok_or(DbErr::RecordNotFound(name.to_owned()))?;
        Ok(row.delete(&self.db).await?.rows_affected)
    }
}

async fn writes_run_in_spawned_tasks_with_borrowed_arguments(context: Context) -> Outcome {
    item::create(&context).await?;
    let shop = Shop { db: context.db.clone() };
    tokio::spawn(async move {
        let name = String::from("renamed");
        shop.rename(1, &name).await?;
        shop.clear(&name).await
    })
    .await??;
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 2);
    assert_eq!(stored(&context, 2).await?.0, "b");
    Ok(())
}
