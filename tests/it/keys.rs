//! Keys of every kind, and columns of every name.

use optlock::prelude::*;
use optlock::{Conflict, Found};

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::keys::{
    Level, Shade, by_bytes, by_enum, by_level, by_text, by_uuid, elsewhere, first, ignoring, last, middle, pair, raw,
    renamed, triple,
};

cases![
    a_key_of_two_columns_finds_only_its_row,
    a_key_of_three_columns_finds_only_its_row,
    a_key_may_be_text,
    a_key_may_be_a_uuid,
    a_key_may_be_bytes,
    a_key_may_be_an_enum,
    a_key_may_be_an_enum_that_is_a_number,
    a_key_of_two_columns_needs_both,
    the_version_may_be_declared_first,
    the_version_may_be_declared_in_the_middle,
    the_version_may_be_declared_last,
    columns_may_have_other_names_than_fields,
    a_column_may_have_the_name_of_a_keyword,
    a_field_that_is_no_column_comes_back_as_its_default;
    POSTGRES: a_table_may_be_in_another_schema,
];

async fn a_key_of_two_columns_finds_only_its_row(context: Context) -> Outcome {
    context.create(pair::Entity).await?;
    context
        .sql("INSERT INTO pair VALUES (1, 1, 10, 1), (1, 2, 20, 1), (2, 1, 30, 1)")
        .await?;
    let row = pair::Entity::find_by_id((1, 2)).one(&context.db).await?.ok_or("gone")?;
    let mut change = row.clone().into_active_model();
    change.qty = Set(21);
    let stale = change.clone();
    let updated = change.update(&context.db).await?;
    assert_eq!(
        updated,
        pair::Model {
            left: 1,
            right: 2,
            qty: 21,
            version: 2
        }
    );
    assert_eq!(
        pair::Entity::find().all(&context.db).await?.len(),
        3,
        "no row is new and none is gone"
    );
    let others = "SELECT COUNT(*) FROM pair WHERE version = 1 AND qty IN (10, 30)";
    assert_eq!(context.number(others).await?, 2);

    let err = stale.update(&context.db).await.unwrap_err();
    assert_eq!(
        err.to_string(),
        "update of pair (1, 2) at version 1 conflicts: the row is at version 2"
    );
    let key = err.conflict().map(|conflict| conflict.key().values().to_vec());
    assert_eq!(key, Some(vec![1_i64.into(), 2_i32.into()]));

    assert!(row.delete(&context.db).await.unwrap_err().is_conflict());
    assert_eq!(context.number("SELECT COUNT(*) FROM pair").await?, 3);
    assert_eq!(updated.delete(&context.db).await?.rows_affected, 1);
    assert_eq!(context.number("SELECT COUNT(*) FROM pair").await?, 2);
    assert_eq!(context.number(others).await?, 2);
    Ok(())
}

async fn a_key_of_three_columns_finds_only_its_row(context: Context) -> Outcome {
    context.create(triple::Entity).await?;
    let new = |tenant, region: &str, number| triple::ActiveModel {
        tenant: Set(tenant),
        qty: Set(10),
        region: Set(region.to_owned()),
        version: NotSet,
        number: Set(number),
    };
    for (tenant, region, number) in [(1, "eu", 1), (1, "eu", 2), (1, "us", 1), (2, "eu", 1)] {
        let inserted = new(tenant, region, number).insert(&context.db).await?;
        assert_eq!(
            (inserted.tenant, inserted.region.as_str(), inserted.number),
            (tenant, region, number)
        );
        assert_eq!((inserted.qty, inserted.version), (10, 1));
    }
    let row = triple::Entity::find_by_id((1, "eu".to_owned(), 1));
    let row = row.one(&context.db).await?.ok_or("gone")?;
    let mut change = row.clone().into_active_model();
    change.qty = Set(11);
    let updated = change.update(&context.db).await?;
    assert_eq!(
        updated,
        triple::Model {
            qty: 11,
            version: 2,
            ..row.clone()
        }
    );
    let others = "SELECT COUNT(*) FROM triple WHERE version = 1 AND qty = 10";
    assert_eq!(context.number(others).await?, 3);

    let err = row.delete(&context.db).await.unwrap_err();
    assert_eq!(
        err.to_string(),
        "delete of triple (1, 'eu', 1) at version 1 conflicts: the row is at version 2"
    );
    updated.delete(&context.db).await?;
    assert_eq!(context.number(others).await?, 3);
    assert_eq!(context.number("SELECT COUNT(*) FROM triple").await?, 3);
    Ok(())
}

async fn a_key_of_two_columns_needs_both(context: Context) -> Outcome {
    context.create(pair::Entity).await?;
    context.sql("INSERT INTO pair VALUES (1, 1, 10, 1)").await?;
    context.take_statements();
    let half = pair::ActiveModel {
        left: Set(1),
        right: NotSet,
        qty: Set(11),
        version: Set(1),
    };
    for err in [
        half.clone().update(&context.db).await.map(drop).unwrap_err(),
        half.clone().delete(&context.db).await.map(drop).unwrap_err(),
    ] {
        let optlock::Error::NotSet(not_set) = &err else {
            return Err(format!("not a missing key: {err:?}").into());
        };
        assert_eq!((not_set.table(), not_set.column()), ("pair", "right"));
    }
    assert_eq!(context.take_statements(), [""; 0]);
    Ok(())
}

/// Two rows, of which one is updated, overtaken and deleted.
macro_rules! keyed {
    ($context:expr, $module:ident, $column:expr, $one:expr, $two:expr, $text:expr) => {{
        use $module::{ActiveModel, Entity, Model};

        let context: Context = $context;
        let ddl = format!(
            "CREATE TABLE keyed (id {} NOT NULL PRIMARY KEY, qty BIGINT NOT NULL, version BIGINT NOT NULL)",
            $column
        );
        context.sql(&ddl).await?;
        let (one, two): ($module::Key, $module::Key) = ($one, $two);
        let new = |id: &$module::Key, qty| ActiveModel {
            id: Set(id.clone()),
            qty: Set(qty),
            version: NotSet,
        };
        let bystander = new(&two, 20).insert(&context.db).await?;
        let row = new(&one, 10).insert(&context.db).await?;
        assert_eq!(
            row,
            Model {
                id: one.clone(),
                qty: 10,
                version: 1
            }
        );
        let mut change = row.clone().into_active_model();
        change.qty = Set(11);
        let stale = change.clone();
        let updated = change.update(&context.db).await?;
        assert_eq!(
            updated,
            Model {
                id: one.clone(),
                qty: 11,
                version: 2
            }
        );
        let stored = Entity::find_by_id(one.clone()).one(&context.db).await?;
        assert_eq!(stored.as_ref(), Some(&updated));

        let err = stale.update(&context.db).await.unwrap_err();
        let conflict = err.conflict().ok_or_else(|| format!("not a conflict: {err:?}"))?;
        assert_eq!(conflict.current::<Model>(), Some(&updated));
        assert_eq!(conflict.key().values(), [one.clone().into()]);
        let text = format!(
            "update of keyed {} at version 1 conflicts: the row is at version 2",
            $text
        );
        assert_eq!(conflict.to_string(), text);

        let touched = updated.touch(&context.db).await?;
        assert_eq!((touched.id.clone(), touched.version), (one.clone(), 3));
        assert!(row.delete(&context.db).await.unwrap_err().is_conflict());
        touched.delete(&context.db).await?;
        assert_eq!(Entity::find().all(&context.db).await?, [bystander]);
        Ok(())
    }};
}

async fn a_key_may_be_text(context: Context) -> Outcome {
    keyed!(
        context,
        by_text,
        "VARCHAR(20)",
        "blue's".to_owned(),
        "red".to_owned(),
        "'blue''s'"
    )
}

async fn a_key_may_be_a_uuid(context: Context) -> Outcome {
    let column = context.backend.pick("BLOB", "UUID", "BINARY(16)");
    keyed!(
        context,
        by_uuid,
        column,
        Uuid::from_u128(1),
        Uuid::from_u128(2),
        "'00000000-0000-0000-0000-000000000001'"
    )
}

async fn a_key_may_be_bytes(context: Context) -> Outcome {
    let column = context.backend.pick("BLOB", "BYTEA", "VARBINARY(16)");
    keyed!(context, by_bytes, column, vec![1, 0, 255], vec![1, 0], "x'0100FF'")
}

async fn a_key_may_be_an_enum(context: Context) -> Outcome {
    if context.backend == crate::backend::Backend::Postgres {
        context.sql("CREATE TYPE shade AS ENUM ('light', 'dark')").await?;
    }
    let column = context.backend.pick("TEXT", "shade", "ENUM('light', 'dark')");
    keyed!(context, by_enum, column, Shade::Dark, Shade::Light, "'dark'")
}

async fn a_key_may_be_an_enum_that_is_a_number(context: Context) -> Outcome {
    keyed!(context, by_level, "INTEGER", Level::High, Level::Low, "2")
}

/// Columns land in the fields that are named like them, wherever the version stands.
macro_rules! placed {
    ($context:expr, $module:ident) => {{
        use $module::{Entity, Model};

        let context: Context = $context;
        context.create(Entity).await?;
        context
            .sql("INSERT INTO placed (id, name, qty, version) VALUES (1, 'a', 10, 5), (2, 'b', 20, 5)")
            .await?;
        let row = Entity::find_by_id(1).one(&context.db).await?.ok_or("gone")?;
        let mut change = row.clone().into_active_model();
        change.name = Set("x".to_owned());
        let stale = change.clone();
        let updated = change.update(&context.db).await?;
        let expected = Model {
            id: 1,
            name: "x".to_owned(),
            qty: 10,
            version: 6,
        };
        assert_eq!(updated, expected);
        assert_eq!(Entity::find_by_id(1).one(&context.db).await?, Some(expected.clone()));
        let err = stale.update(&context.db).await.unwrap_err();
        assert_eq!(err.conflict().and_then(Conflict::current::<Model>), Some(&expected));
        assert!(row.delete(&context.db).await.unwrap_err().is_conflict());
        updated.delete(&context.db).await?;
        assert_eq!(context.number("SELECT qty FROM placed WHERE version = 5").await?, 20);
        Ok(())
    }};
}

async fn the_version_may_be_declared_first(context: Context) -> Outcome {
    placed!(context, first)
}

async fn the_version_may_be_declared_in_the_middle(context: Context) -> Outcome {
    placed!(context, middle)
}

async fn the_version_may_be_declared_last(context: Context) -> Outcome {
    placed!(context, last)
}

async fn columns_may_have_other_names_than_fields(context: Context) -> Outcome {
    context.create(renamed::Entity).await?;
    let new = renamed::ActiveModel {
        id: Set(1),
        qty: Set(10),
        version: NotSet,
    };
    let row = new.insert(&context.db).await?;
    assert_eq!((row.id, row.qty, row.version), (1, 10, 1));
    let mut change = row.clone().into_active_model();
    change.qty = Set(11);
    let stale = change.clone();
    let updated = change.update(&context.db).await?;
    assert_eq!((updated.id, updated.qty, updated.version), (1, 11, 2));
    let stored = context.backend.pick(
        r#"SELECT "lockVersion" FROM renamed WHERE "Item No" = 1 AND "order" = 11"#,
        r#"SELECT "lockVersion" FROM renamed WHERE "Item No" = 1 AND "order" = 11"#,
        "SELECT `lockVersion` FROM renamed WHERE `Item No` = 1 AND `order` = 11",
    );
    assert_eq!(context.number(stored).await?, 2);
    let err = stale.update(&context.db).await.unwrap_err();
    assert_eq!(
        err.conflict().map(Conflict::found),
        Some(&Found::Changed { version: 2_i64.into() })
    );

    let bulk = renamed::Entity::update_many().col_expr(renamed::Column::Qty, Expr::value(12));
    assert_eq!(bulk.exec(&context.db).await?.rows_affected, 1);
    assert_eq!(context.number(&stored.replace("11", "12")).await?, 3);
    let err = renamed::Entity::update_many()
        .col_expr(renamed::Column::Lock, Expr::value(1))
        .exec(&context.db)
        .await
        .unwrap_err();
    assert_eq!(
        err.to_string(),
        "update_many of renamed assigns its version column `lockVersion`, which optlock advances"
    );
    let missing = renamed::ActiveModel {
        id: Set(1),
        qty: Set(10),
        version: NotSet,
    };
    let err = missing.update(&context.db).await.unwrap_err();
    assert_eq!(
        err.to_string(),
        "update of renamed needs `lockVersion`, which is `NotSet`"
    );
    Ok(())
}

async fn a_column_may_have_the_name_of_a_keyword(context: Context) -> Outcome {
    context.create(raw::Entity).await?;
    let new = raw::ActiveModel {
        id: Set(1),
        r#type: Set("a".to_owned()),
        r#match: NotSet,
    };
    let row = new.insert(&context.db).await?;
    assert_eq!((row.r#type.as_str(), row.r#match), ("a", 1));
    let mut change = row.clone().into_active_model();
    change.r#type = Set("b".to_owned());
    let updated = change.update(&context.db).await?;
    assert_eq!((updated.r#type.as_str(), updated.r#match), ("b", 2));
    let stored = context.backend.pick(
        r#"SELECT "match" FROM raw WHERE "type" = 'b'"#,
        r#"SELECT "match" FROM raw WHERE "type" = 'b'"#,
        "SELECT `match` FROM raw WHERE `type` = 'b'",
    );
    assert_eq!(context.number(stored).await?, 2);
    assert_eq!(
        row.touch(&context.db).await.unwrap_err().to_string(),
        "touch of raw 1 at version 1 conflicts: the row is at version 2"
    );
    Ok(())
}

async fn a_table_may_be_in_another_schema(context: Context) -> Outcome {
    let db = context.connect(1).await?;
    db.execute_unprepared(
        "CREATE TEMPORARY TABLE elsewhere (id BIGINT PRIMARY KEY, qty BIGINT NOT NULL, version BIGINT NOT NULL); \
         INSERT INTO pg_temp.elsewhere VALUES (1, 10, 1), (2, 20, 1)",
    )
    .await?;
    // One of the same name on the search path, ahead of which temporary tables would be found without their schema.
    db.execute_unprepared("SELECT set_config('search_path', current_schema() || ', pg_temp', false)")
        .await?;
    context
        .sql("CREATE TABLE elsewhere (id BIGINT PRIMARY KEY, qty BIGINT NOT NULL, version BIGINT NOT NULL)")
        .await?;
    context.sql("INSERT INTO elsewhere VALUES (1, 10, 1)").await?;

    let row = elsewhere::Entity::find_by_id(1).one(&db).await?.ok_or("gone")?;
    let mut change = row.clone().into_active_model();
    change.qty = Set(11);
    let updated = change.update(&db).await?;
    assert_eq!((updated.qty, updated.version), (11, 2));
    let err = row.clone().touch(&db).await.unwrap_err();
    assert_eq!(
        err.conflict().and_then(Conflict::current::<elsewhere::Model>),
        Some(&updated)
    );
    let rows = elsewhere::Entity::update_many()
        .col_expr(elsewhere::Column::Qty, Expr::value(0))
        .exec(&db)
        .await?
        .rows_affected;
    assert_eq!(rows, 2);
    let inserted = elsewhere::ActiveModel {
        id: Set(3),
        qty: Set(30),
        version: NotSet,
    };
    let inserted = inserted.insert(&db).await?;
    assert_eq!(inserted.version, 1);
    inserted.delete(&db).await?;
    assert!(row.delete(&db).await.unwrap_err().is_conflict());
    assert_eq!(elsewhere::Entity::find().all(&db).await?.len(), 2);
    assert_eq!(
        context.number("SELECT qty FROM elsewhere WHERE version = 1").await?,
        10,
        "the other table is as it was"
    );
    Ok(())
}

async fn a_field_that_is_no_column_comes_back_as_its_default(context: Context) -> Outcome {
    context.create(ignoring::Entity).await?;
    let new = ignoring::ActiveModel {
        id: Set(1),
        qty: Set(10),
        version: NotSet,
    };
    let mut row = new.insert(&context.db).await?;
    let expected = ignoring::Model {
        id: 1,
        note: None,
        qty: 10,
        cached: 0,
        version: 1,
    };
    assert_eq!(row, expected);
    row.note = Some("ours".to_owned());
    row.cached = 7;
    let touched = row.clone().touch(&context.db).await?;
    assert_eq!(touched, ignoring::Model { version: 2, ..expected });
    let mut change = touched.into_active_model();
    change.qty = Set(11);
    let updated = change.update(&context.db).await?;
    assert_eq!(ignoring::Entity::find_by_id(1).one(&context.db).await?, Some(updated));
    let err = row.touch(&context.db).await.unwrap_err();
    let current = err.conflict().and_then(Conflict::current::<ignoring::Model>);
    assert_eq!(
        current.map(|current| (current.note.clone(), current.cached, current.version)),
        Some((None, 0, 3))
    );
    Ok(())
}
