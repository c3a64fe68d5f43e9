//! Inserts in parts.

use optlock::prelude::*;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    a_column_that_is_not_set_gets_its_default_whoever_is_beside_it,
    a_part_is_not_too_large,
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
    let batch = (1..=5).map(|id| new(id, "n".repeat(400_000)));
    context.take_statements();
    assert_eq!(item::Entity::insert_many(batch).exec_in_parts(&context.db).await?, 5);
    let statements = context.take_statements();
    assert_eq!(statements.iter().filter(|sql| sql.starts_with("INSERT")).count(), 3);
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 5);
    Ok(())
}
