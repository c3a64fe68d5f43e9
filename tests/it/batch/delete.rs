//! Deletes of a few rows.

use optlock::prelude::*;
use optlock::{Error, Fault, Found, Operation};

use super::{rows, writes};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load};
use crate::entity::keys::{by_text, pair};

cases![
    rows_are_deleted_at_their_own_versions,
    every_conflict_is_reported_and_nothing_is_deleted,
    what_can_be_deleted_is,
    keys_of_two_columns_are_told_apart,
    a_few_statements_are_enough,
    a_row_that_others_refer_to_is_an_error_at_once;
    MARIADB: a_table_without_a_primary_key_is_written;
];

async fn rows_are_deleted_at_their_own_versions(context: Context) -> Outcome {
    item::create(&context).await?;
    context.sql("UPDATE item SET version = 4 WHERE id = 1").await?;
    let batch = [load(&context, 3).await?, load(&context, 1).await?];
    let batch = batch.map(IntoActiveModel::into_active_model);
    assert_eq!(
        item::Entity::delete_batch(batch).exec(&context.db).await?.rows_affected,
        2
    );
    assert_eq!(rows(&context).await?.iter().map(|row| row.id).collect::<Vec<_>>(), [2]);
    Ok(())
}

async fn a_row_that_others_refer_to_is_an_error_at_once(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("CREATE TABLE part (item_id BIGINT NOT NULL, FOREIGN KEY (item_id) REFERENCES item (id))")
        .await?;
    context.sql("INSERT INTO part VALUES (2)").await?;
    let batch = [load(&context, 1).await?, load(&context, 2).await?];
    let batch = batch.map(IntoActiveModel::into_active_model);
    context.take_statements();
    let err = item::Entity::delete_batch(batch).exec(&context.db).await.unwrap_err();
    assert_eq!(err.fault(), Some(Fault::ForeignKey), "{err:?}");
    let sent = context.take_statements();
    assert_eq!(writes(&sent).len(), 1, "{sent:?}");
    assert_eq!(rows(&context).await?.len(), 3);
    Ok(())
}

/// Rows 1 to 3, of which 1 has changed and 3 is gone.
async fn outdated(context: &Context) -> super::Result<Vec<item::ActiveModel>> {
    item::create(context).await?;
    let batch = rows(context)
        .await?
        .into_iter()
        .map(IntoActiveModel::into_active_model)
        .collect();
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    context.sql("DELETE FROM item WHERE id = 3").await?;
    Ok(batch)
}

async fn every_conflict_is_reported_and_nothing_is_deleted(context: Context) -> Outcome {
    let batch = outdated(&context).await?;
    let err = item::Entity::delete_batch(batch).exec(&context.db).await.unwrap_err();
    let Error::Conflicts(conflicts) = &err else {
        panic!("{err:?}")
    };
    let [(0, changed), (2, gone)] = conflicts.iter().collect::<Vec<_>>()[..] else {
        panic!("{conflicts:?}")
    };
    assert_eq!(*changed.found(), Found::Changed { version: 2_i64.into() });
    assert_eq!(
        (gone.found(), gone.operation()),
        (&Found::Deleted, Operation::DeleteBatch)
    );
    assert_eq!(rows(&context).await?.len(), 2);
    Ok(())
}

async fn what_can_be_deleted_is(context: Context) -> Outcome {
    let batch = outdated(&context).await?;
    let verdicts = item::Entity::delete_batch(batch).exec_each(&context.db).await?;
    let [Err(changed), Ok(()), Err(gone)] = verdicts.as_slice() else {
        panic!("{verdicts:?}")
    };
    assert_eq!(changed.current::<item::Model>().map(|row| row.version), Some(2));
    assert_eq!(*gone.found(), Found::Deleted);
    assert_eq!(rows(&context).await?.iter().map(|row| row.id).collect::<Vec<_>>(), [1]);
    Ok(())
}

async fn keys_of_two_columns_are_told_apart(context: Context) -> Outcome {
    context.create(pair::Entity).await?;
    context
        .sql("INSERT INTO pair VALUES (1, 1, 10, 1), (1, 2, 20, 1), (2, 1, 30, 2)")
        .await?;
    let named = |left, right, version| pair::ActiveModel {
        left: Set(left),
        right: Set(right),
        version: Set(version),
        qty: NotSet,
    };
    // The key of one row with the version of another.
    let verdicts = pair::Entity::delete_batch([named(1, 1, 2), named(1, 2, 1), named(2, 1, 1)])
        .exec_each(&context.db)
        .await?;
    assert_eq!(
        verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [false, true, false]
    );
    assert_eq!(context.number("SELECT COUNT(*) FROM pair").await?, 2);
    Ok(())
}

async fn a_few_statements_are_enough(context: Context) -> Outcome {
    item::create(&context).await?;
    super::large::fill(&context, 1_000).await?;
    let batch = rows(&context)
        .await?
        .into_iter()
        .map(IntoActiveModel::into_active_model);
    context.take_statements();
    assert_eq!(
        item::Entity::delete_batch(batch).exec(&context.db).await?.rows_affected,
        1_000
    );
    assert_eq!(writes(&context.take_statements()).len(), 5);
    assert!(rows(&context).await?.is_empty());
    Ok(())
}

/// The hint names a key that is not there.
async fn a_table_without_a_primary_key_is_written(context: Context) -> Outcome {
    context
        .sql("CREATE TABLE keyed (id VARCHAR(50) NOT NULL, qty BIGINT NOT NULL, version BIGINT NOT NULL)")
        .await?;
    context.sql("INSERT INTO keyed VALUES ('a', 1, 1), ('b', 1, 1)").await?;
    let rows = by_text::Entity::find().all(&context.db).await?;
    let batch = rows.into_iter().map(|row| by_text::ActiveModel {
        qty: Set(2),
        ..row.into_active_model()
    });
    let rows = by_text::Entity::update_batch(batch).exec(&context.db).await?;
    assert!(rows.iter().all(|row| (row.qty, row.version) == (2, 2)), "{rows:?}");
    let batch = rows.into_iter().map(IntoActiveModel::into_active_model);
    let deleted = by_text::Entity::delete_batch(batch).exec(&context.db).await?;
    assert_eq!(deleted.rows_affected, 2);
    assert_eq!(context.number("SELECT COUNT(*) FROM keyed").await?, 0);
    Ok(())
}
