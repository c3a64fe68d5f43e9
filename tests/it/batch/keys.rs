//! Batches of rows whose keys are of every kind.

use optlock::prelude::*;
use optlock::{Error, Found, Operation};

use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::entity::keys::{
    Level, Shade, by_bytes, by_enum, by_level, by_text, by_uuid, elsewhere, pair, raw, renamed, triple,
};

cases![
    keys_may_be_text,
    keys_may_be_uuids,
    keys_may_be_bytes,
    keys_may_be_enums,
    keys_may_be_enums_that_are_numbers,
    keys_may_have_two_columns,
    keys_may_have_three_columns_of_three_types,
    columns_may_have_other_names_than_fields,
    columns_may_have_the_names_of_keywords,
    a_key_that_several_rows_share_is_named;
    MARIADB: a_key_in_another_spelling_is_the_same_row, two_spellings_of_one_key_are_one_row_twice;
    POSTGRES: a_table_may_be_in_another_schema;
];

/// Three rows: two at their versions, and one stale.
macro_rules! three_keys {
    ($context:expr, $module:ident, $keys:expr) => {{
        use $module::{ActiveModel, Entity};

        let context: Context = $context;
        if stringify!($module) == "by_enum" && context.backend == crate::backend::Backend::Postgres {
            context.sql("CREATE TYPE shade AS ENUM ('light', 'dark')").await?;
        }
        context.create(Entity).await?;
        let mut batch = Vec::new();
        for key in $keys {
            let row = ActiveModel {
                id: Set(key),
                qty: Set(1),
                version: NotSet,
            }
            .insert(&context.db)
            .await?;
            let mut change = row.touch(&context.db).await?.into_active_model();
            change.qty = Set(5);
            batch.push(change);
        }
        let updated = Entity::update_batch(batch.clone()).exec(&context.db).await?;
        assert_eq!(updated.len(), batch.len());
        for (sent, row) in batch.iter().zip(&updated) {
            assert_eq!(sent.id.as_ref(), &row.id);
            assert_eq!((row.qty, row.version), (5, 3));
            assert_eq!(
                Entity::find_by_id(row.id.clone()).one(&context.db).await?.as_ref(),
                Some(row)
            );
        }
        let mut again: Vec<_> = updated
            .iter()
            .map(|row| ActiveModel {
                qty: Set(6),
                ..row.clone().into_active_model()
            })
            .collect();
        again[1].version = Unchanged(2);
        let verdicts = Entity::update_batch(again.clone()).exec_each(&context.db).await?;
        assert_eq!(
            verdicts.iter().map(Result::is_ok).collect::<Vec<_>>()[..2],
            [true, false]
        );
        let conflict = verdicts[1].as_ref().unwrap_err();
        assert_eq!(conflict.current::<$module::Model>(), Some(&updated[1]));
        let rows: Vec<_> = Entity::find()
            .all(&context.db)
            .await?
            .into_iter()
            .map(IntoActiveModel::into_active_model)
            .collect();
        let gone = rows.len() as u64;
        assert_eq!(Entity::delete_batch(rows).exec(&context.db).await?.rows_affected, gone);
        Ok(())
    }};
}

async fn keys_may_be_text(context: Context) -> Outcome {
    three_keys!(context, by_text, ["b\"\\' é😀", "a", "c "].map(str::to_owned))
}

async fn keys_may_be_uuids(context: Context) -> Outcome {
    three_keys!(
        context,
        by_uuid,
        [Uuid::from_u128(u128::MAX), Uuid::nil(), Uuid::from_u128(7)]
    )
}

async fn keys_may_be_bytes(context: Context) -> Outcome {
    three_keys!(context, by_bytes, [vec![0xff, 0], vec![], vec![1, 2, 3]])
}

async fn keys_may_be_enums(context: Context) -> Outcome {
    three_keys!(context, by_enum, [Shade::Light, Shade::Dark])
}

async fn keys_may_be_enums_that_are_numbers(context: Context) -> Outcome {
    three_keys!(context, by_level, [Level::High, Level::Low])
}

async fn keys_may_have_two_columns(context: Context) -> Outcome {
    context.create(pair::Entity).await?;
    context
        .sql("INSERT INTO pair VALUES (1, 1, 10, 1), (1, 2, 20, 2), (2, 1, 30, 3), (2, 2, 40, 4)")
        .await?;
    let rows = pair::Entity::find().all(&context.db).await?;
    let change = |row: &pair::Model| pair::ActiveModel {
        qty: Set(row.qty + 1),
        ..row.clone().into_active_model()
    };
    let mut batch: Vec<_> = rows.iter().map(change).collect();
    batch.pop();
    let updated = pair::Entity::update_batch(batch.clone()).exec(&context.db).await?;
    let seen: Vec<_> = updated
        .iter()
        .map(|row| (row.left, row.right, row.qty, row.version))
        .collect();
    assert_eq!(seen, [(1, 1, 11, 2), (1, 2, 21, 3), (2, 1, 31, 4)]);
    assert_eq!(
        context
            .number("SELECT COUNT(*) FROM pair WHERE qty = 40 AND version = 4")
            .await?,
        1
    );
    let verdicts = pair::Entity::update_batch(batch).exec_each(&context.db).await?;
    assert!(verdicts.iter().all(Result::is_err));
    Ok(())
}

async fn keys_may_have_three_columns_of_three_types(context: Context) -> Outcome {
    context.create(triple::Entity).await?;
    let mut batch = Vec::new();
    for (tenant, region, number) in [(1, "eu", 1), (1, "eu", 2), (1, "us", 1), (2, "eu", 1)] {
        let new = triple::ActiveModel {
            tenant: Set(tenant),
            qty: Set(10),
            region: Set(region.to_owned()),
            version: NotSet,
            number: Set(number),
        };
        let row = new.insert(&context.db).await?;
        batch.push(triple::ActiveModel {
            qty: Set(10 * tenant + i64::from(number)),
            ..row.into_active_model()
        });
    }
    let others = batch.split_off(3);
    let updated = triple::Entity::update_batch(batch).exec(&context.db).await?;
    let seen: Vec<_> = updated
        .iter()
        .map(|row| (row.region.as_str(), row.number, row.qty, row.version))
        .collect();
    assert_eq!(seen, [("eu", 1, 11, 2), ("eu", 2, 12, 2), ("us", 1, 11, 2)]);
    assert_eq!(
        context
            .number("SELECT COUNT(*) FROM triple WHERE qty = 10 AND version = 1")
            .await?,
        1
    );
    triple::Entity::delete_batch(others).exec(&context.db).await?;
    assert_eq!(context.number("SELECT COUNT(*) FROM triple").await?, 3);
    Ok(())
}

async fn columns_may_have_other_names_than_fields(context: Context) -> Outcome {
    context.create(renamed::Entity).await?;
    let row = renamed::ActiveModel {
        id: Set(1),
        qty: Set(1),
        version: NotSet,
    }
    .insert(&context.db)
    .await?;
    let change = renamed::ActiveModel {
        qty: Set(2),
        ..row.clone().into_active_model()
    };
    let updated = renamed::Entity::update_batch([change]).exec(&context.db).await?;
    assert_eq!(
        updated,
        [renamed::Model {
            qty: 2,
            version: 2,
            ..row
        }]
    );
    assert_eq!(renamed::Entity::find().all(&context.db).await?, updated);
    Ok(())
}

async fn columns_may_have_the_names_of_keywords(context: Context) -> Outcome {
    context.create(raw::Entity).await?;
    let row = raw::ActiveModel {
        id: Set(1),
        r#type: Set("a".to_owned()),
        r#match: NotSet,
    }
    .insert(&context.db)
    .await?;
    let change = raw::ActiveModel {
        r#type: Set("b".to_owned()),
        ..row.into_active_model()
    };
    let updated = raw::Entity::update_batch([change]).exec(&context.db).await?;
    assert_eq!(raw::Entity::find().all(&context.db).await?, updated);
    assert_eq!((updated[0].r#type.as_str(), updated[0].r#match), ("b", 2));
    Ok(())
}

async fn a_table_may_be_in_another_schema(context: Context) -> Outcome {
    let db = context.connect(1).await?;
    db.execute_unprepared(
        "CREATE TEMPORARY TABLE elsewhere (id BIGINT PRIMARY KEY, qty BIGINT NOT NULL, version BIGINT NOT NULL)",
    )
    .await?;
    let row = elsewhere::ActiveModel {
        id: Set(1),
        qty: Set(1),
        version: NotSet,
    }
    .insert(&db)
    .await?;
    let change = elsewhere::ActiveModel {
        qty: Set(2),
        ..row.into_active_model()
    };
    let updated = elsewhere::Entity::update_batch([change]).exec(&db).await?;
    assert_eq!((updated[0].qty, updated[0].version), (2, 2));
    elsewhere::Entity::delete_batch(updated.into_iter().map(IntoActiveModel::into_active_model))
        .exec(&db)
        .await?;
    Ok(())
}

fn named(id: &str, version: i64) -> by_text::ActiveModel {
    by_text::ActiveModel {
        id: Set(id.to_owned()),
        qty: Set(7),
        version: Set(version),
    }
}

async fn a_key_in_another_spelling_is_the_same_row(context: Context) -> Outcome {
    context.create(by_text::Entity).await?;
    context
        .sql("INSERT INTO keyed VALUES ('tea', 1, 1), ('mug', 1, 1)")
        .await?;
    let updated = by_text::Entity::update_batch([named("TEA", 1), named("Mug", 1)])
        .exec(&context.db)
        .await?;
    assert_eq!(
        updated.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(),
        ["tea", "mug"]
    );
    let verdicts = by_text::Entity::update_batch([named("TEA", 1), named("Mug", 2)])
        .exec_each(&context.db)
        .await?;
    let [Err(conflict), Ok(mug)] = verdicts.as_slice() else {
        panic!("{verdicts:?}")
    };
    assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
    assert_eq!((mug.id.as_str(), mug.version), ("mug", 3));
    Ok(())
}

async fn two_spellings_of_one_key_are_one_row_twice(context: Context) -> Outcome {
    context.create(by_text::Entity).await?;
    context
        .sql("INSERT INTO keyed VALUES ('tea', 1, 1), ('mug', 1, 1)")
        .await?;
    for batch in [
        [named("mug", 1), named("TEA", 1), named("Tea", 1)],
        [named("tea", 1), named("mug", 1), named("TEA", 1)],
    ] {
        let err = by_text::Entity::update_batch(batch.clone())
            .exec_each(&context.db)
            .await
            .unwrap_err();
        assert!(matches!(err, Error::DuplicateKey(_)), "{err:?}");
        let err = by_text::Entity::delete_batch(batch)
            .exec(&context.db)
            .await
            .unwrap_err();
        assert!(matches!(err, Error::DuplicateKey(_)), "{err:?}");
    }
    assert_eq!(
        context
            .number("SELECT COUNT(*) FROM keyed WHERE version = 1 AND qty = 1")
            .await?,
        2
    );
    Ok(())
}

/// The key of the entity is none of the table's, and that of the first row is all right.
async fn a_key_that_several_rows_share_is_named(context: Context) -> Outcome {
    context
        .sql("CREATE TABLE item (id BIGINT NOT NULL, name VARCHAR(50) NOT NULL, qty BIGINT NOT NULL, version BIGINT NOT NULL)")
        .await?;
    context
        .sql("INSERT INTO item VALUES (1, 'a', 10, 1), (2, 'b', 20, 1), (2, 'c', 30, 1)")
        .await?;
    let change = |id, name: &str| item::ActiveModel {
        id: Unchanged(id),
        name: Unchanged(name.to_owned()),
        qty: Set(5),
        version: Unchanged(1),
    };
    let batch = || item::Entity::update_batch([change(1, "a"), change(2, "b")]);
    for err in [
        batch().exec_each(&context.db).await.map(drop).unwrap_err(),
        batch().exec_without_returning(&context.db).await.map(drop).unwrap_err(),
    ] {
        let Error::TooManyRows(several) = &err else {
            return Err(format!("not too many: {err:?}").into());
        };
        assert_eq!((several.key().to_string().as_str(), several.rows()), ("2", 2));
        assert_eq!(several.operation(), Operation::UpdateBatch);
    }
    let delete = item::Entity::delete_batch([change(1, "a"), change(2, "b")]);
    let err = delete.exec(&context.db).await.unwrap_err();
    match &err {
        Error::TooManyRows(several) => {
            assert_eq!((several.key().to_string().as_str(), several.rows()), ("2", 2));
            assert_eq!(several.operation(), Operation::DeleteBatch);
        }
        // It locks by an index that such a table does not have.
        Error::Database(_) if context.backend == Backend::MariaDb => {}
        _ => return Err(format!("not too many: {err:?}").into()),
    }
    assert_eq!(
        context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?,
        3,
        "all of it is undone"
    );
    Ok(())
}
