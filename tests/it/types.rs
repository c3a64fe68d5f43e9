//! Types of versions: the same promises for every one of them.

use std::collections::HashSet;
use std::time::SystemTime;

use optlock::prelude::*;
use optlock::{Error, Found, Operation};
use sea_orm::TransactionTrait;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::versions::{self, Revision, create};

cases![
    an_i16_is_checked_on_every_path,
    an_i32_is_checked_on_every_path,
    an_i64_is_checked_on_every_path,
    a_u32_is_checked_on_every_path,
    a_newtype_is_checked_on_every_path,
    a_uuid_is_checked_on_every_path,
    a_utc_timestamp_is_checked_on_every_path,
    a_naive_timestamp_is_checked_on_every_path,
    a_timestamp_with_an_offset_is_checked_on_every_path,
    a_timestamp_of_time_with_an_offset_is_checked_on_every_path,
    a_timestamp_of_time_without_an_offset_is_checked_on_every_path,
    a_timestamp_in_milliseconds_is_checked_on_every_path,
    a_timestamp_in_seconds_is_checked_on_every_path,
    a_utc_timestamp_in_seconds_is_checked_on_every_path,
    the_last_i16_is_refused_before_any_sql,
    the_last_i32_is_refused_before_any_sql,
    the_last_i64_is_refused_before_any_sql,
    the_last_u32_is_refused_before_any_sql,
    the_last_newtype_is_refused_before_any_sql,
    a_thousand_tokens_in_a_row_all_differ,
    a_timestamp_ahead_of_the_clock_advances_by_one_tick,
    ten_updates_within_a_second_all_advance_a_column_of_seconds,
    ten_updates_within_a_millisecond_all_advance_a_column_of_milliseconds,
    an_expected_timestamp_may_come_with_another_offset;
    SQLITE: a_u64_is_refused_on_sqlite, a_timestamp_that_sqlite_wrote_is_never_as_expected;
    POSTGRES: a_u64_is_refused_on_postgres, a_column_of_seconds_on_postgres_is_reported, a_coarse_column_hides_no_lost_update_on_postgres;
    MARIADB:
    a_u64_is_checked_on_every_path,
    the_last_u64_is_refused_before_any_sql,
    a_column_of_seconds_on_mariadb_is_reported,
    a_coarse_column_hides_no_lost_update_on_mariadb,
    a_datetime_column_of_mariadb_holds_a_utc_timestamp,
];

/// Whether `update_many` can advance this type of version here.
fn has_bulk(context: &Context, is_timestamp: bool) -> bool {
    !is_timestamp || context.backend.expected().advances_timestamps
}

/// Whatever can be done to a row, with a version of one type: `first` says whether a version is that of a new row, and
/// `follows` whether one comes right after the other.
macro_rules! whole_life {
    ($context:expr, $module:ident, $column:expr, is_timestamp: $is_timestamp:expr, first: $first:expr, follows: $follows:expr) => {{
        use versions::$module::{ActiveModel, Column, Entity, Model};

        let context: Context = $context;
        create(&context, $column).await?;
        let first = $first;
        let follows = $follows;

        let new = ActiveModel {
            id: Set(1),
            name: Set("a".to_owned()),
            version: NotSet,
        };
        let inserted = new.insert(&context.db).await?;
        assert!(first(&inserted.version), "{inserted:?}");
        assert_eq!(Entity::find_by_id(1).one(&context.db).await?.as_ref(), Some(&inserted));

        let mut change = inserted.clone().into_active_model();
        change.name = Set("b".to_owned());
        let stale = change.clone();
        let updated = change.update(&context.db).await?;
        assert_eq!((updated.id, updated.name.as_str()), (1, "b"));
        assert!(follows(&inserted.version, &updated.version), "{inserted:?} {updated:?}");
        assert_eq!(Entity::find_by_id(1).one(&context.db).await?.as_ref(), Some(&updated));

        for (err, operation) in [
            (
                stale.clone().update(&context.db).await.map(drop).unwrap_err(),
                Operation::Update,
            ),
            (
                stale
                    .clone()
                    .update_without_returning(&context.db)
                    .await
                    .map(drop)
                    .unwrap_err(),
                Operation::Update,
            ),
            (
                inserted.clone().touch(&context.db).await.map(drop).unwrap_err(),
                Operation::Touch,
            ),
            (
                inserted.clone().delete(&context.db).await.map(drop).unwrap_err(),
                Operation::Delete,
            ),
            // Nothing to write, but a version to compare.
            (
                inserted
                    .clone()
                    .into_active_model()
                    .update(&context.db)
                    .await
                    .map(drop)
                    .unwrap_err(),
                Operation::Update,
            ),
        ] {
            let conflict = err.conflict().ok_or_else(|| format!("not a conflict: {err:?}"))?;
            assert_eq!(conflict.operation(), operation);
            assert_eq!(*conflict.expected(), inserted.version.clone().into());
            let version = updated.version.clone().into();
            assert_eq!(*conflict.found(), Found::Changed { version });
            assert_eq!(conflict.current::<Model>(), Some(&updated));
        }
        assert_eq!(Entity::find_by_id(1).one(&context.db).await?.as_ref(), Some(&updated));

        let touched = updated.clone().touch(&context.db).await?;
        assert_eq!(touched.name, "b");
        assert!(follows(&updated.version, &touched.version), "{updated:?} {touched:?}");
        assert_eq!(Entity::find_by_id(1).one(&context.db).await?.as_ref(), Some(&touched));

        let bulk = Entity::update_many()
            .col_expr(Column::Name, Expr::value("z"))
            .exec(&context.db)
            .await;
        let reloaded = Entity::find_by_id(1).one(&context.db).await?.ok_or("gone")?;
        let last = if has_bulk(&context, $is_timestamp) {
            assert_eq!(bulk?.rows_affected, 1);
            assert_eq!(reloaded.name, "z");
            assert!(follows(&touched.version, &reloaded.version), "{touched:?} {reloaded:?}");
            let err = touched.touch(&context.db).await.unwrap_err();
            let conflict = err.conflict().ok_or_else(|| format!("not a conflict: {err:?}"))?;
            assert_eq!(conflict.current::<Model>(), Some(&reloaded));
            reloaded
        } else {
            assert!(matches!(bulk, Err(Error::Unsupported(_))), "{bulk:?}");
            assert_eq!(reloaded, touched);
            touched
        };

        let mut last = last.into_active_model();
        last.name = Set("c".to_owned());
        assert_eq!(
            last.clone().update_without_returning(&context.db).await?.rows_affected,
            1
        );
        assert!(last.delete(&context.db).await.unwrap_err().is_conflict());
        let last = Entity::find_by_id(1).one(&context.db).await?.ok_or("gone")?;
        assert_eq!(last.delete(&context.db).await?.rows_affected, 1);
        assert_eq!(context.number("SELECT COUNT(*) FROM doc").await?, 0);
        Ok(())
    }};
}

async fn an_i16_is_checked_on_every_path(context: Context) -> Outcome {
    whole_life!(context, by_i16, "SMALLINT", is_timestamp: false,
        first: |v: &i16| *v == 1, follows: |a: &i16, b: &i16| *b == a + 1)
}

async fn an_i32_is_checked_on_every_path(context: Context) -> Outcome {
    whole_life!(context, by_i32, "INTEGER", is_timestamp: false,
        first: |v: &i32| *v == 1, follows: |a: &i32, b: &i32| *b == a + 1)
}

async fn an_i64_is_checked_on_every_path(context: Context) -> Outcome {
    whole_life!(context, by_i64, "BIGINT", is_timestamp: false,
        first: |v: &i64| *v == 1, follows: |a: &i64, b: &i64| *b == a + 1)
}

async fn a_u32_is_checked_on_every_path(context: Context) -> Outcome {
    let column = context.backend.pick("INTEGER", "INTEGER", "INTEGER UNSIGNED");
    whole_life!(context, by_u32, column, is_timestamp: false,
        first: |v: &u32| *v == 1, follows: |a: &u32, b: &u32| *b == a + 1)
}

async fn a_u64_is_checked_on_every_path(context: Context) -> Outcome {
    whole_life!(context, by_u64, "BIGINT UNSIGNED", is_timestamp: false,
        first: |v: &u64| *v == 1, follows: |a: &u64, b: &u64| *b == a + 1)
}

async fn a_newtype_is_checked_on_every_path(context: Context) -> Outcome {
    whole_life!(context, by_newtype, "BIGINT", is_timestamp: false,
        first: |v: &Revision| v.0 == 1, follows: |a: &Revision, b: &Revision| b.0 == a.0 + 1)
}

async fn a_uuid_is_checked_on_every_path(context: Context) -> Outcome {
    let column = context.backend.pick("BLOB", "UUID", "BINARY(16)");
    whole_life!(context, by_uuid, column, is_timestamp: false,
        first: |v: &Uuid| v.get_version_num() == 4, follows: |a: &Uuid, b: &Uuid| a != b)
}

/// Whether a version was made just now, on a clock that ticks every so many microseconds.
fn is_now(micros: i64, tick: i64) -> bool {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let now = i64::try_from(now.as_micros()).unwrap_or_default();
    micros % tick == 0 && micros <= now && now - micros < 30_000_000 + tick
}

async fn a_utc_timestamp_is_checked_on_every_path(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMPTZ", "TIMESTAMP(6)");
    whole_life!(context, by_utc, column, is_timestamp: true,
        first: |v: &DateTimeUtc| is_now(v.timestamp_micros(), 1), follows: |a: &DateTimeUtc, b: &DateTimeUtc| a < b)
}

async fn a_datetime_column_of_mariadb_holds_a_utc_timestamp(context: Context) -> Outcome {
    whole_life!(context, by_utc, "DATETIME(6)", is_timestamp: true,
        first: |v: &DateTimeUtc| is_now(v.timestamp_micros(), 1), follows: |a: &DateTimeUtc, b: &DateTimeUtc| a < b)
}

async fn a_naive_timestamp_is_checked_on_every_path(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMP", "DATETIME(6)");
    whole_life!(context, by_naive, column, is_timestamp: true,
        first: |v: &DateTime| is_now(v.and_utc().timestamp_micros(), 1), follows: |a: &DateTime, b: &DateTime| a < b)
}

async fn a_timestamp_with_an_offset_is_checked_on_every_path(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMPTZ", "TIMESTAMP(6)");
    whole_life!(context, by_offset, column, is_timestamp: true,
        first: |v: &DateTimeWithTimeZone| is_now(v.timestamp_micros(), 1),
        follows: |a: &DateTimeWithTimeZone, b: &DateTimeWithTimeZone| a < b)
}

async fn a_timestamp_of_time_with_an_offset_is_checked_on_every_path(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMPTZ", "TIMESTAMP(6)");
    whole_life!(context, by_time_offset, column, is_timestamp: true,
        first: |v: &TimeDateTimeWithTimeZone| {
            is_now(i64::try_from(v.unix_timestamp_nanos() / 1_000).unwrap_or_default(), 1)
        },
        follows: |a: &TimeDateTimeWithTimeZone, b: &TimeDateTimeWithTimeZone| a < b)
}

async fn a_timestamp_of_time_without_an_offset_is_checked_on_every_path(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMP", "DATETIME(6)");
    whole_life!(context, by_time_primitive, column, is_timestamp: true,
        first: |v: &TimeDateTime| {
            is_now(i64::try_from(v.assume_utc().unix_timestamp_nanos() / 1_000).unwrap_or_default(), 1)
        },
        follows: |a: &TimeDateTime, b: &TimeDateTime| a < b)
}

async fn a_timestamp_in_milliseconds_is_checked_on_every_path(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMP(3)", "DATETIME(3)");
    whole_life!(context, by_millis, column, is_timestamp: true,
        first: |v: &DateTime| is_now(v.and_utc().timestamp_micros(), 1_000), follows: |a: &DateTime, b: &DateTime| a < b)
}

async fn a_timestamp_in_seconds_is_checked_on_every_path(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMP(0)", "DATETIME");
    whole_life!(context, by_seconds, column, is_timestamp: true,
        first: |v: &DateTime| is_now(v.and_utc().timestamp_micros(), 1_000_000),
        follows: |a: &DateTime, b: &DateTime| a < b)
}

async fn a_utc_timestamp_in_seconds_is_checked_on_every_path(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMPTZ(0)", "TIMESTAMP");
    whole_life!(context, by_utc_seconds, column, is_timestamp: true,
        first: |v: &DateTimeUtc| is_now(v.timestamp_micros(), 1_000_000),
        follows: |a: &DateTimeUtc, b: &DateTimeUtc| a < b)
}

/// A row at the last version of its type: nothing is sent, and the row can still be deleted.
macro_rules! last_version {
    ($context:expr, $module:ident, $column:expr, $ty:ty, $last:expr, $text:expr) => {{
        use versions::$module::{ActiveModel, Entity, Model};

        let context: Context = $context;
        create(&context, $column).await?;
        let last: $ty = $last;
        let text: String = $text.to_string();
        context.sql(&format!("INSERT INTO doc VALUES (1, 'a', {text})")).await?;
        let row = Entity::find_by_id(1).one(&context.db).await?.ok_or("gone")?;
        assert_eq!(row.version, last);
        let mut change: ActiveModel = row.clone().into_active_model();
        change.name = Set("b".to_owned());
        context.take_statements();
        for err in [
            change.clone().update(&context.db).await.map(drop).unwrap_err(),
            change
                .clone()
                .update_without_returning(&context.db)
                .await
                .map(drop)
                .unwrap_err(),
            change.clone().save(&context.db).await.map(drop).unwrap_err(),
            row.clone().touch(&context.db).await.map(drop).unwrap_err(),
            Entity::update(change.clone())
                .exec(&context.db)
                .await
                .map(drop)
                .unwrap_err(),
        ] {
            let Error::Overflow(overflow) = &err else {
                return Err(format!("not an overflow: {err:?}").into());
            };
            assert_eq!((overflow.table(), overflow.last().get::<$ty>()), ("doc", Some(last)));
            assert!(
                err.to_string()
                    .ends_with(&format!("cannot advance the version past {text}")),
                "{err}"
            );
            assert_eq!((err.is_conflict(), err.fault()), (false, None));
        }
        assert_eq!(context.take_statements(), [""; 0]);

        // Nothing to write is nothing to advance.
        let unchanged: Model = row.clone().into_active_model().update(&context.db).await?;
        assert_eq!(unchanged, row);
        assert_eq!(row.delete(&context.db).await?.rows_affected, 1);
        Ok(())
    }};
}

async fn the_last_i16_is_refused_before_any_sql(context: Context) -> Outcome {
    last_version!(context, by_i16, "SMALLINT", i16, i16::MAX, i16::MAX)
}

async fn the_last_i32_is_refused_before_any_sql(context: Context) -> Outcome {
    last_version!(context, by_i32, "INTEGER", i32, i32::MAX, i32::MAX)
}

async fn the_last_i64_is_refused_before_any_sql(context: Context) -> Outcome {
    last_version!(context, by_i64, "BIGINT", i64, i64::MAX, i64::MAX)
}

async fn the_last_u32_is_refused_before_any_sql(context: Context) -> Outcome {
    let column = context.backend.pick("INTEGER", "INTEGER", "INTEGER UNSIGNED");
    let last = context.backend.expected().u32_max;
    last_version!(context, by_u32, column, u32, last, last)
}

async fn the_last_u64_is_refused_before_any_sql(context: Context) -> Outcome {
    last_version!(context, by_u64, "BIGINT UNSIGNED", u64, u64::MAX, u64::MAX)
}

async fn the_last_newtype_is_refused_before_any_sql(context: Context) -> Outcome {
    last_version!(context, by_newtype, "BIGINT", Revision, Revision(i64::MAX), i64::MAX)
}

async fn a_u64_is_refused_on_sqlite(context: Context) -> Outcome {
    a_u64_is_refused_before_any_sql(context).await
}

async fn a_u64_is_refused_on_postgres(context: Context) -> Outcome {
    a_u64_is_refused_before_any_sql(context).await
}

async fn a_u64_is_refused_before_any_sql(context: Context) -> Outcome {
    use versions::by_u64::{ActiveModel, Column, Entity, Model};

    assert!(!context.backend.expected().has_u64);
    create(&context, "BIGINT").await?;
    context.sql("INSERT INTO doc VALUES (1, 'a', 1)").await?;
    let row = |version| Model {
        id: 1,
        name: "b".to_owned(),
        version,
    };
    let new = |version| row(version).into_active_model().reset_all();
    context.take_statements();
    let db = &context.db;
    for version in [1, u64::MAX] {
        for (path, result) in [
            ("insert", new(version).insert(db).await.map(drop)),
            ("update", new(version).update(db).await.map(drop)),
            ("save", new(version).save(db).await.map(drop)),
            ("touch", row(version).touch(db).await.map(drop)),
            (
                "update_without_returning",
                new(version).update_without_returning(db).await.map(drop),
            ),
            (
                "insert_many",
                Entity::insert_many([new(version)]).exec(db).await.map(drop),
            ),
            (
                "on_conflict_do_nothing",
                Entity::insert(new(version))
                    .on_conflict_do_nothing()
                    .exec(db)
                    .await
                    .map(drop),
            ),
            (
                "update_many",
                Entity::update_many()
                    .col_expr(Column::Name, Expr::value("z"))
                    .exec(db)
                    .await
                    .map(drop),
            ),
            // Without a change the version is only compared, which cannot be done either.
            (
                "unchanged update",
                ActiveModel::from(row(version)).update(db).await.map(drop),
            ),
            ("delete", row(version).delete(db).await.map(drop)),
            ("delete builder", Entity::delete(new(version)).exec(db).await.map(drop)),
        ] {
            let Err(Error::Unsupported(unsupported)) = &result else {
                return Err(format!("{path} at {version} is not refused: {result:?}").into());
            };
            assert_eq!(unsupported.operation(), "a version of type u64");
            assert_eq!(unsupported.backend(), context.backend.pick("SQLite", "PostgreSQL", ""));
        }
    }
    assert_eq!(context.take_statements(), [""; 0]);
    assert_eq!(
        context
            .number("SELECT COUNT(*) FROM doc WHERE name = 'a' AND version = 1")
            .await?,
        1
    );
    Ok(())
}

async fn a_thousand_tokens_in_a_row_all_differ(context: Context) -> Outcome {
    use versions::by_uuid::ActiveModel;

    create(&context, context.backend.pick("BLOB", "UUID", "BINARY(16)")).await?;
    let new = ActiveModel {
        id: Set(1),
        name: Set("a".to_owned()),
        version: NotSet,
    };
    let first = new.insert(&context.db).await?;
    let mut tokens = HashSet::from([first.version]);
    let txn = context.db.begin().await?;
    let mut row = first.clone();
    for _ in 0..1_000 {
        row = row.touch(&txn).await?;
        tokens.insert(row.version);
    }
    txn.commit().await?;
    assert_eq!(tokens.len(), 1_001);

    let err = first.touch(&context.db).await.unwrap_err();
    let version = row.version.into();
    assert_eq!(
        err.conflict().map(optlock::Conflict::found),
        Some(&Found::Changed { version })
    );
    Ok(())
}

async fn a_timestamp_ahead_of_the_clock_advances_by_one_tick(context: Context) -> Outcome {
    /// The versions of an insert at a given version, an update, a touch and, where there is one, a bulk update.
    macro_rules! ticks {
        ($module:ident, $column:expr, $ahead:expr) => {{
            use versions::$module::{ActiveModel, Column, Entity};

            create(&context, $column).await?;
            // Anew for each table: PostgreSQL does not like another one behind a statement that it has prepared.
            let db = context.connect(1).await?;
            let new = ActiveModel {
                id: Set(1),
                name: Set("a".to_owned()),
                version: Set($ahead),
            };
            let inserted = new.insert(&db).await?;
            let mut change = inserted.clone().into_active_model();
            change.name = Set("b".to_owned());
            let updated = change.update(&db).await?;
            let touched = updated.clone().touch(&db).await?;
            let mut versions = vec![inserted.version, updated.version, touched.version];
            if context.backend.expected().advances_timestamps {
                Entity::update_many()
                    .col_expr(Column::Name, Expr::value("z"))
                    .exec(&db)
                    .await?;
                let row = Entity::find_by_id(1).one(&db).await?.ok_or("gone")?;
                versions.push(row.version);
            }
            context.sql("DROP TABLE doc").await?;
            versions
                .windows(2)
                .map(|pair| (pair[1] - pair[0]).num_microseconds())
                .collect::<Vec<_>>()
        }};
    }
    let backend = context.backend;
    // The drivers send an instant to MariaDB as a `TIMESTAMP`, which ends in 2038.
    let utc = |micros: i64| DateTimeUtc::from_timestamp_micros(2_100_000_000_000_000 + micros).ok_or("out of range");
    let count = if backend.expected().advances_timestamps { 3 } else { 2 };
    let column = backend.pick("TEXT", "TIMESTAMPTZ(6)", "DATETIME(6)");
    assert_eq!(ticks!(by_utc, column, utc(999_999)?), vec![Some(1); count]);
    let column = backend.pick("TEXT", "TIMESTAMPTZ(6)", "TIMESTAMP(6)");
    assert_eq!(ticks!(by_utc, column, utc(999_999)?), vec![Some(1); count]);
    let ahead = DateTimeUtc::from_timestamp_micros(4_000_000_000_999_000)
        .ok_or("out of range")?
        .naive_utc();
    let column = backend.pick("TEXT", "TIMESTAMP(6)", "DATETIME(6)");
    assert_eq!(ticks!(by_naive, column, ahead), vec![Some(1); count]);
    let column = backend.pick("TEXT", "TIMESTAMP(3)", "DATETIME(3)");
    assert_eq!(ticks!(by_millis, column, ahead), vec![Some(1_000); count]);
    let ahead = DateTimeUtc::from_timestamp_micros(4_000_000_000_000_000).ok_or("out of range")?;
    let column = backend.pick("TEXT", "TIMESTAMP(0)", "DATETIME");
    assert_eq!(
        ticks!(by_seconds, column, ahead.naive_utc()),
        vec![Some(1_000_000); count]
    );
    let column = backend.pick("TEXT", "TIMESTAMPTZ(0)", "TIMESTAMP");
    assert_eq!(ticks!(by_utc_seconds, column, utc(0)?), vec![Some(1_000_000); count]);
    Ok(())
}

/// Ten updates, each of which leaves behind a copy that must be told.
macro_rules! ten_updates {
    ($context:expr, $module:ident, $column:expr, $tick:expr, $first:expr) => {{
        use versions::$module::{ActiveModel, Entity, Model};

        let context: Context = $context;
        create(&context, $column).await?;
        let new = ActiveModel {
            id: Set(1),
            name: Set("a".to_owned()),
            version: $first,
        };
        let mut row: Model = new.insert(&context.db).await?;
        for number in 0..10 {
            let stale = row.clone();
            let mut change = row.into_active_model();
            change.name = Set(number.to_string());
            row = change.update(&context.db).await?;
            assert!(row.version > stale.version, "{row:?} {stale:?}");
            assert_eq!(row.version.and_utc().timestamp_micros() % $tick, 0);
            assert_eq!(Entity::find_by_id(1).one(&context.other).await?.as_ref(), Some(&row));
            let mut stale = stale.into_active_model();
            stale.name = Set("lost".to_owned());
            let err = stale.update(&context.db).await.unwrap_err();
            let conflict = err.conflict().ok_or_else(|| format!("not a conflict: {err:?}"))?;
            assert_eq!(conflict.current::<Model>(), Some(&row));
        }
        Ok(())
    }};
}

async fn ten_updates_within_a_second_all_advance_a_column_of_seconds(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMP(0)", "DATETIME");
    ten_updates!(context, by_seconds, column, 1_000_000, NotSet)
}

async fn ten_updates_within_a_millisecond_all_advance_a_column_of_milliseconds(context: Context) -> Outcome {
    let column = context.backend.pick("TEXT", "TIMESTAMP(3)", "DATETIME(3)");
    // Ahead of the clock, which else would tick between two of them.
    let ahead = DateTimeUtc::from_timestamp_micros(4_000_000_000_995_000).ok_or("out of range")?;
    ten_updates!(context, by_millis, column, 1_000, Set(ahead.naive_utc()))
}

async fn a_column_of_seconds_on_postgres_is_reported(context: Context) -> Outcome {
    a_coarse_column_is_reported(&context, "TIMESTAMP(0)", 0, 400_000).await?;
    // PostgreSQL rounds: what it stores may lie after what was sent.
    context.sql("DROP TABLE doc").await?;
    a_coarse_column_is_reported(&context, "TIMESTAMP(0)", 1_000_000, 600_000).await
}

async fn a_column_of_seconds_on_mariadb_is_reported(context: Context) -> Outcome {
    a_coarse_column_is_reported(&context, "DATETIME", 0, 400_000).await?;
    context.sql("DROP TABLE doc").await?;
    a_coarse_column_is_reported(&context, "DATETIME", 0, 600_000).await
}

/// Writes versions with a fraction to a column of whole seconds, which stores `stored` microseconds for `sent`.
async fn a_coarse_column_is_reported(context: &Context, column: &str, stored: i64, sent: i64) -> Outcome {
    use versions::by_naive::{ActiveModel, Entity};

    const SECOND: i64 = 4_000_000_000_000_000;
    let at = |micros: i64| -> Result<DateTime, &str> {
        Ok(DateTimeUtc::from_timestamp_micros(SECOND + micros)
            .ok_or("out of range")?
            .naive_utc())
    };
    create(context, column).await?;
    let new = |id, version| ActiveModel {
        id: Set(id),
        name: Set("a".to_owned()),
        version: Set(version),
    };

    let err = new(1, at(sent)?).insert(&context.db).await.unwrap_err();
    let Error::Imprecise(imprecise) = &err else {
        return Err(format!("not imprecise: {err:?}").into());
    };
    assert_eq!(imprecise.operation(), Operation::Insert);
    assert_eq!((imprecise.table(), imprecise.key().to_string().as_str()), ("doc", "1"));
    assert_eq!(imprecise.sent().get::<DateTime>(), Some(at(sent)?));
    assert_eq!(imprecise.stored().get::<DateTime>(), Some(at(stored)?));

    // A row that somebody else wrote, at a version that is ahead of the clock: the next one is a microsecond later.
    new(2, at(0)?).insert(&context.db).await?;
    let mut change = new(2, at(0)?);
    change.name = Set("b".to_owned());
    let err = change.update(&context.db).await.unwrap_err();
    let Error::Imprecise(imprecise) = &err else {
        return Err(format!("not imprecise: {err:?}").into());
    };
    assert_eq!(imprecise.operation(), Operation::Update);
    assert_eq!(imprecise.sent().get::<DateTime>(), Some(at(1)?));
    assert_eq!(imprecise.stored().get::<DateTime>(), Some(at(0)?));
    let row = Entity::find_by_id(2).one(&context.db).await?.ok_or("gone")?;
    assert_eq!(
        (row.name.as_str(), row.version),
        ("b", at(0)?),
        "it was written, as the error says"
    );
    Ok(())
}

async fn a_coarse_column_hides_no_lost_update_on_postgres(context: Context) -> Outcome {
    a_coarse_column_hides_no_lost_update(&context, "TIMESTAMP(0)").await
}

async fn a_coarse_column_hides_no_lost_update_on_mariadb(context: Context) -> Outcome {
    a_coarse_column_hides_no_lost_update(&context, "DATETIME").await
}

/// Two writers who read the same row, and a column that cannot hold the version that the first of them sends: one of
/// them must be told something.
async fn a_coarse_column_hides_no_lost_update(context: &Context, column: &str) -> Outcome {
    use versions::by_naive::ActiveModel;

    create(context, column).await?;
    let ahead = DateTimeUtc::from_timestamp_micros(4_000_000_000_000_000).ok_or("out of range")?;
    let copy = |name: &str| ActiveModel {
        id: Set(1),
        name: Set(name.to_owned()),
        version: Set(ahead.naive_utc()),
    };
    copy("a").insert(&context.db).await?;
    let first = copy("first").update_without_returning(&context.db).await;
    let second = copy("second").update_without_returning(&context.db).await;
    assert!(first.is_err() || second.is_err(), "the first update is lost");
    Ok(())
}

async fn an_expected_timestamp_may_come_with_another_offset(context: Context) -> Outcome {
    use versions::by_offset::ActiveModel;

    create(&context, context.backend.pick("TEXT", "TIMESTAMPTZ(6)", "TIMESTAMP(6)")).await?;
    let new = ActiveModel {
        id: Set(1),
        name: Set("a".to_owned()),
        version: NotSet,
    };
    let inserted = new.insert(&context.db).await?;
    // The same instant, as a client two hours east of us writes it.
    let east = *"2000-01-01T00:00:00+02:00".parse::<DateTimeWithTimeZone>()?.offset();
    let from_client = ActiveModel {
        id: Set(1),
        name: Set("b".to_owned()),
        version: Set(inserted.version.with_timezone(&east)),
    };
    let updated = from_client.update(&context.db).await?;
    assert!(updated.version > inserted.version);
    Ok(())
}

/// SQLite compares timestamps as text, and its own functions write them in another format than drivers do.
/// SQLite compares text, and its own functions write timestamps in another form than the driver. Such a row is readable
/// and cannot be written: it fails safe, and GUARANTEES.md says so.
async fn a_timestamp_that_sqlite_wrote_is_never_as_expected(context: Context) -> Outcome {
    use versions::by_utc::Entity;

    create(&context, "TEXT").await?;
    context
        .sql("INSERT INTO doc VALUES (1, 'a', CURRENT_TIMESTAMP)")
        .await?;
    let row = Entity::find_by_id(1).one(&context.db).await?.ok_or("gone")?;
    let err = row.touch(&context.db).await.unwrap_err();
    assert_eq!(err.conflict().map(optlock::Conflict::found), Some(&Found::Blocked));
    Ok(())
}
