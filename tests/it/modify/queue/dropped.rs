//! Callers who are gone before it is their turn, in it, or with a panic.

use std::task::Poll;

use optlock::prelude::*;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};
use crate::modify::line::{COMBINED, Call, PATIENT, calls, ends, go, in_time, is_pending, line_up, own_row, pair};

cases![
    whoever_gives_up_waiting_leaves_no_gap,
    whoever_is_dropped_in_its_turn_leaves_it_to_the_next,
    whoever_panics_in_its_turn_leaves_it_to_the_next,
    a_change_runs_in_a_spawned_task_and_borrows,
];

async fn whoever_gives_up_waiting_leaves_no_gap(context: Context) -> Outcome {
    let id = own_row(&context, 850, 0).await?;
    for gone in [0, 1, 3] {
        let (_, before, _) = stored(&context, id).await?;
        let mut lined_up = calls(4, |_| {
            let db = context.db.clone();
            async move { PATIENT.modify(item::Entity, &db, id, |row| row.qty += 1).await }
        });
        line_up(item::Entity, &context.db, id, &mut lined_up).await?;
        // The first one has the turn by now, and does not know yet.
        drop(lined_up.remove(gone));
        for (place, row) in (1..).zip(ends(go(lined_up)).await?) {
            assert_eq!(row?.qty, before + place);
        }
    }
    assert_eq!(stored(&context, id).await?.1, 9);
    Ok(())
}

/// Polls a future so often and keeps it. Whether it was done by then.
async fn advance<T>(call: &mut Call<T>, times: usize) -> bool {
    let mut left = times;
    std::future::poll_fn(move |cx| {
        left -= 1;
        match call.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left > 0 => Poll::Pending,
            Poll::Pending => Poll::Ready(false),
        }
    })
    .await
}

async fn whoever_is_dropped_in_its_turn_leaves_it_to_the_next(context: Context) -> Outcome {
    let id = own_row(&context, 853, 0).await?;
    let db = context.connect(2).await?;
    let (mut half_way, mut undone) = (0, 0);
    for policy in [PATIENT, PATIENT.lock_after(0), COMBINED].into_iter().cycle().take(15) {
        for times in 1.. {
            let (_, before, _) = stored(&context, id).await?;
            let holds = db.clone();
            let mut holder: Call<_> =
                Box::pin(async move { policy.modify(item::Entity, &holds, id, |row| row.qty += 1).await });
            if in_time(advance(&mut holder, times)).await? {
                break;
            }
            let next = db.clone();
            let work = async move {
                let policy = PATIENT.attempts(5);
                policy.modify(item::Entity, &next, id, |row| row.qty += 10).await
            };
            let mut next: Call<_> = Box::pin(work);
            assert!(is_pending(&mut next));
            drop(holder);
            let row = in_time(next).await??;
            let after = stored(&context, id).await?;
            assert_eq!((row.qty, row.version), (after.1, after.2));
            assert!([10, 11].contains(&(row.qty - before)), "{before} became {}", row.qty);
            half_way += 1;
            undone += usize::from(row.qty == before + 10);
        }
    }
    assert!(
        half_way > 0 && undone > 0,
        "{half_way} half-way, {undone} undone: the case shows nothing"
    );
    Ok(())
}

async fn whoever_panics_in_its_turn_leaves_it_to_the_next(context: Context) -> Outcome {
    let id = own_row(&context, 856, 0).await?;
    for policy in [PATIENT, PATIENT.lock_after(0)] {
        let mut lined_up = calls(3, |place| {
            let db = context.db.clone();
            async move {
                let change = |row: &mut item::Model| {
                    assert!(place != 1, "a mistake");
                    row.qty += 1;
                };
                policy.modify(item::Entity, &db, id, change).await
            }
        });
        line_up(item::Entity, &context.db, id, &mut lined_up).await?;
        let mut tasks = go(lined_up);
        assert!(in_time(tasks.remove(1)).await?.unwrap_err().is_panic());
        for row in ends(tasks).await? {
            row?;
        }
    }
    assert_eq!(stored(&context, id).await?.1, 4);
    Ok(())
}

/// The shape of a handler.
struct Shop {
    db: DatabaseConnection,
}

impl Shop {
    async fn add(&self, id: i64, more: &[i64], name: &str) -> Result<item::Model, optlock::Error> {
        let mut calls = 0;
        let change = |row: &mut item::Model| {
            calls += 1;
            row.qty += more.iter().sum::<i64>();
            row.name = format!("{name} {}", row.qty);
        };
        COMBINED.modify(item::Entity, &self.db, id, change).await
    }
}

async fn a_change_runs_in_a_spawned_task_and_borrows(context: Context) -> Outcome {
    let id = own_row(&context, 859, 0).await?;
    let db = context.db.clone();
    let handler = tokio::spawn(async move {
        let (shop, more, name) = (Shop { db }, vec![1, 2, 3], "borrowed".to_owned());
        shop.add(id, &more, &name).await
    });
    assert_eq!(pair(handler.await?)?, (6, 2));
    Ok(())
}
