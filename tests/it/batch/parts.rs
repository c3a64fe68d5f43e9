//! Inserts in parts.

use optlock::Error;
use optlock::prelude::*;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    a_column_that_is_not_set_gets_its_default_whoever_is_beside_it,
    a_part_is_not_too_large,
    a_statement_that_is_full_is_not_refused,
];

fn new(id: i64, name: String) -> item::ActiveModel {
    item::ActiveModel {
        id: Set(id),
        name: Set(name),
        qty: Set(5),
        version: NotSet,
    }
}

async fn create(context: &Context) -> Outcome {
    let text = context.backend.pick("TEXT", "TEXT", "LONGTEXT");
    context
        .sql(&format!(
            "CREATE TABLE item (id BIGINT NOT NULL PRIMARY KEY, name {text} NOT NULL, qty BIGINT NOT NULL DEFAULT 7, version BIGINT NOT NULL)"
        ))
        .await
}

async fn a_column_that_is_not_set_gets_its_default_whoever_is_beside_it(context: Context) -> Outcome {
    create(&context).await?;
    let batch = (1..=9).map(|id| item::ActiveModel {
        qty: if id % 3 == 0 { NotSet } else { Set(5) },
        ..new(id, "n".to_owned())
    });
    assert_eq!(item::Entity::insert_many(batch).exec_in_parts(&context.db).await?, 9);
    for row in super::rows(&context).await? {
        let qty = if row.id % 3 == 0 { 7 } else { 5 };
        assert_eq!((row.qty, row.version), (qty, 1), "{row:?}");
    }
    Ok(())
}

async fn a_part_is_not_too_large(context: Context) -> Outcome {
    create(&context).await?;
    // Three of them are just below a mebibyte.
    let batch = (1..=5).map(|id| new(id, "n".repeat(300_000)));
    context.take_statements();
    assert_eq!(item::Entity::insert_many(batch).exec_in_parts(&context.db).await?, 5);
    let statements = context.take_statements();
    assert_eq!(statements.iter().filter(|sql| sql.starts_with("INSERT")).count(), 2);
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 5);
    Ok(())
}

async fn a_statement_that_is_full_is_not_refused(context: Context) -> Outcome {
    create(&context).await?;
    let most = context.backend.pick(32_766, 65_535, 65_535);
    let rows = |count: i64| {
        item::Entity::insert_many((1..=count).map(|id| item::ActiveModel {
            qty: NotSet,
            ..new(id, "n".to_owned())
        }))
    };
    let full = most / 3;
    assert_eq!(full * 3, most, "three values of each row are sent");
    let err = rows(full + 1).exec_without_returning(&context.db).await.unwrap_err();
    assert!(matches!(err, Error::Unsupported(_)), "{err:?}");
    assert_eq!(
        rows(full).exec_without_returning(&context.db).await?,
        u64::try_from(full)?
    );
    context.sql("DELETE FROM item").await?;
    context.take_statements();
    assert_eq!(rows(full).exec_in_parts(&context.db).await?, u64::try_from(full)?);
    let statements = context.take_statements();
    assert_eq!(statements.iter().filter(|sql| sql.starts_with("INSERT")).count(), 1);
    Ok(())
}
