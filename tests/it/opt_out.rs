//! The ways out, each named `…_unchecked`: what SeaORM does, and nothing else.

use optlock::prelude::*;
use sea_orm::sea_query::{ExprTrait as _, OnConflict};

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};

cases![
    an_unchecked_update_writes_though_it_is_stale_and_advances_nothing,
    an_unchecked_update_without_returning_writes_though_it_is_stale,
    an_unchecked_save_writes_though_it_is_stale,
    an_unchecked_update_writes_the_version_that_is_set,
    an_unchecked_insert_leaves_the_version_to_the_caller,
    an_unchecked_delete_deletes_though_it_is_stale,
    unchecked_builders_are_those_of_seaorm,
    an_unchecked_bulk_update_advances_nothing,
    an_unchecked_bulk_insert_leaves_the_versions_to_the_caller,
    an_unchecked_upsert_advances_nothing,
    every_unchecked_error_is_that_of_seaorm,
];

/// Item 1 as it was before somebody else changed it.
async fn stale(context: &Context) -> Result<item::Model, Box<dyn std::error::Error + Send + Sync>> {
    item::create(context).await?;
    let row = load(context, 1).await?;
    context
        .sql("UPDATE item SET name = 'theirs', version = 2 WHERE id = 1")
        .await?;
    Ok(row)
}

fn change(row: item::Model) -> item::ActiveModel {
    let mut change = row.into_active_model();
    change.qty = Set(11);
    change
}

async fn an_unchecked_update_writes_though_it_is_stale_and_advances_nothing(context: Context) -> Outcome {
    let row = stale(&context).await?;
    let updated = change(row.clone()).update_unchecked(&context.db).await?;
    assert_eq!((updated.name.as_str(), updated.qty, updated.version), ("theirs", 11, 2));
    assert_eq!(stored(&context, 1).await?, ("theirs".to_owned(), 11, 2));
    // The other way round, nobody is told: this is why it has another name.
    let mut fresh = updated.into_active_model();
    fresh.qty = Set(12);
    assert_eq!(fresh.update(&context.db).await?.version, 3);
    Ok(())
}

async fn an_unchecked_update_without_returning_writes_though_it_is_stale(context: Context) -> Outcome {
    let row = stale(&context).await?;
    let result = change(row).update_without_returning_unchecked(&context.db).await?;
    assert_eq!(result.rows_affected, 1);
    assert_eq!(stored(&context, 1).await?, ("theirs".to_owned(), 11, 2));
    Ok(())
}

async fn an_unchecked_save_writes_though_it_is_stale(context: Context) -> Outcome {
    let row = stale(&context).await?;
    let saved = change(row).save_unchecked(&context.db).await?;
    assert_eq!((saved.qty, saved.version), (Unchanged(11), Unchanged(2)));
    assert_eq!(stored(&context, 1).await?, ("theirs".to_owned(), 11, 2));
    Ok(())
}

async fn an_unchecked_update_writes_the_version_that_is_set(context: Context) -> Outcome {
    let mut change = change(stale(&context).await?);
    change.version = Set(77);
    assert_eq!(change.update_unchecked(&context.db).await?.version, 77);
    assert_eq!(stored(&context, 1).await?.2, 77);
    Ok(())
}

async fn an_unchecked_insert_leaves_the_version_to_the_caller(context: Context) -> Outcome {
    let key = context.backend.pick("", "", "AUTO_INCREMENT");
    context
        .sql(&format!(
            "CREATE TABLE item (id BIGINT NOT NULL {key} PRIMARY KEY, name VARCHAR(50), qty BIGINT, \
             version BIGINT NOT NULL DEFAULT 7)"
        ))
        .await?;
    let new = |id, version| item::ActiveModel {
        id: Set(id),
        name: Set("a".to_owned()),
        qty: Set(1),
        version,
    };
    assert_eq!(new(1, NotSet).insert_unchecked(&context.db).await?.version, 7);
    assert_eq!(new(2, Set(3)).insert_unchecked(&context.db).await?.version, 3);
    item::Entity::insert_unchecked(new(3, NotSet)).exec(&context.db).await?;
    assert_eq!(stored(&context, 3).await?.2, 7);
    Ok(())
}

async fn an_unchecked_delete_deletes_though_it_is_stale(context: Context) -> Outcome {
    let row = stale(&context).await?;
    assert_eq!(row.clone().delete_unchecked(&context.db).await?.rows_affected, 1);
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 2);
    // And, like SeaORM's, finds nothing wrong with a row that is gone.
    assert_eq!(row.clone().delete_unchecked(&context.db).await?.rows_affected, 0);
    assert_eq!(
        row.into_active_model()
            .delete_unchecked(&context.db)
            .await?
            .rows_affected,
        0
    );

    let second = load(&context, 2).await?;
    context.sql("UPDATE item SET version = 2 WHERE id = 2").await?;
    assert_eq!(
        second
            .into_active_model()
            .delete_unchecked(&context.db)
            .await?
            .rows_affected,
        1
    );
    Ok(())
}

async fn unchecked_builders_are_those_of_seaorm(context: Context) -> Outcome {
    let row = stale(&context).await?;
    let update: sea_orm::UpdateOne<item::ActiveModel> = item::Entity::update_unchecked(change(row.clone()));
    let updated = update.validate()?.exec(&context.db).await?;
    assert_eq!((updated.qty, updated.version), (11, 2));
    assert_eq!(stored(&context, 1).await?, ("theirs".to_owned(), 11, 2));
    let delete: sea_orm::DeleteOne<item::Entity> = item::Entity::delete_unchecked(row.into_active_model());
    assert_eq!(delete.validate()?.exec(&context.db).await?.rows_affected, 1);
    Ok(())
}

async fn an_unchecked_bulk_update_advances_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    let update: sea_orm::UpdateMany<item::Entity> = item::Entity::update_many_unchecked();
    let result = update
        .col_expr(item::Column::Qty, Expr::col(item::Column::Qty).add(1))
        .exec(&context.db)
        .await?;
    assert_eq!(result.rows_affected, 3);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 1));
    let mut change = row.into_active_model();
    change.qty = Set(0);
    assert_eq!(
        change.update(&context.db).await?.version,
        2,
        "the bulk update is lost, and nobody is told"
    );
    // The version is a column like any other.
    item::Entity::update_many_unchecked()
        .col_expr(item::Column::Version, Expr::value(40))
        .exec(&context.db)
        .await?;
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 40").await?, 3);
    Ok(())
}

async fn an_unchecked_bulk_insert_leaves_the_versions_to_the_caller(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    let new = |id: i64| item::ActiveModel {
        id: Set(id),
        name: Set(id.to_string()),
        qty: Set(1),
        version: Set(9),
    };
    item::Entity::insert_many_unchecked([new(1), new(2)])
        .exec(&context.db)
        .await?;
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 9").await?, 2);
    // Without a version and without a default there is no row.
    let without = item::ActiveModel {
        version: NotSet,
        ..new(3)
    };
    let err = optlock::Error::from(without.insert_unchecked(&context.db).await.unwrap_err());
    assert_eq!(err.fault(), Some(optlock::Fault::NotNull));
    Ok(())
}

async fn an_unchecked_upsert_advances_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    let clause = || {
        OnConflict::column(item::Column::Id)
            .update_column(item::Column::Qty)
            .to_owned()
    };
    let new = |id: i64| item::ActiveModel {
        id: Set(id),
        name: Set(format!("new {id}")),
        qty: Set(5),
        version: NotSet,
    };
    item::Entity::insert(new(1))
        .on_conflict_unchecked(clause())
        .exec(&context.db)
        .await?;
    item::Entity::insert_many([new(2), new(9)])
        .on_conflict_unchecked(clause())
        .exec(&context.db)
        .await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 5, 1));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 5, 1));
    assert_eq!(
        stored(&context, 9).await?,
        ("new 9".to_owned(), 5, 1),
        "a new row starts at the first version all the same"
    );
    Ok(())
}

async fn every_unchecked_error_is_that_of_seaorm(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    context.sql("DELETE FROM item WHERE id = 1").await?;
    let err: DbErr = change(row.clone()).update_unchecked(&context.db).await.unwrap_err();
    assert!(matches!(err, DbErr::RecordNotUpdated), "{err:?}");
    let err: DbErr = change(row)
        .update_without_returning_unchecked(&context.db)
        .await
        .unwrap_err();
    assert!(matches!(err, DbErr::RecordNotUpdated), "{err:?}");
    Ok(())
}
