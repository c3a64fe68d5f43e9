//! Others who change the row that some are about to store together, in their own ways.

use std::sync::Arc;

use optlock::prelude::*;
use optlock::{Error, Found, Policy, Report};
use tokio::sync::Barrier;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};
use crate::modify::line::{COMBINED, PATIENT, calls, ends, go, line_up, line_up_for_nothing, own_row, pair};
use crate::modify::{QUICK, ShopError, is_held, meanwhile, writes};

cases![
    after_a_conflict_all_are_applied_to_the_row_that_won,
    those_who_all_refuse_decide_on_the_row_as_it_is,
    those_who_change_nothing_return_the_row_as_it_is,
    whoever_changes_nothing_alone_returns_the_row_as_it_is,
    those_who_change_nothing_do_not_believe_the_first_of_them,
    what_was_left_and_is_out_of_date_is_no_lost_round,
    whoever_keeps_losing_alone_locks_the_row,
    a_row_that_is_deleted_is_a_conflict_of_all,
    what_others_wait_for_is_stored_ahead_of_whoever_writes_alone,
    all_kinds_of_callers_lose_nothing,
];

async fn after_a_conflict_all_are_applied_to_the_row_that_won(context: Context) -> Outcome {
    let context = Arc::new(context);
    let id = own_row(&context, 1_200, 0).await?;
    let mut lined_up = calls(16, |place| {
        let context = Arc::clone(&context);
        async move {
            let (report, mut seen) = (Report::new(), Vec::new());
            let change = |row: &mut item::Model| {
                seen.push(row.qty);
                if place == 5 && seen.len() == 1 {
                    meanwhile(
                        &context,
                        &format!("UPDATE item SET qty = 1000, version = 7 WHERE id = {id}"),
                    );
                }
                row.qty += 1;
            };
            let row = COMBINED
                .report(&report)
                .modify(item::Entity, &context.db, id, change)
                .await;
            (pair(row), report.attempts(), seen.len())
        }
    });
    context.take_statements();
    line_up_for_nothing(&context.db, id, &mut lined_up).await?;
    let mut versions = Vec::new();
    for (row, attempts, times) in ends(go(lined_up)).await? {
        let (qty, version) = row?;
        assert_eq!((qty - 1_000, attempts, times), (version - 7, 2, 2));
        versions.push(version);
    }
    versions.sort_unstable();
    assert!(versions.into_iter().eq(8..=23), "the versions have a gap");
    let row = stored(&context, id).await?;
    assert_eq!((row.1, row.2), (1_016, 23));
    let written = writes(&context.take_statements()).len();
    assert!(written < 16, "{written} writes: nobody was combined again");
    Ok(())
}

/// What two callers see, and what comes of it, if a rival changes the row between the two.
async fn two<E: From<Error> + Send + 'static>(
    context: Context,
    number: i64,
    decide: impl Fn(&item::Model) -> Result<(), E> + Copy + Send + Sync + 'static,
) -> Result<Vec<(Vec<i64>, Result<item::Model, E>, u32)>, Box<dyn std::error::Error + Send + Sync>> {
    let context = Arc::new(context);
    let id = own_row(&context, number, 10).await?;
    let mut lined_up = calls(2, |place| {
        let context = Arc::clone(&context);
        async move {
            let (report, mut seen) = (Report::new(), Vec::new());
            let change = |row: &mut item::Model| {
                seen.push(row.qty);
                if place == 1 && seen.len() == 1 {
                    meanwhile(
                        &context,
                        &format!("UPDATE item SET qty = 99, version = 2 WHERE id = {id}"),
                    );
                }
                decide(row)
            };
            let row = COMBINED
                .report(&report)
                .try_modify(item::Entity, &context.db, id, change)
                .await;
            (seen, row, report.attempts())
        }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    ends(go(lined_up)).await
}

async fn those_who_all_refuse_decide_on_the_row_as_it_is(context: Context) -> Outcome {
    let refuse = |row: &item::Model| Err(ShopError::SoldOut(row.qty));
    for (seen, row, attempts) in two(context, 1_203, refuse).await? {
        assert_eq!((seen, attempts), (vec![10, 99], 1));
        assert!(matches!(row, Err(ShopError::SoldOut(99))), "{row:?}");
    }
    Ok(())
}

async fn those_who_change_nothing_return_the_row_as_it_is(context: Context) -> Outcome {
    for (mut seen, row, attempts) in two::<Error>(context, 1_206, |_| Ok(())).await? {
        // What the first one leaves is not believed.
        seen.dedup();
        assert_eq!((seen, attempts), (vec![10, 99], 1));
        assert_eq!(pair(row)?, (99, 2));
    }
    Ok(())
}

async fn a_row_that_is_deleted_is_a_conflict_of_all(context: Context) -> Outcome {
    let context = Arc::new(context);
    let id = own_row(&context, 1_209, 0).await?;
    let mut lined_up = calls(6, |place| {
        let context = Arc::clone(&context);
        async move {
            let mut times = 0;
            let change = |row: &mut item::Model| {
                times += 1;
                if place == 3 {
                    meanwhile(&context, &format!("DELETE FROM item WHERE id = {id}"));
                }
                row.qty += 1;
            };
            let row = if place == 5 {
                let new = || item::ActiveModel {
                    name: Set("new".to_owned()),
                    qty: Set(50),
                    ..Default::default()
                };
                COMBINED
                    .modify_or_insert(item::Entity, &context.db, id, new, change)
                    .await
            } else {
                COMBINED.modify(item::Entity, &context.db, id, change).await
            };
            (row, times)
        }
    });
    line_up_for_nothing(&context.db, id, &mut lined_up).await?;
    for (place, (row, times)) in ends(go(lined_up)).await?.into_iter().enumerate() {
        assert_eq!(times, 1);
        if place == 5 {
            assert_eq!(pair(row)?, (50, 1));
        } else {
            let err = row.unwrap_err();
            assert_eq!(err.conflict().map(optlock::Conflict::found), Some(&Found::Deleted));
        }
    }
    Ok(())
}

async fn what_others_wait_for_is_stored_ahead_of_whoever_writes_alone(context: Context) -> Outcome {
    let id = own_row(&context, 1_212, 0).await?;
    let mut lined_up = calls(7, |place| {
        let db = context.db.clone();
        async move {
            let report = Report::new();
            let policy = match place {
                2 => PATIENT,
                4 => COMBINED.lock_after(0),
                _ => COMBINED,
            };
            let row = policy
                .report(&report)
                .modify(item::Entity, &db, id, |row| row.qty += 1)
                .await;
            (pair(row), report.attempts())
        }
    });
    context.take_statements();
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    for (place, (row, attempts)) in (1..).zip(ends(go(lined_up)).await?) {
        assert_eq!((row?, attempts), ((place, place + 1), 1));
    }
    // Two together, one alone, one together with nobody, one under the lock, two together.
    assert_eq!(writes(&context.take_statements()).len(), 5);
    Ok(())
}

async fn all_kinds_of_callers_lose_nothing(context: Context) -> Outcome {
    const ROUNDS: usize = 5;

    let id = own_row(&context, 1_215, 0).await?;
    let pools = [context.connect(4).await?, context.connect(4).await?];
    let start = Arc::new(Barrier::new(40));
    let racing = calls(40, |task| {
        let (db, start) = (pools[task % 2].clone(), Arc::clone(&start));
        async move {
            let any = Policy::new().without_deadline().attempts(300);
            let policy = match task / 2 {
                0..10 => any.combine(),
                10..15 => any,
                15 | 16 => any.never_queue(),
                17 | 18 => any.combine().never_lock(),
                _ => any.combine().lock_after(0),
            };
            start.wait().await;
            let mut rows = Vec::new();
            for _ in 0..ROUNDS {
                rows.push(pair(policy.modify(item::Entity, &db, id, |row| row.qty += 1).await)?);
            }
            Ok::<_, Error>(rows)
        }
    });
    let mut pairs = Vec::new();
    for rows in ends(go(racing)).await? {
        pairs.extend(rows?);
    }
    pairs.sort_unstable();
    assert!(
        pairs.into_iter().eq((1..=200).map(|qty| (qty, qty + 1))),
        "a version is missing, or not its own"
    );
    assert_eq!(stored(&context, id).await?.1, 200);
    Ok(())
}

/// What somebody sees, alone in line, and what comes of it, if a rival changes the row after the last one has left it.
async fn one(
    context: Context,
    number: i64,
    change: impl Fn(&mut item::Model) + Send + Sync + 'static,
) -> Result<(Vec<i64>, Result<(i64, i64), Error>, u32), Box<dyn std::error::Error + Send + Sync>> {
    let context = Arc::new(context);
    let id = own_row(&context, number, 10).await?;
    let change = Arc::new(change);
    let mut lined_up = calls(1, |_| {
        let (context, change) = (Arc::clone(&context), Arc::clone(&change));
        async move {
            let (report, mut seen) = (Report::new(), Vec::new());
            let change = |row: &mut item::Model| {
                seen.push(row.qty);
                if seen.len() == 1 {
                    meanwhile(
                        &context,
                        &format!("UPDATE item SET qty = 99, version = 2 WHERE id = {id}"),
                    );
                }
                change(row);
            };
            // There is no second attempt.
            let policy = COMBINED.attempts(1).report(&report);
            let row = policy.modify(item::Entity, &context.db, id, change).await;
            (seen, pair(row), report.attempts())
        }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    ends(go(lined_up)).await?.pop().ok_or_else(|| "nobody".into())
}

async fn whoever_changes_nothing_alone_returns_the_row_as_it_is(context: Context) -> Outcome {
    let (seen, row, attempts) = one(context, 1_218, |_| ()).await?;
    assert_eq!((seen, row?, attempts), (vec![10, 99], (99, 2), 1));
    Ok(())
}

/// The first one has read the row, but the second one may have come after the rival.
async fn those_who_change_nothing_do_not_believe_the_first_of_them(context: Context) -> Outcome {
    let context = Arc::new(context);
    let id = own_row(&context, 1_221, 10).await?;
    let mut lined_up = calls(2, |place| {
        let context = Arc::clone(&context);
        async move {
            let mut times = 0;
            let change = |_: &mut item::Model| {
                times += 1;
                if place == 0 && times == 1 {
                    meanwhile(
                        &context,
                        &format!("UPDATE item SET qty = 99, version = 2 WHERE id = {id}"),
                    );
                }
            };
            pair(COMBINED.modify(item::Entity, &context.db, id, change).await)
        }
    });
    line_up_for_nothing(&context.db, id, &mut lined_up).await?;
    for row in ends(go(lined_up)).await? {
        assert_eq!(row?, (99, 2));
    }
    Ok(())
}

async fn what_was_left_and_is_out_of_date_is_no_lost_round(context: Context) -> Outcome {
    let (seen, row, attempts) = one(context, 1_224, |row| row.qty += 1).await?;
    assert_eq!((seen, row?, attempts), (vec![10, 99], (100, 3), 1));
    Ok(())
}

async fn whoever_keeps_losing_alone_locks_the_row(context: Context) -> Outcome {
    let id = own_row(&context, 1_227, 0).await?;
    let mut held = Vec::new();
    let row = QUICK
        .combine()
        .lock_after(2)
        .modify(item::Entity, &context.db, id, |row| {
            held.push(is_held(&context, id));
            if held.last() == Some(&false) {
                meanwhile(
                    &context,
                    &format!("UPDATE item SET qty = qty + 100, version = version + 1 WHERE id = {id}"),
                );
            }
            row.qty += 1;
        })
        .await;
    assert_eq!((held, pair(row)?), (vec![false, false, true], (201, 4)));
    Ok(())
}
