//! Deletes of one row.

use optlock::prelude::*;
use optlock::{Error, Found, Operation};

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};

cases![
    a_fresh_model_is_deleted_by_one_statement,
    a_stale_delete_conflicts_and_the_row_stays,
    a_second_delete_is_told_that_the_row_is_gone,
    a_stale_delete_succeeds_after_reading_again,
    an_active_model_is_deleted_at_its_version,
    a_builder_with_a_filter_checks_both,
    a_delete_returns_its_row_where_it_can,
];

async fn a_fresh_model_is_deleted_by_one_statement(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?;
    context.take_statements();
    assert_eq!(model.delete(&context.db).await?.rows_affected, 1);
    let expected = context.backend.pick(
        r#"DELETE FROM "item" WHERE "item"."id" = ? AND "item"."version" = ?"#,
        r#"DELETE FROM "item" WHERE "item"."id" = $1 AND "item"."version" = $2"#,
        "DELETE FROM `item` WHERE `item`.`id` = ? AND `item`.`version` = ?",
    );
    assert_eq!(context.take_statements(), [expected]);
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 2);
    Ok(())
}

async fn a_stale_delete_conflicts_and_the_row_stays(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    let fresh = stale.clone().touch(&context.db).await?;
    let Err(Error::Conflict(conflict)) = stale.delete(&context.db).await else {
        panic!("the row was deleted")
    };
    assert_eq!(conflict.operation(), Operation::Delete);
    assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
    assert_eq!(conflict.current::<item::Model>(), Some(&fresh));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 2));
    fresh.delete(&context.db).await?;
    Ok(())
}

async fn a_second_delete_is_told_that_the_row_is_gone(context: Context) -> Outcome {
    item::create(&context).await?;
    let first = load(&context, 1).await?;
    let second = first.clone();
    first.delete(&context.db).await?;
    let err = second.delete(&context.db).await.unwrap_err();
    assert!(err.is_gone());
    assert_eq!(
        err.to_string(),
        "delete of item 1 at version 1 conflicts: the row is not there"
    );
    Ok(())
}

async fn a_stale_delete_succeeds_after_reading_again(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 1).await?;
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    assert!(stale.delete(&context.db).await.unwrap_err().is_conflict());
    load(&context, 1).await?.delete(&context.db).await?;
    Ok(())
}

async fn an_active_model_is_deleted_at_its_version(context: Context) -> Outcome {
    item::create(&context).await?;
    let at = |version| item::ActiveModel {
        id: Set(1),
        version: Set(version),
        ..Default::default()
    };
    assert!(at(2).delete(&context.db).await.unwrap_err().is_conflict());
    assert_eq!(at(1).delete(&context.db).await?.rows_affected, 1);
    Ok(())
}

async fn a_builder_with_a_filter_checks_both(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?.into_active_model();
    let err = item::Entity::delete(model.clone())
        .filter(item::Column::Qty.eq(0))
        .exec(&context.db)
        .await
        .unwrap_err();
    assert_eq!(err.conflict().map(optlock::Conflict::found), Some(&Found::Blocked));
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    let err = item::Entity::delete(model.clone())
        .filter(item::Column::Qty.eq(10))
        .exec(&context.db)
        .await
        .unwrap_err();
    assert_eq!(
        err.conflict().map(optlock::Conflict::found),
        Some(&Found::Changed { version: 2_i64.into() })
    );
    let fresh = load(&context, 1).await?;
    item::Entity::delete(fresh.into_active_model())
        .validate()?
        .filter(item::Column::Qty.eq(10))
        .exec(&context.db)
        .await?;
    Ok(())
}

async fn a_delete_returns_its_row_where_it_can(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?;
    let delete = item::Entity::delete(model.clone().into_active_model())
        .exec_with_returning(&context.db)
        .await;
    if context.backend.expected().returns_rows {
        assert_eq!(delete?, Some(model.clone()));
        assert!(
            item::Entity::delete(model.into_active_model())
                .exec_with_returning(&context.db)
                .await
                .unwrap_err()
                .is_gone()
        );
    } else {
        assert!(matches!(delete, Err(Error::Unsupported(_))), "{delete:?}");
        assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 3);
    }
    Ok(())
}
