//! Writes that fail because of one of those who share them, or for all.

use std::sync::Arc;

use optlock::{Error, Fault, Report, Stop};

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};
use crate::entity::versions::{self, by_naive};
use crate::modify::line::{
    COMBINED, Call, calls, ends, gated, go, in_time, is_pending, line_up, line_up_for_nothing, own_row, pair,
};
use crate::modify::{ShopError, meanwhile, writes};

cases![
    a_check_that_one_breaks_is_an_error_of_that_one,
    a_check_that_somebody_alone_breaks_is_an_error_at_once,
    a_hook_that_refuses_one_is_an_error_of_that_one,
    a_hook_that_fails_after_the_write_is_an_error_of_all_who_are_stored,
    a_hook_that_panics_leaves_nobody_waiting,
    a_key_or_a_version_that_one_changes_is_an_error_of_that_one,
    a_row_that_was_read_for_somebody_else_decides_nothing_later,
    whoever_refuses_has_no_part_in_a_conflict;
    SERVERS:
    what_is_stored_and_an_error_is_not_stored_again;
];

/// A table of `item` whose quantities have an end.
async fn create_checked(
    context: &Context,
    number: i64,
    qty: i64,
) -> Result<i64, Box<dyn std::error::Error + Send + Sync>> {
    context
        .sql(
            "CREATE TABLE item (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50) NOT NULL UNIQUE, \
             qty BIGINT NOT NULL CHECK (qty <= 100), version BIGINT NOT NULL)",
        )
        .await?;
    let id = number + context.backend.pick(0, 1, 2);
    crate::modify::insert_item(context, id, qty).await?;
    Ok(id)
}

async fn a_check_that_one_breaks_is_an_error_of_that_one(context: Context) -> Outcome {
    let id = create_checked(&context, 1_100, 0).await?;
    context.take_statements();
    let mut lined_up = calls(8, |place| {
        let db = context.db.clone();
        async move {
            let report = Report::new();
            let change = |row: &mut item::Model| match place {
                3 => row.qty += 1_000,
                5 => (),
                _ => row.qty += 1,
            };
            let row = COMBINED
                .attempts(1)
                .report(&report)
                .modify(item::Entity, &db, id, change)
                .await;
            (row, report.attempts())
        }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    let mut pairs = Vec::new();
    for (place, (row, attempts)) in ends(go(lined_up)).await?.into_iter().enumerate() {
        assert_eq!(attempts, 1);
        match row {
            Ok(row) if place == 5 => assert_eq!(row.qty + 1, row.version),
            Ok(row) => pairs.push((row.qty, row.version)),
            Err(err) => assert_eq!((place, err.fault()), (3, Some(Fault::Check)), "{err:?}"),
        }
    }
    pairs.sort_unstable();
    assert_eq!(pairs, [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)]);
    let row = stored(&context, id).await?;
    assert_eq!((row.1, row.2), (6, 7));
    // The one of all, and one for each who changes something.
    assert_eq!(writes(&context.take_statements()).len(), 8);
    Ok(())
}

/// Four calls, of which one asks for this quantity; the others ask for one more.
fn four(context: &Context, id: i64, odd: usize, qty: i64) -> Vec<Call<Result<gated::Model, ShopError>>> {
    calls(4, |place| {
        let db = context.db.clone();
        async move {
            let change = move |row: &mut gated::Model| {
                if place == 2 && qty == gated::REFUSED_LATE {
                    return Err(ShopError::SoldOut(row.qty));
                }
                row.qty = if place == odd { qty } else { row.qty + 1 };
                Ok(())
            };
            COMBINED.try_modify(gated::Entity, &db, id, change).await
        }
    })
}

async fn a_hook_that_refuses_one_is_an_error_of_that_one(context: Context) -> Outcome {
    let id = gated::create(&context, 1_103, 0).await?;
    let mut lined_up = four(&context, id, 3, gated::REFUSED);
    line_up(gated::Entity, &context.db, id, &mut lined_up).await?;
    let outcomes = ends(go(lined_up)).await?;
    let refused: Vec<_> = outcomes.iter().map(Result::is_err).collect();
    assert_eq!(refused, [false, false, false, true], "{outcomes:?}");
    assert_eq!(gated::stored(&context, id).await?, (3, 4));
    Ok(())
}

async fn a_hook_that_fails_after_the_write_is_an_error_of_all_who_are_stored(context: Context) -> Outcome {
    let id = gated::create(&context, 1_106, 0).await?;
    let mut lined_up = four(&context, id, 3, gated::REFUSED_LATE);
    line_up(gated::Entity, &context.db, id, &mut lined_up).await?;
    for (place, outcome) in ends(go(lined_up)).await?.into_iter().enumerate() {
        match outcome {
            Err(ShopError::SoldOut(2)) => assert_eq!(place, 2, "nobody else has refused"),
            Err(ShopError::Store(Error::Database(_))) => assert_ne!(place, 2, "who refused has no part in it"),
            outcome => return Err(format!("{place}: {outcome:?}").into()),
        }
    }
    assert_eq!(
        gated::stored(&context, id).await?,
        (gated::REFUSED_LATE, 4),
        "stored, and once"
    );
    Ok(())
}

async fn a_hook_that_panics_leaves_nobody_waiting(context: Context) -> Outcome {
    let id = gated::create(&context, 1_109, 0).await?;
    let mut lined_up = four(&context, id, 3, gated::PANICS);
    line_up(gated::Entity, &context.db, id, &mut lined_up).await?;
    let mut panicked = 0;
    for task in go(lined_up) {
        match in_time(task).await? {
            Ok(Err(ShopError::Store(err))) => assert_eq!(err.fault(), Some(Fault::OutcomeUnknown)),
            Ok(outcome) => return Err(format!("{outcome:?}").into()),
            Err(err) => panicked += u32::from(err.is_panic()),
        }
    }
    assert_eq!(panicked, 1, "it is whoever writes that panics");
    let row = COMBINED.modify(gated::Entity, &context.db, id, |row| row.qty += 1);
    assert_eq!(in_time(row).await??.qty, 1);
    Ok(())
}

async fn a_key_or_a_version_that_one_changes_is_an_error_of_that_one(context: Context) -> Outcome {
    let id = own_row(&context, 1_112, 0).await?;
    let mut lined_up = calls(5, |place| {
        let db = context.db.clone();
        async move {
            let change = move |row: &mut item::Model| match place {
                1 => row.id += 1,
                3 => row.version += 1,
                _ => row.qty += 1,
            };
            COMBINED.modify(item::Entity, &db, id, change).await
        }
    });
    context.take_statements();
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    let mut outcomes = ends(go(lined_up)).await?;
    assert!(matches!(outcomes.remove(3), Err(Error::VersionAssigned(_))));
    assert!(matches!(outcomes.remove(1), Err(Error::Unsupported(_))));
    for (place, row) in (1..).zip(outcomes) {
        assert_eq!(pair(row)?, (place, place + 1));
    }
    assert_eq!(writes(&context.take_statements()).len(), 1);
    Ok(())
}

async fn a_row_that_was_read_for_somebody_else_decides_nothing_later(context: Context) -> Outcome {
    let context = Arc::new(context);
    let id = own_row(&context, 1_115, 10).await?;
    // The first one has an error of its own, after it has read the row; the others keep the line alive.
    let mut lined_up = calls(3, |place| {
        let context = Arc::clone(&context);
        async move {
            let change = |row: &mut item::Model| {
                if place == 0 {
                    meanwhile(
                        &context,
                        &format!("UPDATE item SET qty = 99, version = 2 WHERE id = {id}"),
                    );
                    row.version += 1;
                }
            };
            COMBINED.modify(item::Entity, &context.db, id, change).await
        }
    });
    line_up_for_nothing(&context.db, id, &mut lined_up).await?;
    let assigned = in_time(lined_up.remove(0)).await?;
    assert!(matches!(assigned, Err(Error::VersionAssigned(_))), "{assigned:?}");
    // Whoever comes now must see what was stored before.
    let db = context.db.clone();
    let mut late: Call<_> = Box::pin(async move { COMBINED.modify(item::Entity, &db, id, |_| ()).await });
    assert!(is_pending(&mut late));
    drop(lined_up);
    assert_eq!(pair(in_time(late).await?)?, (99, 2));
    Ok(())
}

async fn whoever_refuses_has_no_part_in_a_conflict(context: Context) -> Outcome {
    let context = Arc::new(context);
    let id = own_row(&context, 1_118, 10).await?;
    let mut lined_up = calls(4, |place| {
        let context = Arc::clone(&context);
        async move {
            let (report, mut seen) = (Report::new(), Vec::new());
            let change = |row: &mut item::Model| {
                seen.push(row.qty);
                match place {
                    0 => meanwhile(
                        &context,
                        &format!("UPDATE item SET qty = 99, version = 2 WHERE id = {id}"),
                    ),
                    1 if row.qty < 500 => return Err(ShopError::SoldOut(row.qty)),
                    2 => return Ok(()),
                    _ => (),
                }
                row.qty += 1;
                Ok(())
            };
            let policy = COMBINED.attempts(1).report(&report);
            let row = policy.try_modify(item::Entity, &context.db, id, change).await;
            (row, report.attempts(), report.stop(), seen)
        }
    });
    line_up_for_nothing(&context.db, id, &mut lined_up).await?;
    let mut outcomes = ends(go(lined_up)).await?.into_iter();
    let mut next = move || outcomes.next().ok_or("nobody");
    for place in 0..4 {
        let (row, attempts, stop, mut seen) = next()?;
        // What another one has left may be shown to it first.
        seen.dedup();
        assert_eq!(attempts, 1);
        match place {
            1 => {
                assert!(matches!(row, Err(ShopError::SoldOut(99))), "{row:?}");
                assert_eq!((stop, seen), (Some(Stop::Fault), vec![11, 99]));
            }
            2 => {
                let row = row?;
                assert_eq!((row.qty, row.version, stop, seen), (99, 2, None, vec![11, 99]));
            }
            _ => {
                let Err(ShopError::Store(Error::Conflict(_))) = row else {
                    return Err(format!("{place}: {row:?}").into());
                };
                assert_eq!((stop, seen.len()), (Some(Stop::Attempts), 1));
            }
        }
    }
    assert_eq!(stored(&context, id).await?.1, 99);
    Ok(())
}

/// A column that rounds its versions is found out by what the write returns.
async fn what_is_stored_and_an_error_is_not_stored_again(context: Context) -> Outcome {
    let column = context.backend.pick("TIMESTAMP", "TIMESTAMP(0)", "DATETIME(0)");
    versions::create(&context, column).await?;
    let id = 1_121 + context.backend.pick(0, 1, 2);
    // Ahead of the clock: the next versions are some microseconds later.
    context
        .sql(&format!("INSERT INTO doc VALUES ({id}, 'a', '2090-01-01 00:00:00')"))
        .await?;
    let mut lined_up = calls(3, |_| {
        let db = context.db.clone();
        async move {
            COMBINED
                .modify(by_naive::Entity, &db, id, |row| row.name.push('!'))
                .await
        }
    });
    line_up(by_naive::Entity, &context.db, id, &mut lined_up).await?;
    for row in ends(go(lined_up)).await? {
        assert!(matches!(row, Err(Error::Imprecise(_))), "{row:?}");
    }
    let row = context.row(&format!("SELECT name FROM doc WHERE id = {id}")).await?;
    assert_eq!(row.try_get_by_index::<String>(0)?, "a!!!", "stored, and once");
    Ok(())
}

async fn a_check_that_somebody_alone_breaks_is_an_error_at_once(context: Context) -> Outcome {
    let id = create_checked(&context, 1_121, 0).await?;
    context.take_statements();
    let mut calls = 0;
    let change = |row: &mut item::Model| {
        calls += 1;
        row.qty = 1_000;
    };
    let err = COMBINED
        .modify(item::Entity, &context.db, id, change)
        .await
        .unwrap_err();
    assert_eq!((err.fault(), calls), (Some(Fault::Check), 1));
    let sent = context.take_statements();
    assert_eq!(
        writes(&sent).len(),
        1,
        "nobody is there to be told apart from: {sent:?}"
    );
    Ok(())
}
