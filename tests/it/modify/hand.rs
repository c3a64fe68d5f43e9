//! Models that were read before.

use optlock::prelude::*;
use optlock::{Error, Found};

use super::{QUICK, RIVAL, ShopError, assigned, reads, writes};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};

cases![
    a_fresh_model_is_written_without_a_read,
    a_stale_model_is_changed_on_the_row_that_won,
    a_fresh_model_that_does_not_change_is_not_written,
    a_stale_model_that_does_not_change_becomes_the_row_that_won,
    a_model_of_a_deleted_row_is_told_so,
    a_refusal_of_a_model_sends_nothing,
    a_policy_takes_a_model_too,
];

async fn a_fresh_model_is_written_without_a_read(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?;
    context.take_statements();
    let row = model.modify(&context.db, |row| row.qty += 1).await?;
    let sent = context.take_statements();
    assert_eq!((sent.len(), reads(&sent)), (1, 0), "{sent:?}");
    assert_eq!(assigned(&sent[0]), ["qty", "version"]);
    assert_eq!((row.qty, row.version), (11, 2));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 2));
    Ok(())
}

async fn a_stale_model_is_changed_on_the_row_that_won(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    context.sql(RIVAL).await?;
    context.take_statements();
    let mut seen = Vec::new();
    let row = stale
        .modify(&context.db, |row| {
            seen.push(row.qty);
            row.qty += 1;
        })
        .await?;
    let sent = context.take_statements();
    assert_eq!((row.qty, row.version), (100, 3));
    assert_eq!(seen, [10, 99]);
    assert_eq!((reads(&sent), writes(&sent).len()), (1, 2), "{sent:?}");
    Ok(())
}

async fn a_fresh_model_that_does_not_change_is_not_written(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?;
    context.take_statements();
    assert_eq!(model.clone().modify(&context.db, |_| ()).await?, model);
    let sent = context.take_statements();
    assert_eq!(writes(&sent), [""; 0]);
    assert_eq!(reads(&sent), 1, "that it is still so must be shown: {sent:?}");
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn a_stale_model_that_does_not_change_becomes_the_row_that_won(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    context.sql(RIVAL).await?;
    context.take_statements();
    let mut seen = Vec::new();
    let row = stale.modify(&context.db, |row| seen.push(row.qty)).await?;
    assert_eq!((row.qty, row.version), (99, 2));
    assert_eq!(seen, [10, 99]);
    assert_eq!(writes(&context.take_statements()), [""; 0]);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 99, 2));
    Ok(())
}

async fn a_model_of_a_deleted_row_is_told_so(context: Context) -> Outcome {
    item::create(&context).await?;
    let gone = load(&context, 1).await?;
    context.sql("DELETE FROM item WHERE id = 1").await?;
    for change in [|row: &mut item::Model| row.qty += 1, |_: &mut item::Model| ()] {
        let result = gone.clone().modify(&context.db, change).await;
        match result {
            Err(Error::Conflict(conflict)) => assert_eq!(*conflict.found(), Found::Deleted),
            other => return Err(format!("not `Found::Deleted`: {other:?}").into()),
        }
    }
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 2);
    Ok(())
}

async fn a_refusal_of_a_model_sends_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?;
    context.take_statements();
    let refused = model.try_modify(&context.db, |row| Err(ShopError::SoldOut(row.qty)));
    assert!(matches!(refused.await, Err(ShopError::SoldOut(10))));
    assert_eq!(context.take_statements(), <Vec<String>>::new());
    Ok(())
}

async fn a_policy_takes_a_model_too(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    context.sql(RIVAL).await?;
    let once = QUICK.attempts(1).try_modify_model(stale.clone(), &context.db, |row| {
        row.qty += 1;
        Ok::<_, Error>(())
    });
    assert!(once.await.unwrap_err().is_conflict());
    let twice = QUICK.attempts(2).try_modify_model(stale, &context.db, |row| {
        row.qty += 1;
        Ok::<_, Error>(())
    });
    assert_eq!(twice.await?.qty, 100);
    Ok(())
}
