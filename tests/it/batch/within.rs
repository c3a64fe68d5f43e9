//! Batches in transactions of the caller's.

use optlock::Error;
use optlock::prelude::*;
use sea_orm::TransactionTrait;

use super::{rows, with_qty, writes};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};

cases![
    a_batch_is_part_of_the_transaction,
    conflicts_leave_the_transaction_as_it_was,
    verdicts_leave_the_transaction_usable,
    the_rows_are_held_until_the_end,
    only_what_changes_and_is_as_expected_is_written,
];

async fn a_batch_is_part_of_the_transaction(context: Context) -> Outcome {
    item::create(&context).await?;
    let loaded = rows(&context).await?;
    for commits in [false, true] {
        let txn = context.db.begin().await?;
        let batch = loaded.iter().map(|row| with_qty(row, 7));
        let updated = item::Entity::update_batch(batch).exec(&txn).await?;
        assert!(updated.iter().all(|row| (row.qty, row.version) == (7, 2)));
        let last = updated.into_iter().skip(2).map(IntoActiveModel::into_active_model);
        assert_eq!(item::Entity::delete_batch(last).exec(&txn).await?.rows_affected, 1);
        if commits {
            txn.commit().await?;
        } else {
            txn.rollback().await?;
            assert_eq!(rows(&context).await?, loaded);
        }
    }
    assert_eq!(
        rows(&context)
            .await?
            .iter()
            .map(|row| (row.id, row.version))
            .collect::<Vec<_>>(),
        [(1, 2), (2, 2)]
    );
    Ok(())
}

async fn conflicts_leave_the_transaction_as_it_was(context: Context) -> Outcome {
    item::create(&context).await?;
    let loaded = rows(&context).await?;
    context.sql("UPDATE item SET version = 2 WHERE id = 3").await?;
    let txn = context.db.begin().await?;
    let first = item::Entity::update_batch([with_qty(&loaded[0], 11)])
        .exec(&txn)
        .await?;
    let err = item::Entity::update_batch([
        with_qty(&first[0], 12),
        with_qty(&loaded[1], 21),
        with_qty(&loaded[2], 31),
    ])
    .exec(&txn)
    .await
    .unwrap_err();
    assert_eq!(err.conflicts().map(optlock::Conflicts::len), Some(1));
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 2));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 20, 1));
    Ok(())
}

async fn verdicts_leave_the_transaction_usable(context: Context) -> Outcome {
    item::create(&context).await?;
    let loaded = rows(&context).await?;
    context.sql("UPDATE item SET version = 2 WHERE id = 3").await?;
    let db = &context.db;
    let loaded = &loaded;
    let written = optlock::transaction(db, |txn| async move {
        let batch = loaded.iter().map(|row| with_qty(row, 7));
        let verdicts = item::Entity::update_batch(batch).exec_each(&txn).await?;
        let savepoint = txn.begin().await?;
        let again = verdicts.iter().flatten().map(|row| with_qty(row, 8));
        item::Entity::update_batch(again).exec(&savepoint).await?;
        savepoint.rollback().await?;
        Ok::<_, Error>(verdicts.iter().flatten().count())
    })
    .await?;
    assert_eq!(written, 2);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 7, 2));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 7, 2));
    assert_eq!(stored(&context, 3).await?, ("c".to_owned(), 30, 2));
    Ok(())
}

async fn the_rows_are_held_until_the_end(context: Context) -> Outcome {
    item::create(&context).await?;
    let loaded = rows(&context).await?;
    let txn = context.db.begin().await?;
    item::Entity::update_batch([with_qty(&loaded[0], 7), loaded[1].clone().into_active_model()])
        .exec(&txn)
        .await?;
    for id in [1, 2] {
        // On SQLite, it is the database that is held.
        let rival = context.other.begin().await?;
        let held = item::Entity::find_by_id(id).for_update();
        let err = held.nowait().one(&rival).await.unwrap_err();
        assert!(err.is_lock_unavailable(), "{id}: {err:?}");
        rival.rollback().await?;
    }
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?.2, 2);
    Ok(())
}

async fn only_what_changes_and_is_as_expected_is_written(context: Context) -> Outcome {
    item::create(&context).await?;
    let loaded = rows(&context).await?;
    context.sql("UPDATE item SET version = 2 WHERE id = 3").await?;
    let txn = context.db.begin().await?;
    context.take_statements();
    let batch = [
        loaded[0].clone().into_active_model(),
        with_qty(&loaded[1], 7),
        with_qty(&loaded[2], 7),
    ];
    let verdicts = item::Entity::update_batch(batch).exec_each(&txn).await?;
    assert_eq!(
        verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, true, false]
    );
    let sent = context.take_statements();
    assert_eq!(writes(&sent).len(), 1, "{sent:?}");

    let nothing = [loaded[0].clone().into_active_model(), with_qty(&loaded[2], 7)];
    let verdicts = item::Entity::update_batch(nothing).exec_each(&txn).await?;
    assert!(verdicts[0].is_ok() && verdicts[1].is_err(), "{verdicts:?}");
    let sent = context.take_statements();
    assert!(writes(&sent).is_empty(), "{sent:?}");
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?.2, 1);
    Ok(())
}
