//! Versions that advance by themselves.

use optlock::prelude::*;
use optlock::{Error, Found, Operation};
use sea_orm::TransactionTrait;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::hooked;
use crate::entity::item::{self, load, stored};

cases![
    a_touch_advances_the_version_and_nothing_else,
    a_touch_is_one_statement,
    a_stale_touch_conflicts_and_changes_nothing,
    a_touch_of_a_deleted_row_is_told_and_does_not_bring_it_back,
    a_touch_writes_what_is_set,
    a_touch_in_a_transaction_is_undone_with_it,
    a_touch_runs_the_hooks_of_an_update,
    two_writers_of_one_aggregate_collide_at_its_root,
];

async fn a_touch_advances_the_version_and_nothing_else(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    let touched = row.clone().touch(&context.db).await?;
    assert_eq!(
        touched,
        item::Model {
            version: 2,
            ..row.clone()
        }
    );
    assert_eq!(load(&context, 1).await?, touched);
    let again = touched.into_active_model().touch(&context.db).await?;
    assert_eq!(again, item::Model { version: 3, ..row });
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 3));
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 2);
    Ok(())
}

async fn a_touch_is_one_statement(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    context.take_statements();
    row.touch(&context.db).await?;
    let expected = context.backend.pick(
        r#"UPDATE "item" SET "version" = ? WHERE "item"."id" = ? AND "item"."version" = ?"#,
        r#"UPDATE "item" SET "version" = $1 WHERE "item"."id" = $2 AND "item"."version" = $3 RETURNING "id", "name", "qty", "version""#,
        "UPDATE `item` SET `version` = ? WHERE `item`.`id` = ? AND `item`.`version` = ?",
    );
    assert_eq!(context.take_statements(), [expected]);
    Ok(())
}

async fn a_stale_touch_conflicts_and_changes_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    let mut with_change = stale.clone().into_active_model();
    with_change.qty = Set(99);
    context
        .sql("UPDATE item SET name = 'x', version = 2 WHERE id = 1")
        .await?;
    for err in [
        stale.touch(&context.db).await.unwrap_err(),
        with_change.touch(&context.db).await.unwrap_err(),
    ] {
        let Error::Conflict(conflict) = &err else {
            return Err(format!("not a conflict: {err:?}").into());
        };
        assert_eq!(conflict.operation(), Operation::Touch);
        assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
        assert_eq!(
            err.to_string(),
            "touch of item 1 at version 1 conflicts: the row is at version 2"
        );
    }
    assert_eq!(stored(&context, 1).await?, ("x".to_owned(), 10, 2));
    Ok(())
}

async fn a_touch_of_a_deleted_row_is_told_and_does_not_bring_it_back(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    context.sql("DELETE FROM item WHERE id = 1").await?;
    assert!(row.touch(&context.db).await.unwrap_err().is_gone());
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 2);
    Ok(())
}

async fn a_touch_writes_what_is_set(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut change = load(&context, 1).await?.into_active_model();
    change.qty = Set(11);
    let touched = change.touch(&context.db).await?;
    assert_eq!((touched.name.as_str(), touched.qty, touched.version), ("a", 11, 2));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 2));

    // From a client that knows no more than the key and the version.
    let from_client = item::ActiveModel {
        id: Set(1),
        version: Set(2),
        ..Default::default()
    };
    let touched = from_client.touch(&context.db).await?;
    assert_eq!(
        touched,
        item::Model {
            id: 1,
            name: "a".to_owned(),
            qty: 11,
            version: 3
        }
    );
    Ok(())
}

async fn a_touch_in_a_transaction_is_undone_with_it(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    let txn = context.db.begin().await?;
    let touched = row.clone().touch(&txn).await?;
    assert_eq!(touched.clone().touch(&txn).await?.version, 3);
    txn.rollback().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    // What the transaction handed out is ahead of the row now.
    let err = touched.touch(&context.db).await.unwrap_err();
    assert_eq!(
        err.conflict().map(optlock::Conflict::found),
        Some(&Found::Changed { version: 1_i64.into() })
    );
    assert_eq!(row.touch(&context.db).await?.version, 2);
    Ok(())
}

async fn a_touch_runs_the_hooks_of_an_update(context: Context) -> Outcome {
    hooked::create(&context).await?;
    context
        .sql("INSERT INTO hooked (id, name, qty, version) VALUES (1, 'a', 10, 1)")
        .await?;
    let row = hooked::checked::Entity::find_by_id(1).one(&context.db).await?;
    let touched = row.ok_or("gone")?.touch(&context.db).await?;
    assert_eq!(
        hooked::take_calls(&context).await?,
        ["before_save of an update: a", "after_save of an update: a"]
    );
    let mut change = touched.into_active_model();
    change.name = Set("b".to_owned());
    change.touch(&context.db).await?;
    assert_eq!(
        hooked::take_calls(&context).await?,
        ["before_save of an update: b", "after_save of an update: b"]
    );
    Ok(())
}

/// The version of a root guards rows of other tables, if everybody who writes them touches it.
async fn two_writers_of_one_aggregate_collide_at_its_root(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("CREATE TABLE note (item_id BIGINT NOT NULL, body VARCHAR(50) NOT NULL)")
        .await?;
    let root = load(&context, 1).await?;
    let copies = [(root.clone(), "first"), (root, "second")];
    let mut outcomes = Vec::new();
    for (root, body) in copies {
        let txn = context.db.begin().await?;
        txn.execute_unprepared(&format!("INSERT INTO note VALUES (1, '{body}')"))
            .await?;
        match root.touch(&txn).await {
            Ok(_) => {
                txn.commit().await?;
                outcomes.push(true);
            }
            Err(err) => {
                assert!(err.is_conflict());
                txn.rollback().await?;
                outcomes.push(false);
            }
        }
    }
    assert_eq!(outcomes, [true, false]);
    assert_eq!(
        context.number("SELECT COUNT(*) FROM note WHERE body = 'first'").await?,
        1
    );
    assert_eq!(context.number("SELECT COUNT(*) FROM note").await?, 1);
    assert_eq!(stored(&context, 1).await?.2, 2);
    Ok(())
}
