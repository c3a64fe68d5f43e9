//! Rounds that are lost to somebody who was faster.

use optlock::prelude::*;
use optlock::{Error, Fault, Found, Report, Stop};

use super::{QUICK, RIVAL, ShopError, meanwhile, reads, writes};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};

cases![
    the_row_that_won_is_the_next_base_without_another_read,
    a_row_that_won_and_needs_no_change_is_returned_without_a_write,
    a_refusal_of_the_row_that_won_stops_at_once,
    whoever_always_loses_is_told_of_the_last_conflict,
    a_row_that_is_deleted_meanwhile_is_a_conflict,
    a_row_that_is_deleted_and_replaced_meanwhile_is_the_next_base;
];

async fn the_row_that_won_is_the_next_base_without_another_read(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let report = Report::new();
    let mut seen = Vec::new();
    let row = QUICK
        .report(&report)
        .modify(item::Entity, &context.db, 1, |row| {
            seen.push((row.qty, row.version));
            if seen.len() == 1 {
                meanwhile(&context, RIVAL);
            }
            row.qty += 1;
        })
        .await?;
    let sent = context.take_statements();
    assert_eq!((row.qty, row.version), (100, 3));
    assert_eq!(seen, [(10, 1), (99, 2)]);
    // The second read is the diagnosis of the conflict.
    assert_eq!((reads(&sent), writes(&sent).len()), (2, 2), "{sent:?}");
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert_eq!((report.attempts(), report.fault()), (2, Some(Fault::Stale)));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 100, 3));
    Ok(())
}

async fn a_row_that_won_and_needs_no_change_is_returned_without_a_write(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let mut calls = 0;
    let row = item::Entity::modify(&context.db, 1, |row| {
        calls += 1;
        if calls == 1 {
            meanwhile(&context, RIVAL);
        }
        row.qty = row.qty.max(50);
    })
    .await?;
    let sent = context.take_statements();
    assert_eq!((row.qty, row.version, calls), (99, 2, 2));
    assert_eq!((reads(&sent), writes(&sent).len()), (2, 1), "{sent:?}");
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 99, 2));
    Ok(())
}

async fn a_refusal_of_the_row_that_won_stops_at_once(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut calls = 0;
    let result = item::Entity::try_modify(&context.db, 1, |row| {
        calls += 1;
        if calls == 1 {
            meanwhile(&context, "UPDATE item SET qty = 3, version = 2 WHERE id = 1");
        }
        if row.qty < 5 {
            return Err(ShopError::SoldOut(row.qty));
        }
        row.qty -= 5;
        Ok(())
    })
    .await;
    assert!(matches!(result, Err(ShopError::SoldOut(3))), "{result:?}");
    assert_eq!((calls, stored(&context, 1).await?), (2, ("a".to_owned(), 3, 2)));
    Ok(())
}

async fn whoever_always_loses_is_told_of_the_last_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    insert_own(&context).await?;
    let id = own(&context);
    let report = Report::new();
    let mut calls = 0;
    let err = QUICK
        .attempts(4)
        .lock_after(10)
        .report(&report)
        .modify(item::Entity, &context.db, id, |row| {
            calls += 1;
            meanwhile(
                &context,
                &format!("UPDATE item SET version = version + 1 WHERE id = {id}"),
            );
            row.qty += 1;
        })
        .await
        .unwrap_err();
    let conflict = err.conflict().ok_or("not a conflict")?;
    assert_eq!(conflict.expected().get::<i64>(), Some(4));
    assert_eq!(*conflict.found(), Found::Changed { version: 5_i64.into() });
    assert_eq!((calls, report.attempts(), report.stop()), (4, 4, Some(Stop::Attempts)));
    assert_eq!(stored(&context, id).await?.1, 10);
    Ok(())
}

/// A row that may get a reputation.
fn own(context: &Context) -> i64 {
    context.backend.pick(310, 311, 312)
}

async fn insert_own(context: &Context) -> Outcome {
    super::insert_item(context, own(context), 10).await
}

async fn a_row_that_is_deleted_meanwhile_is_a_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut calls = 0;
    let result = item::Entity::modify(&context.db, 1, |row| {
        calls += 1;
        meanwhile(&context, "DELETE FROM item WHERE id = 1");
        row.qty += 1;
    })
    .await;
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 2);
    assert_eq!(calls, 1);
    match result {
        Err(Error::Conflict(conflict)) if *conflict.found() == Found::Deleted => Ok(()),
        other => Err(format!("not `Found::Deleted`, which is documented: {other:?}").into()),
    }
}

async fn a_row_that_is_deleted_and_replaced_meanwhile_is_the_next_base(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut seen = Vec::new();
    let row = item::Entity::modify(&context.db, 1, |row| {
        seen.push(row.qty);
        if seen.len() == 1 {
            meanwhile(&context, "DELETE FROM item WHERE id = 1");
            meanwhile(
                &context,
                "INSERT INTO item (id, name, qty, version) VALUES (1, 'new', 50, 7)",
            );
        }
        row.qty += 1;
    })
    .await?;
    assert_eq!((row.name.as_str(), row.qty, row.version), ("new", 51, 8));
    assert_eq!(seen, [10, 50]);
    Ok(())
}
