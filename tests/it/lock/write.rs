//! Writes through a locked row.

use optlock::prelude::*;
use optlock::{Error, Found};
use sea_orm::TransactionTrait;

use super::{begin, is_locked};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::hooked;
use crate::entity::item::{self, load, stored};

cases![
    a_write_changes_what_changed_and_advances_the_version,
    an_unchanged_row_is_not_written,
    a_touch_advances_the_version_alone,
    a_delete_deletes,
    optimistic_writers_are_told,
    a_row_can_be_written_again_and_again,
    the_key_and_the_version_cannot_be_changed,
    hooks_run,
    a_constraint_is_no_conflict,
    a_lock_that_is_lost_with_its_savepoint_loses_no_update,
    a_model_that_is_let_go_stays_locked;
    POSTGRES:
    a_key_share_lets_others_write_and_loses_no_update,
];

async fn lock(
    txn: &sea_orm::DatabaseTransaction,
    id: i64,
) -> Result<optlock::Locked<'_, item::Model>, Box<dyn std::error::Error + Send + Sync>> {
    let row = item::Entity::find_by_id(id).for_update().one(txn).await?;
    row.ok_or_else(|| "no row".into())
}

async fn a_write_changes_what_changed_and_advances_the_version(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let row = lock(&txn, 1).await?;
    context.take_statements();
    let row = row.update(|row| row.qty += 5).await?;
    let sent = context.take_statements();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(
        !sent[0].contains("name = ") && !sent[0].contains("\"name\" = "),
        "{sent:?}"
    );
    assert_eq!(
        *row,
        item::Model {
            id: 1,
            name: "a".to_owned(),
            qty: 15,
            version: 2
        }
    );
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 15, 2));
    Ok(())
}

async fn an_unchanged_row_is_not_written(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let row = lock(&txn, 1).await?.update(|row| row.qty += 0).await?;
    assert_eq!(row.version, 1);
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn a_touch_advances_the_version_alone(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    assert_eq!(lock(&txn, 1).await?.touch().await?.version, 2);
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 2));
    Ok(())
}

async fn a_delete_deletes(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    assert_eq!(lock(&txn, 1).await?.delete().await?.rows_affected, 1);
    txn.commit().await?;
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE id = 1").await?, 0);
    Ok(())
}

async fn optimistic_writers_are_told(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    let txn = begin(&context.db).await?;
    lock(&txn, 1).await?.update(|row| row.qty = 0).await?;
    txn.commit().await?;
    let err = stale.touch(&context.db).await.unwrap_err();
    let found = err.conflict().map(optlock::Conflict::found);
    assert_eq!(found, Some(&Found::Changed { version: 2_i64.into() }));
    Ok(())
}

async fn a_row_can_be_written_again_and_again(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let mut row = lock(&txn, 1).await?;
    for round in 1..=5 {
        row = row.update(|row| row.qty += 1).await?;
        assert_eq!((row.qty, row.version), (10 + round, 1 + round));
    }
    row.delete().await?;
    txn.rollback().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn the_key_and_the_version_cannot_be_changed(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let (one, two) = (lock(&txn, 1).await?, lock(&txn, 2).await?);
    context.take_statements();
    let err = one.update(|row| row.id = 9).await.unwrap_err();
    assert!(matches!(err, Error::Unsupported(_)), "{err:?}");
    let err = two.update(|row| row.version = 9).await.unwrap_err();
    assert!(matches!(err, Error::VersionAssigned(_)), "{err:?}");
    assert_eq!(context.take_statements(), <Vec<String>>::new());
    Ok(())
}

async fn hooks_run(context: Context) -> Outcome {
    hooked::create(&context).await?;
    let row = hooked::checked::ActiveModel {
        id: Set(1),
        name: Set("a".to_owned()),
        qty: Set(1),
        version: NotSet,
    };
    row.insert(&context.db).await?;
    hooked::take_calls(&context).await?;
    let txn = begin(&context.db).await?;
    let row = hooked::checked::Entity::find_by_id(1).for_update().one(&txn).await?;
    let row = row.ok_or("no row")?.update(|row| "b".clone_into(&mut row.name)).await?;
    row.delete().await?;
    txn.commit().await?;
    let expected = [
        "before_save of an update: b",
        "after_save of an update: b",
        "before_delete: b",
        "after_delete: b",
    ];
    assert_eq!(hooked::take_calls(&context).await?, expected);
    Ok(())
}

async fn a_constraint_is_no_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let err = lock(&txn, 1)
        .await?
        .update(|row| "b".clone_into(&mut row.name))
        .await
        .unwrap_err();
    assert_eq!((err.is_conflict(), err.fault()), (false, Some(optlock::Fault::Unique)));
    if context.backend.expected().survives_errors {
        assert_eq!(lock(&txn, 1).await?.touch().await?.version, 2);
    }
    Ok(())
}

/// The row is locked inside a savepoint, though through the outer handle. With the savepoint the lock is rolled back, and
/// the locked row is still in hand.
async fn a_lock_that_is_lost_with_its_savepoint_loses_no_update(context: Context) -> Outcome {
    item::create(&context).await?;
    let outer = context.db.begin().await?;
    let savepoint = outer.begin().await?;
    let row = lock(&outer, 1).await?;
    savepoint.rollback().await?;
    if context.backend == crate::backend::Backend::Postgres {
        // The others keep the lock.
        context
            .sql("UPDATE item SET qty = 99, version = 2 WHERE id = 1")
            .await?;
        let err = row.update(|row| row.qty += 1).await.unwrap_err();
        assert!(err.is_conflict(), "{err:?}");
        outer.commit().await?;
        assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 99, 2));
    } else {
        assert_eq!(row.update(|row| row.qty += 1).await?.version, 2);
    }
    Ok(())
}

async fn a_model_that_is_let_go_stays_locked(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let model: item::Model = lock(&txn, 1).await?.into_model();
    if context.backend.expected().has_row_locks {
        assert!(is_locked(&context, 1).await?);
    }
    txn.commit().await?;
    assert_eq!(model.touch(&context.db).await?.version, 2);
    Ok(())
}

async fn a_key_share_lets_others_write_and_loses_no_update(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let row = item::Entity::find_by_id(1)
        .for_key_share()
        .one(&txn)
        .await?
        .ok_or("no row")?;
    context
        .sql("UPDATE item SET qty = 99, version = 2 WHERE id = 1")
        .await?;
    let err = row.update(|row| row.qty += 1).await.unwrap_err();
    assert!(err.is_conflict(), "{err:?}");
    Ok(())
}
