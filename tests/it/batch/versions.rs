//! Batches of rows whose versions are of every type.

use optlock::prelude::*;
use optlock::{Error, Found};

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::versions::{self, create};

cases![
    an_i16_is_checked,
    an_i32_is_checked,
    a_u32_is_checked,
    a_newtype_is_checked,
    a_uuid_is_checked,
    a_utc_timestamp_is_checked,
    a_naive_timestamp_is_checked,
    a_timestamp_with_an_offset_is_checked,
    a_timestamp_of_time_is_checked,
    a_timestamp_in_seconds_is_checked,
    an_expected_timestamp_may_come_with_another_offset;
    SQLITE: a_u64_is_refused_before_any_sql;
    POSTGRES: a_u64_is_refused_before_any_sql;
    MARIADB: a_u64_is_checked;
    SERVERS: a_column_that_rounds_versions_is_reported;
];

macro_rules! checked {
    ($context:expr, $module:ident, $column:expr) => {{
        use versions::$module::{ActiveModel, Entity, Model};

        let context: Context = $context;
        create(&context, $column).await?;
        let mut rows = Vec::new();
        for id in 1..=3 {
            rows.push(
                ActiveModel {
                    id: Set(id),
                    name: Set("a".to_owned()),
                    version: NotSet,
                }
                .insert(&context.db)
                .await?,
            );
        }
        let change = |row: &Model, name: &str| ActiveModel {
            name: Set(name.to_owned()),
            ..row.clone().into_active_model()
        };
        let updated = Entity::update_batch(rows.iter().map(|row| change(row, "b")))
            .exec(&context.db)
            .await?;
        assert_eq!(Entity::find().order_by_id_asc().all(&context.db).await?, updated);
        assert!(
            rows.iter()
                .zip(&updated)
                .all(|(before, after)| before.version != after.version && after.name == "b")
        );

        let without = Entity::update_batch([change(&updated[2], "c")])
            .exec_without_returning(&context.db)
            .await?;
        assert_eq!(without.rows_affected, 1);
        let third = Entity::find_by_id(3).one(&context.db).await?.ok_or("gone")?;
        let batch = [
            change(&updated[0], "d"),
            change(&rows[1], "d"),
            change(&updated[2], "d"),
        ];
        let verdicts = Entity::update_batch(batch.clone()).exec_each(&context.db).await?;
        let [Ok(first), Err(second_conflict), Err(third_conflict)] = verdicts.as_slice() else {
            panic!("{verdicts:?}")
        };
        assert_eq!(first.name, "d");
        assert_eq!(
            *second_conflict.found(),
            Found::Changed {
                version: updated[1].version.clone().into()
            }
        );
        assert_eq!(third_conflict.current::<Model>(), Some(&third));
        let err = Entity::update_batch(batch).exec(&context.db).await.unwrap_err();
        assert_eq!(err.conflicts().map(optlock::Conflicts::len), Some(3));
        let rows = [first.clone(), updated[1].clone(), third].map(IntoActiveModel::into_active_model);
        assert_eq!(Entity::delete_batch(rows).exec(&context.db).await?.rows_affected, 3);
        Ok(())
    }};
}

async fn an_i16_is_checked(context: Context) -> Outcome {
    checked!(context, by_i16, "SMALLINT")
}

async fn an_i32_is_checked(context: Context) -> Outcome {
    checked!(context, by_i32, "INTEGER")
}

async fn a_u32_is_checked(context: Context) -> Outcome {
    let column = context.backend.pick("INTEGER", "INTEGER", "INTEGER UNSIGNED");
    checked!(context, by_u32, column)
}

async fn a_u64_is_checked(context: Context) -> Outcome {
    checked!(context, by_u64, "BIGINT UNSIGNED")
}

async fn a_newtype_is_checked(context: Context) -> Outcome {
    checked!(context, by_newtype, "BIGINT")
}

async fn a_uuid_is_checked(context: Context) -> Outcome {
    let column = context.backend.pick("BLOB", "UUID", "BINARY(16)");
    checked!(context, by_uuid, column)
}

async fn a_utc_timestamp_is_checked(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMPTZ", "TIMESTAMP(6)");
    checked!(context, by_utc, column)
}

async fn a_naive_timestamp_is_checked(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMP", "DATETIME(6)");
    checked!(context, by_naive, column)
}

async fn a_timestamp_with_an_offset_is_checked(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMPTZ", "TIMESTAMP(6)");
    checked!(context, by_offset, column)
}

async fn a_timestamp_of_time_is_checked(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMPTZ", "TIMESTAMP(6)");
    checked!(context, by_time_offset, column)
}

async fn a_timestamp_in_seconds_is_checked(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMP(0)", "DATETIME");
    checked!(context, by_seconds, column)
}

async fn an_expected_timestamp_may_come_with_another_offset(context: Context) -> Outcome {
    use versions::by_offset::{ActiveModel, Entity};

    let column = context.backend.pick("TEXT", "TIMESTAMPTZ", "TIMESTAMP(6)");
    create(&context, column).await?;
    let mut batch = Vec::new();
    for id in 1..=2 {
        let row = ActiveModel {
            id: Set(id),
            name: Set("a".to_owned()),
            version: NotSet,
        }
        .insert(&context.db)
        .await?;
        let offset = DateTimeWithTimeZone::parse_from_rfc3339("2026-01-01T00:00:00+05:30")?;
        let mut change = row.clone().into_active_model();
        change.name = Set("b".to_owned());
        if id == 2 {
            change.version = Set(row.version.with_timezone(offset.offset()));
        }
        batch.push(change);
    }
    let updated = Entity::update_batch(batch).exec(&context.db).await?;
    assert_eq!(Entity::find().order_by_id_asc().all(&context.db).await?, updated);
    assert!(updated.iter().all(|row| row.name == "b"));
    Ok(())
}

async fn a_u64_is_refused_before_any_sql(context: Context) -> Outcome {
    use versions::by_u64::{ActiveModel, Entity};

    let row = || ActiveModel {
        id: Set(1),
        name: Set("a".to_owned()),
        version: Set(1),
    };
    let err = Entity::update_batch([row()]).exec(&context.db).await.unwrap_err();
    assert!(matches!(err, Error::Unsupported(_)), "{err:?}");
    let err = Entity::delete_batch([row()]).exec(&context.db).await.unwrap_err();
    assert!(matches!(err, Error::Unsupported(_)), "{err:?}");
    assert_eq!(context.take_statements(), [""; 0]);
    Ok(())
}

async fn a_column_that_rounds_versions_is_reported(context: Context) -> Outcome {
    use versions::by_naive::{ActiveModel, Entity};

    create(&context, context.backend.pick("TEXT", "TIMESTAMP(0)", "DATETIME")).await?;
    context
        .sql("INSERT INTO doc VALUES (1, 'a', '2020-01-01 00:00:00'), (2, 'a', '2020-01-01 00:00:00')")
        .await?;
    let rows = Entity::find().all(&context.db).await?;
    let change = |row: &versions::by_naive::Model| ActiveModel {
        name: Set("b".to_owned()),
        ..row.clone().into_active_model()
    };
    let batch = || Entity::update_batch(rows.iter().map(change));
    for err in [
        batch().exec(&context.db).await.map(drop).unwrap_err(),
        batch().exec_each(&context.db).await.map(drop).unwrap_err(),
        batch().exec_without_returning(&context.db).await.map(drop).unwrap_err(),
    ] {
        assert!(matches!(err, Error::Imprecise(_)), "{err:?}");
    }
    assert_eq!(
        context.number("SELECT COUNT(*) FROM doc WHERE name = 'a'").await?,
        2,
        "all of it is undone"
    );
    Ok(())
}
