//! Updates of one row.

use optlock::prelude::*;
use optlock::{Error, Found, Operation};
use sea_orm::TransactionTrait;
use sea_orm::sea_query::ExprTrait as _;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};

cases![
    two_updates_in_a_row_from_the_returned_model_succeed,
    a_stale_update_conflicts_and_leaves_the_row_alone,
    a_conflict_can_be_repeated_and_the_winner_goes_on,
    a_conflict_is_resolved_by_reading_again,
    a_change_of_another_column_conflicts_all_the_same,
    an_update_is_one_statement_with_the_version_last,
    an_update_of_a_deleted_row_conflicts_and_does_not_bring_it_back,
    an_unchanged_model_writes_nothing,
    an_unchanged_model_that_is_stale_is_told,
    a_version_that_was_set_is_the_expected_one_and_is_never_written,
    a_model_without_a_version_is_refused_before_any_sql,
    a_model_without_a_key_is_refused_before_any_sql,
    a_negative_version_counts_up,
    the_last_version_is_refused_before_any_sql,
    an_update_without_returning_is_checked,
    an_unchanged_update_without_returning_writes_nothing,
    a_builder_with_a_filter_checks_both,
    save_updates_a_row_whose_key_is_set,
    a_write_that_breaks_a_constraint_is_no_conflict,
    a_partial_model_returns_the_whole_row,
    a_model_with_every_column_reset_writes_all_but_the_key_and_the_version,
    a_row_that_is_named_and_not_loaded_is_returned_as_stored,
    an_expression_is_checked_and_its_result_returned,
    an_expression_for_the_version_or_the_key_is_refused_before_any_sql,
    unchanged_models_of_two_writers_do_not_deadlock,
];

async fn two_updates_in_a_row_from_the_returned_model_succeed(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut first = load(&context, 1).await?.into_active_model();
    first.name = Set("x".to_owned());
    let first = first.update(&context.db).await?;
    assert_eq!((first.name.as_str(), first.version), ("x", 2));
    assert_eq!(stored(&context, 1).await?, ("x".to_owned(), 10, 2));

    let mut second = first.into_active_model();
    second.qty = Set(11);
    let second = second.update(&context.db).await?;
    assert_eq!((second.name.as_str(), second.qty, second.version), ("x", 11, 3));
    assert_eq!(stored(&context, 1).await?, ("x".to_owned(), 11, 3));
    Ok(())
}

async fn a_stale_update_conflicts_and_leaves_the_row_alone(context: Context) -> Outcome {
    item::create(&context).await?;
    let (mut winner, mut loser) = two_copies(&context).await?;
    winner.name = Set("stu".to_owned());
    loser.name = Set("sue".to_owned());
    let winner = winner.update(&context.db).await?;

    let Err(Error::Conflict(conflict)) = loser.update(&context.db).await else {
        panic!("the update was lost")
    };
    assert_eq!(conflict.table(), "item");
    assert_eq!(conflict.key().to_string(), "1");
    assert_eq!(conflict.operation(), Operation::Update);
    assert_eq!(conflict.expected().get::<i64>(), Some(1));
    assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
    assert_eq!(conflict.current::<item::Model>(), Some(&winner));
    assert_eq!(
        conflict.to_string(),
        "update of item 1 at version 1 conflicts: the row is at version 2"
    );
    assert_eq!(stored(&context, 1).await?, ("stu".to_owned(), 10, 2));
    Ok(())
}

async fn a_conflict_can_be_repeated_and_the_winner_goes_on(context: Context) -> Outcome {
    item::create(&context).await?;
    let (mut winner, mut loser) = two_copies(&context).await?;
    winner.qty = Set(11);
    loser.qty = Set(12);
    let mut winner = winner.update(&context.db).await?.into_active_model();
    assert!(loser.clone().update(&context.db).await.unwrap_err().is_conflict());
    assert!(loser.clone().update(&context.db).await.unwrap_err().is_conflict());
    assert_eq!(
        (loser.version, loser.qty),
        (Unchanged(1), Set(12)),
        "the loser keeps what it had"
    );
    winner.qty = Set(13);
    assert_eq!(winner.update(&context.db).await?.version, 3);
    Ok(())
}

async fn a_conflict_is_resolved_by_reading_again(context: Context) -> Outcome {
    item::create(&context).await?;
    let (mut theirs, mut ours) = two_copies(&context).await?;
    theirs.qty = Set(20);
    ours.qty = Set(30);
    theirs.update(&context.db).await?;
    let conflict = ours.update(&context.db).await.unwrap_err();

    // Theirs: what the conflict hands over is the row, and nothing more is to be done.
    let current = conflict
        .conflict()
        .and_then(|conflict| conflict.current::<item::Model>())
        .cloned();
    let current = current.ok_or("no current row")?;
    assert_eq!((current.qty, current.version), (20, 2));
    // Ours, on top of theirs.
    let mut again = current.into_active_model();
    again.qty = Set(30);
    let again = again.update(&context.db).await?;
    assert_eq!((again.qty, again.version), (30, 3));
    Ok(())
}

async fn a_change_of_another_column_conflicts_all_the_same(context: Context) -> Outcome {
    item::create(&context).await?;
    let (mut first, mut second) = two_copies(&context).await?;
    first.name = Set("x".to_owned());
    second.qty = Set(99);
    first.update(&context.db).await?;
    assert!(second.update(&context.db).await.unwrap_err().is_conflict());
    assert_eq!(stored(&context, 1).await?, ("x".to_owned(), 10, 2));
    Ok(())
}

async fn an_update_is_one_statement_with_the_version_last(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut model = load(&context, 1).await?.into_active_model();
    model.qty = Set(11);
    context.take_statements();
    model.update(&context.db).await?;
    let expected = context.backend.pick(
        r#"UPDATE "item" SET "qty" = ?, "version" = ? WHERE "item"."id" = ? AND "item"."version" = ?"#,
        r#"UPDATE "item" SET "qty" = $1, "version" = $2 WHERE "item"."id" = $3 AND "item"."version" = $4 RETURNING "id", "name", "qty", "version""#,
        "UPDATE `item` SET `qty` = ?, `version` = ? WHERE `item`.`id` = ? AND `item`.`version` = ?",
    );
    assert_eq!(context.take_statements(), [expected]);
    Ok(())
}

async fn an_update_of_a_deleted_row_conflicts_and_does_not_bring_it_back(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut model = load(&context, 1).await?.into_active_model();
    context.sql("DELETE FROM item WHERE id = 1").await?;
    model.qty = Set(11);
    for attempt in [
        model.clone().update(&context.db).await.unwrap_err(),
        model.save(&context.db).await.unwrap_err(),
    ] {
        let conflict = attempt.conflict().ok_or("not a conflict")?;
        assert_eq!(*conflict.found(), Found::Deleted);
        assert!(attempt.is_gone());
        assert_eq!(conflict.current::<item::Model>(), None);
        assert_eq!(
            conflict.to_string(),
            "update of item 1 at version 1 conflicts: the row is not there"
        );
    }
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE id = 1").await?, 0);
    Ok(())
}

async fn an_unchanged_model_writes_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?;
    context.take_statements();
    let returned = model.clone().into_active_model().update(&context.db).await?;
    assert_eq!(returned, model);
    let lock = context.backend.pick("", " FOR NO KEY UPDATE", " FOR UPDATE");
    let mut statements = context.take_statements();
    let read = statements.pop().unwrap_or_default();
    assert!(
        read.starts_with("SELECT") && read.ends_with(&format!(" LIMIT {}{lock}", context.backend.pick("?", "$3", "?"))),
        "{read}"
    );
    // SQLite has no rows to lock: a write that reaches none takes the lock of the database.
    let locking = context
        .backend
        .pick(&[r#"UPDATE "item" SET "id" = "id" WHERE FALSE"#][..], &[], &[]);
    assert_eq!(statements, locking);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn an_unchanged_model_that_is_stale_is_told(context: Context) -> Outcome {
    item::create(&context).await?;
    let changed = load(&context, 1).await?.into_active_model();
    let deleted = load(&context, 2).await?.into_active_model();
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    context.sql("DELETE FROM item WHERE id = 2").await?;
    let err = changed.update(&context.db).await.unwrap_err();
    assert_eq!(
        err.conflict().map(optlock::Conflict::found),
        Some(&Found::Changed { version: 2_i64.into() })
    );
    assert!(deleted.update(&context.db).await.unwrap_err().is_gone());
    Ok(())
}

async fn a_version_that_was_set_is_the_expected_one_and_is_never_written(context: Context) -> Outcome {
    item::create(&context).await?;
    // As from a form or an `If-Match` header.
    let from_client = |version| item::ActiveModel {
        id: Set(1),
        qty: Set(11),
        version: Set(version),
        name: NotSet,
    };
    for wrong in [0, 2, 99, i64::MAX - 1] {
        assert!(from_client(wrong).update(&context.db).await.unwrap_err().is_conflict());
        assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    }
    let updated = from_client(1).update(&context.db).await?;
    assert_eq!((updated.name.as_str(), updated.qty, updated.version), ("a", 11, 2));
    // A version alone is no change.
    let alone = item::ActiveModel {
        id: Set(1),
        version: Set(2),
        ..Default::default()
    };
    assert_eq!(alone.update(&context.db).await?.version, 2);
    Ok(())
}

async fn a_model_without_a_version_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = item::ActiveModel {
        id: Set(1),
        qty: Set(11),
        ..Default::default()
    };
    context.take_statements();
    for err in [
        model.clone().update(&context.db).await.unwrap_err(),
        model
            .clone()
            .update_without_returning(&context.db)
            .await
            .map(drop)
            .unwrap_err(),
        model.clone().save(&context.db).await.unwrap_err(),
        model.clone().touch(&context.db).await.unwrap_err(),
        model.clone().delete(&context.db).await.map(drop).unwrap_err(),
        item::Entity::update(model.clone()).exec(&context.db).await.unwrap_err(),
        item::Entity::delete(model.clone())
            .exec(&context.db)
            .await
            .map(drop)
            .unwrap_err(),
        item::Entity::update(model.clone()).validate().map(drop).unwrap_err(),
    ] {
        let Error::NotSet(not_set) = &err else {
            panic!("{err:?}")
        };
        assert_eq!((not_set.table(), not_set.column()), ("item", "version"));
    }
    let text = model.update(&context.db).await.unwrap_err().to_string();
    assert_eq!(text, "update of item needs `version`, which is `NotSet`");
    assert_eq!(context.take_statements(), [""; 0]);
    Ok(())
}

async fn a_model_without_a_key_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = item::ActiveModel {
        qty: Set(11),
        version: Set(1),
        ..Default::default()
    };
    context.take_statements();
    for err in [
        model.clone().update(&context.db).await.unwrap_err(),
        model.delete(&context.db).await.map(drop).unwrap_err(),
    ] {
        let Error::NotSet(not_set) = &err else {
            panic!("{err:?}")
        };
        assert_eq!(not_set.column(), "id");
    }
    assert_eq!(context.take_statements(), [""; 0]);
    Ok(())
}

async fn a_negative_version_counts_up(context: Context) -> Outcome {
    item::create(&context).await?;
    context.sql("UPDATE item SET version = -1 WHERE id = 1").await?;
    let mut model = load(&context, 1).await?.into_active_model();
    model.qty = Set(11);
    let mut model = model.update(&context.db).await?.into_active_model();
    assert_eq!(model.version, Unchanged(0));
    // Zero is a version like any other.
    model.qty = Set(12);
    assert_eq!(model.update(&context.db).await?.version, 1);
    Ok(())
}

async fn the_last_version_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("UPDATE item SET version = 9223372036854775807 WHERE id = 1")
        .await?;
    let mut model = load(&context, 1).await?.into_active_model();
    model.qty = Set(11);
    context.take_statements();
    let err = model.clone().update(&context.db).await.unwrap_err();
    let Error::Overflow(overflow) = &err else {
        panic!("{err:?}")
    };
    assert_eq!((overflow.table(), overflow.operation()), ("item", Operation::Update));
    assert_eq!(overflow.last().get::<i64>(), Some(i64::MAX));
    assert_eq!(
        err.to_string(),
        "update of item cannot advance the version past 9223372036854775807"
    );
    assert_eq!(context.take_statements(), [""; 0]);
    // A row at the last version can still be deleted.
    model.delete(&context.db).await?;
    Ok(())
}

async fn an_update_without_returning_is_checked(context: Context) -> Outcome {
    item::create(&context).await?;
    let (mut winner, mut loser) = two_copies(&context).await?;
    winner.qty = Set(11);
    loser.qty = Set(12);
    context.take_statements();
    assert_eq!(winner.update_without_returning(&context.db).await?.rows_affected, 1);
    let statements = context.take_statements();
    assert!(
        statements.len() == 1 && !statements[0].contains("RETURNING"),
        "{statements:?}"
    );
    assert!(
        loser
            .update_without_returning(&context.db)
            .await
            .unwrap_err()
            .is_conflict()
    );
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 2));
    Ok(())
}

async fn an_unchanged_update_without_returning_writes_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?.into_active_model();
    assert_eq!(
        model.clone().update_without_returning(&context.db).await?.rows_affected,
        0
    );
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    assert!(
        model
            .update_without_returning(&context.db)
            .await
            .unwrap_err()
            .is_conflict()
    );
    Ok(())
}

async fn a_builder_with_a_filter_checks_both(context: Context) -> Outcome {
    item::create(&context).await?;
    let (mut first, mut second) = two_copies(&context).await?;
    first.qty = Set(5);
    second.qty = Set(6);
    let enough = item::Column::Qty.gte(10);

    // The filter does not match: the row is as expected, but was not reached.
    let err = item::Entity::update(first.clone())
        .filter(item::Column::Qty.gte(11))
        .exec(&context.db)
        .await
        .unwrap_err();
    let conflict = err.conflict().ok_or("not a conflict")?;
    assert_eq!(*conflict.found(), Found::Blocked);
    assert_eq!(conflict.current::<item::Model>().map(|row| row.version), Some(1));
    // So it is with a model that changes nothing.
    let unchanged = load(&context, 1).await?.into_active_model();
    let err = item::Entity::update(unchanged)
        .filter(item::Column::Qty.gte(11))
        .exec(&context.db)
        .await
        .unwrap_err();
    assert_eq!(err.conflict().map(optlock::Conflict::found), Some(&Found::Blocked));

    let updated = item::Entity::update(first)
        .validate()?
        .filter(enough.clone())
        .exec(&context.db)
        .await?;
    assert_eq!((updated.qty, updated.version), (5, 2));
    // The version does not match, although the filter would.
    let err = item::Entity::update(second)
        .filter(item::Column::Qty.gte(1))
        .exec(&context.db)
        .await
        .unwrap_err();
    assert_eq!(
        err.conflict().map(optlock::Conflict::found),
        Some(&Found::Changed { version: 2_i64.into() })
    );
    Ok(())
}

async fn save_updates_a_row_whose_key_is_set(context: Context) -> Outcome {
    item::create(&context).await?;
    let (mut winner, mut loser) = two_copies(&context).await?;
    winner.qty = Set(11);
    loser.qty = Set(12);
    let saved = winner.save(&context.db).await?;
    assert_eq!((saved.qty, saved.version), (Unchanged(11), Unchanged(2)));
    assert!(loser.save(&context.db).await.unwrap_err().is_conflict());

    let new = item::ActiveModel {
        name: Set("d".to_owned()),
        qty: Set(40),
        ..Default::default()
    };
    let new = new.save(&context.db).await;
    if context.backend == crate::backend::Backend::Postgres {
        // The sequence of this table has not seen the keys that were inserted by hand.
        assert!(matches!(new, Err(Error::Database(_))));
    } else {
        assert_eq!(new?.version, Unchanged(1));
    }
    Ok(())
}

async fn a_write_that_breaks_a_constraint_is_no_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut model = load(&context, 1).await?.into_active_model();
    model.name = Set("b".to_owned());
    let err = model.update(&context.db).await.unwrap_err();
    assert!(!err.is_conflict());
    assert_eq!(err.fault(), Some(optlock::Fault::Unique));
    assert!(matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))));
    // The same through SeaORM's error.
    assert!(matches!(
        DbErr::from(err).sql_err(),
        Some(SqlErr::UniqueConstraintViolation(_))
    ));
    Ok(())
}

async fn a_partial_model_returns_the_whole_row(context: Context) -> Outcome {
    item::create(&context).await?;
    let partial = item::ActiveModel {
        id: Unchanged(1),
        qty: Set(11),
        version: Unchanged(1),
        name: NotSet,
    };
    context.take_statements();
    let updated = partial.update(&context.db).await?;
    assert_eq!(
        updated,
        item::Model {
            id: 1,
            name: "a".to_owned(),
            qty: 11,
            version: 2
        }
    );
    let statements = context.take_statements().len();
    assert_eq!(statements, context.backend.pick(1, 1, 2));
    Ok(())
}

async fn a_model_with_every_column_reset_writes_all_but_the_key_and_the_version(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?.into_active_model().reset_all();
    assert_eq!(model.version, Set(1));
    let updated = model.clone().update(&context.db).await?;
    assert_eq!(updated.version, 2);
    assert!(model.update(&context.db).await.unwrap_err().is_conflict());
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 3);
    Ok(())
}

async fn an_expression_is_checked_and_its_result_returned(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?.into_active_model();
    let one_more = || Expr::col(item::Column::Qty).add(1);
    let increment = |row: item::ActiveModel| item::Entity::update(row).col_expr(item::Column::Qty, one_more());
    let updated = increment(row.clone()).exec(&context.db).await?;
    assert_eq!((updated.name.as_str(), updated.qty, updated.version), ("a", 11, 2));
    assert!(
        increment(row.clone())
            .exec(&context.db)
            .await
            .unwrap_err()
            .is_conflict()
    );
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 2));

    context.sql("DELETE FROM item WHERE id = 1").await?;
    assert!(increment(row).exec(&context.db).await.unwrap_err().is_gone());
    Ok(())
}

async fn an_expression_for_the_version_or_the_key_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?.into_active_model();
    context.take_statements();
    let assign = |column| item::Entity::update(row.clone()).col_expr(column, Expr::val(9));
    let err = assign(item::Column::Version).exec(&context.db).await.unwrap_err();
    assert!(matches!(err, Error::VersionAssigned(_)), "{err:?}");
    assert_eq!(
        err.to_string(),
        "update of item assigns its version column `version`, which optlock advances"
    );
    let err = assign(item::Column::Id).exec(&context.db).await.unwrap_err();
    assert!(matches!(err, Error::Unsupported(_)), "{err:?}");
    assert_eq!(context.take_statements(), [""; 0]);
    Ok(())
}

async fn a_row_that_is_named_and_not_loaded_is_returned_as_stored(context: Context) -> Outcome {
    item::create(&context).await?;
    // Loaded as 1, and turned into 2: the name in it is still that of 1.
    let mut other_row = load(&context, 1).await?.into_active_model();
    other_row.id = Set(2);
    other_row.qty = Set(21);
    let updated = other_row.update(&context.db).await?;
    assert_eq!((updated.id, updated.name.as_str(), updated.qty), (2, "b", 21));
    // Loaded at version 1, and sent with version 2, which a client had read: the name has changed in between.
    let mut newer = load(&context, 1).await?.into_active_model();
    context
        .sql("UPDATE item SET name = 'theirs', version = 2 WHERE id = 1")
        .await?;
    newer.version = Set(2);
    newer.qty = Set(11);
    let updated = newer.update(&context.db).await?;
    assert_eq!((updated.name.as_str(), updated.qty, updated.version), ("theirs", 11, 3));
    Ok(())
}

/// Each shows that the row is current, and then writes: with locks that are shared, one would be a deadlock's victim.
async fn unchanged_models_of_two_writers_do_not_deadlock(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (db, row) = (context.db.clone(), row.clone());
        tasks.spawn(async move {
            let txn = db.begin().await?;
            let row = row.into_active_model().update(&txn).await?;
            tokio::task::yield_now().await;
            row.touch(&txn).await?;
            txn.commit().await?;
            Ok::<_, Error>(())
        });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = tasks.join_next().await {
        outcomes.push(outcome?);
    }
    assert_eq!(
        outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
        1,
        "{outcomes:?}"
    );
    let loser = outcomes.into_iter().find_map(Result::err).ok_or("both won")?;
    // SQLite cannot let a reader become a writer behind a rival's back, and says so at once.
    let is_expected = loser.is_conflict()
        || (context.backend == crate::backend::Backend::Sqlite && loser.fault() == Some(optlock::Fault::Busy));
    assert!(is_expected, "{loser:?}");
    assert_eq!(stored(&context, 1).await?.2, 2);
    Ok(())
}

/// Two people who read item 1.
async fn two_copies(
    context: &Context,
) -> Result<(item::ActiveModel, item::ActiveModel), Box<dyn std::error::Error + Send + Sync>> {
    let model = load(context, 1).await?.into_active_model();
    Ok((model.clone(), model))
}
