//! What others do to the row meanwhile: those of other processes, and other code of this one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use optlock::prelude::*;
use optlock::{Error, Fault, Found, Policy, Report};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use tokio::sync::Barrier;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};
use crate::modify::line::{Call, PATIENT, calls, ends, go, in_time, line_up, own_row, pair};
use crate::modify::{QUICK, ShopError, block_on, is_held, reads};

cases![
    a_refusal_of_what_was_left_is_decided_again_on_the_row,
    what_was_left_and_needs_no_change_is_read_again,
    what_was_left_and_is_out_of_date_is_a_lost_round,
    a_row_that_is_deleted_meanwhile_is_missing_for_the_next,
    two_pools_lose_nothing,
    nobody_elses_write_is_lost,
    a_row_that_another_pool_keeps_winning_is_locked,
];

/// Changes the row within a closure, as another process would.
fn rival(other: &DatabaseConnection, sql: &str) {
    block_on(other.execute_unprepared(sql)).unwrap();
}

/// What a closure has seen, and what came of it, after a rival took the row to 99 while the closure looked at what was left.
async fn seen_after_a_rival<E: From<Error> + Send + 'static>(
    context: &Context,
    number: i64,
    rival_sql: &'static str,
    change: impl Fn(&mut item::Model) -> Result<(), E> + Send + Sync + 'static,
) -> Result<(Vec<i64>, Result<item::Model, E>, u32), Box<dyn std::error::Error + Send + Sync>> {
    let id = own_row(context, number, 10).await?;
    let (db, other) = (context.db.clone(), context.other.clone());
    let mut waits: Call<_> = Box::pin(async move {
        let (report, mut seen) = (Report::new(), Vec::new());
        let policy = PATIENT.report(&report);
        let outcome = policy
            .try_modify(item::Entity, &db, id, |row| {
                seen.push(row.qty);
                if seen.len() == 1 {
                    rival(&other, &format!("{rival_sql} WHERE id = {id}"));
                }
                change(row)
            })
            .await;
        (seen, outcome, report.attempts())
    });
    context.take_statements();
    line_up(item::Entity, &context.db, id, std::slice::from_mut(&mut waits)).await?;
    assert_eq!(reads(&context.take_statements()), 1);
    in_time(waits).await
}

const RIVAL: &str = "UPDATE item SET qty = 99, version = version + 1";

async fn a_refusal_of_what_was_left_is_decided_again_on_the_row(context: Context) -> Outcome {
    let at_least_fifty = |row: &mut item::Model| {
        if row.qty < 50 {
            return Err(ShopError::SoldOut(row.qty));
        }
        row.qty -= 50;
        Ok(())
    };
    let (seen, row, attempts) = seen_after_a_rival(&context, 800, RIVAL, at_least_fifty).await?;
    assert_eq!((seen, attempts), (vec![10, 99], 1));
    assert_eq!(row.map(|row| (row.qty, row.version))?, (49, 3));
    assert_eq!(reads(&context.take_statements()), 1);
    Ok(())
}

async fn what_was_left_and_needs_no_change_is_read_again(context: Context) -> Outcome {
    let (seen, row, attempts) = seen_after_a_rival::<Error>(&context, 803, RIVAL, |_| Ok(())).await?;
    assert_eq!((seen, attempts), (vec![10, 99], 1));
    assert_eq!(pair(row)?, (99, 2));
    Ok(())
}

async fn what_was_left_and_is_out_of_date_is_a_lost_round(context: Context) -> Outcome {
    let increment = |row: &mut item::Model| {
        row.qty += 1;
        Ok(())
    };
    let (seen, row, attempts) = seen_after_a_rival::<Error>(&context, 806, RIVAL, increment).await?;
    assert_eq!((seen, attempts), (vec![10, 99], 2));
    assert_eq!(pair(row)?, (100, 3));
    Ok(())
}

async fn a_row_that_is_deleted_meanwhile_is_missing_for_the_next(context: Context) -> Outcome {
    let id = own_row(&context, 809, 10).await?;
    let mut lined_up = calls(2, |_| {
        let (db, other) = (context.db.clone(), context.other.clone());
        async move {
            let change = |row: &mut item::Model| {
                rival(&other, &format!("DELETE FROM item WHERE id = {id}"));
                row.qty += 1;
            };
            PATIENT.modify(item::Entity, &db, id, change).await
        }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    let mut outcomes = ends(go(lined_up)).await?.into_iter();
    let deleted = outcomes.next().ok_or("nobody")?.unwrap_err();
    assert_eq!(deleted.conflict().map(optlock::Conflict::found), Some(&Found::Deleted));
    let missing = outcomes.next().ok_or("nobody")?.unwrap_err();
    assert!(matches!(missing, Error::MissingRows(_)), "{missing:?}");
    Ok(())
}

async fn two_pools_lose_nothing(context: Context) -> Outcome {
    const ROUNDS: usize = 5;

    let id = own_row(&context, 812, 0).await?;
    let pools = [context.connect(4).await?, context.connect(4).await?];
    let start = Arc::new(Barrier::new(32));
    let racing = calls(32, |task| {
        let (db, start) = (pools[task % 2].clone(), Arc::clone(&start));
        async move {
            start.wait().await;
            let mut rows = Vec::new();
            for _ in 0..ROUNDS {
                let policy = Policy::new().without_deadline().attempts(100);
                rows.push(policy.modify(item::Entity, &db, id, |row| row.qty += 1).await?);
            }
            Ok::<_, Error>(rows)
        }
    });
    let mut versions = Vec::new();
    for rows in ends(go(racing)).await? {
        for row in rows? {
            assert_eq!(row.qty + 1, row.version);
            versions.push(row.version);
        }
    }
    versions.sort_unstable();
    assert!(versions.into_iter().eq(2..=161), "the versions have a gap");
    assert_eq!(stored(&context, id).await?.1, 160);
    Ok(())
}

/// Tries again after whatever a rival can cause.
async fn until_done<T, F>(work: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    loop {
        match work().await {
            Err(err) if err.is_conflict() || matches!(err.fault(), Some(Fault::Busy | Fault::Deadlock)) => {
                tokio::task::yield_now().await;
            }
            outcome => return outcome,
        }
    }
}

async fn nobody_elses_write_is_lost(context: Context) -> Outcome {
    const ROUNDS: i64 = 10;

    let id = own_row(&context, 815, 0).await?;
    let db = context.connect(8).await?;
    let start = Arc::new(Barrier::new(14));
    let racing = calls(14, |task| {
        let (db, other, start) = (db.clone(), context.other.clone(), Arc::clone(&start));
        async move {
            let patient = Policy::new().without_deadline().attempts(200);
            start.wait().await;
            for _ in 0..ROUNDS {
                let increment = |row: &mut item::Model| row.qty += 1;
                match task {
                    0..6 => drop(patient.modify(item::Entity, &db, id, increment).await?),
                    6 | 7 => drop(patient.lock_after(0).modify(item::Entity, &db, id, increment).await?),
                    8 | 9 => drop(patient.never_queue().modify(item::Entity, &db, id, increment).await?),
                    10 => drop(
                        until_done(|| async {
                            let row = item::Entity::find_by_id(id).one(&other).await?;
                            let row = row.ok_or_else(|| DbErr::RecordNotFound("the row".to_owned()))?;
                            let qty = row.qty + 1;
                            let mut change = row.into_active_model();
                            change.qty = Set(qty);
                            change.update(&other).await
                        })
                        .await?,
                    ),
                    11 => {
                        _ = until_done(|| async {
                            let many = item::Entity::update_many().filter(item::Column::Id.eq(id));
                            let one_more = Expr::col(item::Column::Qty).add(1);
                            many.col_expr(item::Column::Qty, one_more).exec(&other).await
                        })
                        .await?;
                    }
                    _ => {
                        _ = until_done(|| async {
                            let sql = format!("UPDATE item SET qty = qty + 1, version = version + 1 WHERE id = {id}");
                            Ok(other.execute_unprepared(&sql).await?)
                        })
                        .await?;
                    }
                }
            }
            Ok::<_, Error>(())
        }
    });
    for outcome in ends(go(racing)).await? {
        outcome?;
    }
    let row = stored(&context, id).await?;
    assert_eq!((row.1, row.2), (14 * ROUNDS, 14 * ROUNDS + 1));
    Ok(())
}

async fn a_row_that_another_pool_keeps_winning_is_locked(context: Context) -> Outcome {
    let context = Arc::new(context);
    let id = own_row(&context, 818, 0).await?;
    let pool = context.connect(1).await?;
    let rounds = Arc::new(AtomicI64::new(0));
    let mut lined_up = calls(2, |_| {
        let (context, pool, rounds) = (Arc::clone(&context), pool.clone(), Arc::clone(&rounds));
        async move {
            let mut held = Vec::new();
            let row = QUICK
                .lock_after(2)
                .modify(item::Entity, &context.db, id, |row| {
                    held.push(is_held(&context, id));
                    if !held[held.len() - 1] {
                        block_on(item::Entity::modify(&pool, id, |row| row.qty += 100)).unwrap();
                        rounds.fetch_add(1, Ordering::SeqCst);
                    }
                    row.qty += 1;
                })
                .await;
            (row, held)
        }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    let mut outcomes = ends(go(lined_up)).await?.into_iter();
    let (row, held) = outcomes.next().ok_or("nobody")?;
    assert_eq!((row?.qty, held), (201, vec![false, false, true]));
    // The next one knows that the row has many writers.
    let (row, held) = outcomes.next().ok_or("nobody")?;
    assert_eq!((row?.qty, held), (202, vec![true]));
    assert_eq!(rounds.load(Ordering::SeqCst), 2);
    Ok(())
}
