//! Changes that are dropped half-way.

use std::future::Future;

use optlock::prelude::*;
use optlock::{Error, Policy};
use sea_orm::TransactionTrait;

use super::QUICK;
use crate::cancel::poll_times;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    a_change_dropped_at_any_point_is_done_or_not_done,
    a_locked_change_dropped_at_any_point_is_done_or_not_done,
    an_insert_dropped_at_any_point_is_done_or_not_done,
    a_change_of_many_rows_dropped_at_any_point_is_done_for_all_or_none,
    a_lost_round_dropped_at_any_point_leaves_the_row_whole,
    a_closure_that_panics_leaves_the_row_whole_and_free;
    SERVERS: a_change_dropped_while_it_waits_leaves_the_pool_usable;
];

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

async fn rows(db: &DatabaseConnection) -> Result<Vec<(i64, i64, i64)>> {
    let rows = item::Entity::find().order_by_id_asc().all(db).await?;
    Ok(rows.iter().map(|row| (row.id, row.qty, row.version)).collect())
}

/// Drops work after one poll, after two, and so on until it is done by then; many times over, since a server that answers at once
/// leaves few polls to drop it at. In between, the only connection of the pool is there for the next caller, and the rows are as they
/// were or as they are to be.
async fn drop_everywhere<T, F>(
    db: &DatabaseConnection,
    work: impl Fn() -> F,
    done: impl Fn(&[(i64, i64, i64)]) -> Vec<(i64, i64, i64)>,
) -> Outcome
where
    F: Future<Output = Result<T, Error>>,
{
    let (mut half_way, mut undone) = (0, 0);
    for _ in 0..20 {
        for times in 1.. {
            let before = rows(db).await?;
            let result = poll_times(Box::pin(work()), times).await;
            let after = rows(db).await?;
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
        "dropped half-way {half_way} times, {undone} of them undone: the case shows nothing"
    );
    Ok(())
}

/// One more in the first row.
fn first_changed(before: &[(i64, i64, i64)]) -> Vec<(i64, i64, i64)> {
    let mut after = before.to_vec();
    after[0] = (1, before[0].1 + 1, before[0].2 + 1);
    after
}

async fn a_change_dropped_at_any_point_is_done_or_not_done(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let work = || item::Entity::modify(&db, 1, |row| row.qty += 1);
    drop_everywhere(&db, work, first_changed).await
}

async fn a_locked_change_dropped_at_any_point_is_done_or_not_done(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let work = || QUICK.lock_after(0).modify(item::Entity, &db, 1, |row| row.qty += 1);
    drop_everywhere(&db, work, first_changed).await
}

async fn an_insert_dropped_at_any_point_is_done_or_not_done(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let key = std::sync::atomic::AtomicI64::new(500);
    let work = || {
        // Each attempt has a row of its own, since one that is there would be changed.
        let id = key.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let new = move || item::ActiveModel {
            name: Set(format!("new {id}")),
            qty: Set(1),
            ..Default::default()
        };
        item::Entity::modify_or_insert(&db, id, new, |row| row.qty = -1)
    };
    let done = |before: &[(i64, i64, i64)]| {
        let mut after = before.to_vec();
        let id = key.load(std::sync::atomic::Ordering::SeqCst) - 1;
        after.push((id, 1, 1));
        after
    };
    drop_everywhere(&db, work, done).await
}

async fn a_change_of_many_rows_dropped_at_any_point_is_done_for_all_or_none(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let work = || {
        item::Entity::try_modify_all(&db, [3, 1, 2], |row| {
            row.qty += 1;
            Ok::<_, Error>(())
        })
    };
    let done = |before: &[(i64, i64, i64)]| {
        let changed = |(id, qty, version): &(i64, i64, i64)| (*id, qty + 1, version + 1);
        before.iter().map(changed).collect()
    };
    drop_everywhere(&db, work, done).await
}

/// The first round is lost, so that the diagnosis and the second round are dropped as well.
async fn a_lost_round_dropped_at_any_point_leaves_the_row_whole(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let work = || async {
        let row = item::Entity::find_by_id(1)
            .one(&db)
            .await?
            .ok_or_else(|| DbErr::RecordNotFound("1".to_owned()))?;
        let stale = item::Model {
            version: row.version - 1,
            ..row
        };
        let policy: Policy<'_> = QUICK;
        policy
            .try_modify_model(stale, &db, |row| {
                row.qty += 1;
                Ok::<_, Error>(())
            })
            .await
    };
    drop_everywhere(&db, work, first_changed).await
}

async fn a_change_dropped_while_it_waits_leaves_the_pool_usable(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    for (lock_after, version) in [(3, 2), (0, 4)] {
        let rival = context.other.begin().await?;
        rival
            .execute_unprepared("UPDATE item SET qty = 99, version = version + 1 WHERE id = 1")
            .await?;
        let waiting = tokio::spawn({
            let db = db.clone();
            async move {
                let policy = QUICK.lock_after(lock_after);
                policy.modify(item::Entity, &db, 1, |row| row.qty += 1).await
            }
        });
        crate::wait::until_blocked(&context).await?;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        rival.commit().await?;
        let row = item::Entity::find_by_id(1).one(&db).await?.ok_or("no row")?;
        assert_eq!((row.qty, row.version), (99, version), "the dropped one did nothing");
        assert_eq!(item::Entity::modify(&db, 1, |row| row.qty += 1).await?.qty, 100);
    }
    Ok(())
}

async fn a_closure_that_panics_leaves_the_row_whole_and_free(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    for lock_after in [3, 0] {
        let panicked = tokio::spawn({
            let db = db.clone();
            async move {
                let policy = QUICK.lock_after(lock_after);
                policy
                    .try_modify_all(item::Entity, &db, [1, 2], |row| {
                        row.qty += 1;
                        // The first row is written by now, or about to be.
                        assert!(row.id != 2, "a mistake");
                        Ok::<_, Error>(())
                    })
                    .await
            }
        });
        assert!(panicked.await.unwrap_err().is_panic());
        let panicked = tokio::spawn({
            let db = db.clone();
            async move {
                let policy = QUICK.lock_after(lock_after);
                policy.modify(item::Entity, &db, 1, |_| panic!("a mistake")).await
            }
        });
        assert!(panicked.await.unwrap_err().is_panic());
        let changed = rows(&db).await?;
        assert_eq!(changed, [(1, 10, 1), (2, 20, 1), (3, 30, 1)]);
        // Somebody else can have the rows at once, and on SQLite the database.
        let free = item::Entity::try_modify_all(&context.other, [1, 2], |row| {
            row.version += 0;
            Ok::<_, Error>(())
        });
        assert_eq!(free.await?.len(), 2);
    }
    Ok(())
}
