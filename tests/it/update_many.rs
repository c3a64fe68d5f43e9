//! Updates of many rows.

use optlock::prelude::*;
use optlock::{Error, Fault, Found, Operation};
use sea_orm::TransactionTrait;
use sea_orm::sea_query::ExprTrait as _;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};
use crate::entity::versions;
use crate::wait;

cases![
    every_row_advances_by_one,
    only_the_rows_of_the_filter_advance,
    a_copy_from_before_conflicts_and_the_bulk_value_survives,
    no_row_is_no_conflict,
    rows_at_different_versions_each_advance_by_one,
    the_version_is_assigned_once_and_last,
    an_expression_sees_the_old_values,
    the_columns_of_an_active_model_are_assigned,
    an_active_model_that_holds_a_version_it_does_not_set_is_taken,
    rows_are_returned_where_they_can_be,
    an_assigned_version_is_refused_before_any_sql,
    nothing_assigned_is_no_sql,
    a_row_at_the_last_i16_stops_the_whole_update,
    a_row_at_the_last_i32_stops_the_whole_update,
    a_row_at_the_last_i64_stops_the_whole_update,
    a_row_at_the_last_u32_stops_the_whole_update,
    the_last_version_is_of_the_type_of_the_field,
    a_row_at_the_last_version_outside_the_filter_stops_nothing,
    an_overflow_of_the_callers_is_the_callers,
    an_update_that_breaks_a_constraint_is_no_overflow;
    SERVERS: an_update_waits_for_a_bulk_update_that_commits, an_update_waits_for_a_bulk_update_that_rolls_back;
    POSTGRES: an_overflow_in_a_postgres_transaction_is_what_the_server_said;
    MARIADB: a_row_at_the_last_u64_stops_the_whole_update, nothing_is_clamped_without_strict_mode;
];

async fn every_row_advances_by_one(context: Context) -> Outcome {
    item::create(&context).await?;
    let result = item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::value(7))
        .exec(&context.db)
        .await?;
    assert_eq!(result.rows_affected, 3);
    assert_eq!(
        context
            .number("SELECT COUNT(*) FROM item WHERE qty = 7 AND version = 2")
            .await?,
        3
    );
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 7, 2));
    Ok(())
}

async fn only_the_rows_of_the_filter_advance(context: Context) -> Outcome {
    item::create(&context).await?;
    let result = item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::value(7))
        .filter(item::Column::Id.gte(2))
        .filter(item::Column::Name.ne("c"))
        .exec(&context.db)
        .await?;
    assert_eq!(result.rows_affected, 1);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 7, 2));
    assert_eq!(stored(&context, 3).await?, ("c".to_owned(), 30, 1));
    Ok(())
}

async fn a_copy_from_before_conflicts_and_the_bulk_value_survives(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    let mut change = row.clone().into_active_model();
    change.name = Set("x".to_owned());
    item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::value(7))
        .filter(item::Column::Id.eq(1))
        .exec(&context.db)
        .await?;
    let err = change.update(&context.db).await.unwrap_err();
    let conflict = err.conflict().ok_or_else(|| format!("not a conflict: {err:?}"))?;
    assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
    let current = item::Model {
        qty: 7,
        version: 2,
        ..row.clone()
    };
    assert_eq!(conflict.current::<item::Model>(), Some(&current));
    assert!(row.delete(&context.db).await.unwrap_err().is_conflict());
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 7, 2));
    Ok(())
}

async fn no_row_is_no_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    let none = item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::value(7))
        .filter(item::Column::Id.eq(99));
    assert_eq!(none.clone().exec(&context.db).await?.rows_affected, 0);
    if context.backend.expected().returns_rows {
        assert!(none.exec_with_returning(&context.db).await?.is_empty());
    }
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 3);
    Ok(())
}

async fn rows_at_different_versions_each_advance_by_one(context: Context) -> Outcome {
    item::create(&context).await?;
    context.sql("UPDATE item SET version = -1 WHERE id = 1").await?;
    context.sql("UPDATE item SET version = 0 WHERE id = 2").await?;
    let last_but_one = i64::MAX - 1;
    context
        .sql(&format!("UPDATE item SET version = {last_but_one} WHERE id = 3"))
        .await?;
    let update = item::Entity::update_many().col_expr(item::Column::Qty, Expr::value(7));
    assert_eq!(update.exec(&context.db).await?.rows_affected, 3);
    assert_eq!(stored(&context, 1).await?.2, 0);
    assert_eq!(stored(&context, 2).await?.2, 1);
    assert_eq!(stored(&context, 3).await?.2, i64::MAX);
    Ok(())
}

async fn the_version_is_assigned_once_and_last(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::value(7))
        .filter(item::Column::Id.eq(1))
        .exec(&context.db)
        .await?;
    let statements = context.take_statements();
    assert_eq!(statements.len(), 1, "{statements:?}");
    let (assignments, condition) = statements[0].split_once(" WHERE ").ok_or("no condition")?;
    let quote = context.backend.pick('"', '"', '`');
    let version = format!("{quote}version{quote} = ");
    assert_eq!(assignments.matches(&version).count(), 1, "{assignments}");
    let qty = format!("{quote}qty{quote} = ");
    assert!(assignments.find(&qty) < assignments.find(&version), "{assignments}");
    assert!(!condition.contains("version"), "{condition}");
    Ok(())
}

async fn an_expression_sees_the_old_values(context: Context) -> Outcome {
    item::create(&context).await?;
    let result = item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::col(item::Column::Version).add(100))
        .exec(&context.db)
        .await?;
    assert_eq!(result.rows_affected, 3);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 101, 2));
    item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::col(item::Column::Qty).add(1))
        .exec(&context.db)
        .await?;
    assert_eq!(stored(&context, 3).await?, ("c".to_owned(), 102, 3));
    Ok(())
}

async fn the_columns_of_an_active_model_are_assigned(context: Context) -> Outcome {
    item::create(&context).await?;
    let change = item::ActiveModel {
        qty: Set(7),
        ..Default::default()
    };
    let result = item::Entity::update_many()
        .set(change)
        .filter(item::Column::Id.is_in([1, 2]))
        .exec(&context.db)
        .await?;
    assert_eq!(result.rows_affected, 2);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 7, 2));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 7, 2));
    assert_eq!(stored(&context, 3).await?, ("c".to_owned(), 30, 1));
    Ok(())
}

async fn an_active_model_that_holds_a_version_it_does_not_set_is_taken(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut change = load(&context, 1).await?.into_active_model();
    change.qty = Set(7);
    assert_eq!(change.version, Unchanged(1));
    let result = item::Entity::update_many()
        .set(change)
        .filter(item::Column::Id.gte(2))
        .exec(&context.db)
        .await?;
    assert_eq!(result.rows_affected, 2);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    assert_eq!(stored(&context, 3).await?, ("c".to_owned(), 7, 2));
    Ok(())
}

async fn rows_are_returned_where_they_can_be(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let returned = item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::col(item::Column::Qty).add(1))
        .filter(item::Column::Id.lte(2))
        .exec_with_returning(&context.db)
        .await;
    if context.backend.expected().returns_rows {
        let mut returned = returned?;
        assert_eq!(context.take_statements().len(), 1);
        returned.sort_by_key(|row| row.id);
        assert_eq!(returned, [load(&context, 1).await?, load(&context, 2).await?]);
        assert_eq!((returned[1].qty, returned[1].version), (21, 2));
    } else {
        let Err(Error::Unsupported(unsupported)) = &returned else {
            return Err(format!("not unsupported: {returned:?}").into());
        };
        assert_eq!(unsupported.operation(), "update_many that returns its rows");
        assert_eq!(context.take_statements(), [""; 0]);
        assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 3);
    }
    Ok(())
}

async fn an_assigned_version_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let version = || Expr::value(1_i64);
    let by_model = item::ActiveModel {
        qty: Set(7),
        version: Set(1),
        ..Default::default()
    };
    for update in [
        item::Entity::update_many().col_expr(item::Column::Version, version()),
        item::Entity::update_many()
            .col_expr(item::Column::Version, version())
            .col_expr(item::Column::Qty, version()),
        item::Entity::update_many()
            .col_expr(item::Column::Qty, version())
            .col_expr("VERSION", version()),
        item::Entity::update_many().set(by_model.clone()),
        item::Entity::update_many()
            .set(load(&context, 1).await?.into_active_model().reset_all())
            .filter(item::Column::Id.eq(1)),
    ] {
        context.take_statements();
        let mut errors = vec![
            update.build(context.db.get_database_backend()).map(drop).unwrap_err(),
            update.clone().exec(&context.db).await.map(drop).unwrap_err(),
        ];
        if context.backend.expected().returns_rows {
            errors.push(update.exec_with_returning(&context.db).await.map(drop).unwrap_err());
        }
        for err in errors {
            let Error::VersionAssigned(assigned) = &err else {
                return Err(format!("not refused: {err:?}").into());
            };
            assert_eq!((assigned.table(), assigned.column()), ("item", "version"));
            assert_eq!(
                err.to_string(),
                "update_many of item assigns its version column `version`, which optlock advances"
            );
        }
        assert_eq!(context.take_statements(), [""; 0]);
    }
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 3);
    Ok(())
}

async fn nothing_assigned_is_no_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let filtered = item::Entity::update_many().filter(item::Column::Id.eq(1));
    assert_eq!(filtered.exec(&context.db).await?.rows_affected, 0);
    let empty = item::Entity::update_many().set(<item::ActiveModel as Default>::default());
    assert_eq!(empty.clone().exec(&context.db).await?.rows_affected, 0);
    assert!(empty.exec_with_returning(&context.db).await?.is_empty());
    assert_eq!(context.take_statements(), [""; 0]);
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 3);
    Ok(())
}

/// One of three rows is at its last version: none is changed, and the error says why.
macro_rules! one_of_three {
    ($context:expr, $db:expr, $module:ident, $column:expr, $last:expr) => {{
        use versions::$module::{Column, Entity};

        let context: &Context = $context;
        let last = $last;
        versions::create(context, $column).await?;
        context
            .sql(&format!("INSERT INTO doc VALUES (1, 'a', 1), (2, 'a', {last}), (3, 'a', 5)"))
            .await?;
        let update = Entity::update_many().col_expr(Column::Name, Expr::value("z"));
        let mut errors = vec![update.clone().exec($db).await.map(drop).unwrap_err()];
        if context.backend.expected().returns_rows {
            errors.push(update.clone().exec_with_returning($db).await.map(drop).unwrap_err());
        }
        for err in errors {
            let Error::Overflow(overflow) = &err else {
                return Err(format!("not an overflow: {err:?}").into());
            };
            assert_eq!((overflow.table(), overflow.operation()), ("doc", Operation::UpdateMany));
            assert_eq!(overflow.last().to_string(), last.to_string());
            assert!(err.fault().is_some(), "the server's error is the cause");
            assert!(!err.is_conflict());
        }
        let untouched = format!(
            "SELECT COUNT(*) FROM doc WHERE name = 'a' AND version = CASE id WHEN 1 THEN 1 WHEN 2 THEN {last} ELSE 5 END"
        );
        assert_eq!(context.number(&untouched).await?, 3);
        if context.backend == crate::backend::Backend::Sqlite {
            let integers = "SELECT COUNT(*) FROM doc WHERE typeof(version) = 'integer'";
            assert_eq!(context.number(integers).await?, 3);
        }
        // The other two rows are not held back.
        let update = update.filter(Column::Id.ne(2));
        assert_eq!(update.exec($db).await?.rows_affected, 2);
        assert_eq!(Entity::find_by_id(1).one($db).await?.ok_or("gone")?.version, 2);
        assert_eq!(Entity::find_by_id(3).one($db).await?.ok_or("gone")?.version, 6);
        assert_eq!(Entity::find_by_id(2).one($db).await?.ok_or("gone")?.version, last);
        context.sql("DROP TABLE doc").await?;
    }};
}

async fn a_row_at_the_last_i16_stops_the_whole_update(context: Context) -> Outcome {
    one_of_three!(&context, &context.db, by_i16, "SMALLINT", i16::MAX);
    Ok(())
}

async fn a_row_at_the_last_i32_stops_the_whole_update(context: Context) -> Outcome {
    one_of_three!(&context, &context.db, by_i32, "INTEGER", i32::MAX);
    Ok(())
}

async fn a_row_at_the_last_i64_stops_the_whole_update(context: Context) -> Outcome {
    one_of_three!(&context, &context.db, by_i64, "BIGINT", i64::MAX);
    Ok(())
}

async fn a_row_at_the_last_u32_stops_the_whole_update(context: Context) -> Outcome {
    let column = context.backend.pick("INTEGER", "INTEGER", "INTEGER UNSIGNED");
    let last = context.backend.expected().u32_max;
    one_of_three!(&context, &context.db, by_u32, column, last);
    Ok(())
}

async fn a_row_at_the_last_u64_stops_the_whole_update(context: Context) -> Outcome {
    one_of_three!(&context, &context.db, by_u64, "BIGINT UNSIGNED", u64::MAX);
    Ok(())
}

async fn the_last_version_is_of_the_type_of_the_field(context: Context) -> Outcome {
    use versions::by_i16::{Column, Entity};

    versions::create(&context, "SMALLINT").await?;
    context.sql("INSERT INTO doc VALUES (1, 'a', 32767)").await?;
    let update = Entity::update_many().col_expr(Column::Name, Expr::value("z"));
    let Err(Error::Overflow(overflow)) = update.exec(&context.db).await else {
        return Err("not an overflow".into());
    };
    assert_eq!(overflow.last().get::<i16>(), Some(i16::MAX));
    Ok(())
}

/// A server that is not strict would store the largest number that fits, and report success.
async fn nothing_is_clamped_without_strict_mode(context: Context) -> Outcome {
    let db = context.connect(1).await?;
    db.execute_unprepared("SET SESSION sql_mode = ''").await?;
    one_of_three!(&context, &db, by_i16, "SMALLINT", i16::MAX);
    one_of_three!(&context, &db, by_i32, "INTEGER", i32::MAX);
    one_of_three!(&context, &db, by_i64, "BIGINT", i64::MAX);
    one_of_three!(&context, &db, by_u32, "INTEGER UNSIGNED", u32::MAX);
    one_of_three!(&context, &db, by_u64, "BIGINT UNSIGNED", u64::MAX);
    // Here the mode is really off: this is the clamp that the update above was kept from.
    versions::create(&context, "SMALLINT").await?;
    db.execute_unprepared("INSERT INTO doc VALUES (1, 'a', 32767)").await?;
    db.execute_unprepared("UPDATE doc SET version = version + 1").await?;
    assert_eq!(context.number("SELECT CAST(version AS SIGNED) FROM doc").await?, 32_767);
    Ok(())
}

async fn a_row_at_the_last_version_outside_the_filter_stops_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("UPDATE item SET version = 9223372036854775807 WHERE id = 1")
        .await?;
    let result = item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::value(7))
        .filter(item::Column::Id.gte(2))
        .exec(&context.db)
        .await?;
    assert_eq!(result.rows_affected, 2);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, i64::MAX));
    assert_eq!(stored(&context, 3).await?, ("c".to_owned(), 7, 2));
    Ok(())
}

async fn an_overflow_of_the_callers_is_the_callers(context: Context) -> Outcome {
    item::create(&context).await?;
    // SQLite adds to a float instead of failing; this it refuses.
    let too_large = context.backend.pick(
        "abs(qty - qty - 9223372036854775807 - 1)",
        "qty + 9223372036854775807",
        "qty + 18446744073709551615",
    );
    // A row at the last version that the update does not reach is not to blame.
    context
        .sql("UPDATE item SET version = 9223372036854775807 WHERE id = 1")
        .await?;
    let err = item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::cust(too_large))
        .filter(item::Column::Id.gte(2))
        .exec(&context.db)
        .await
        .unwrap_err();
    let Error::Database(database) = &err else {
        return Err(format!("not the caller's: {err:?}").into());
    };
    let fault = context.backend.pick(Fault::Other, Fault::OutOfRange, Fault::OutOfRange);
    assert_eq!(database.fault(), fault);
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 20, 1));
    Ok(())
}

async fn an_update_that_breaks_a_constraint_is_no_overflow(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("UPDATE item SET version = 9223372036854775807 WHERE id = 3")
        .await?;
    // The row at its last version comes after the one that fails, or is none of those that are updated.
    for ids in [vec![2, 3], vec![2]] {
        let err = item::Entity::update_many()
            .col_expr(item::Column::Name, Expr::value("a"))
            .filter(item::Column::Id.is_in(ids))
            .exec(&context.db)
            .await
            .unwrap_err();
        assert_eq!((err.fault(), err.is_conflict()), (Some(Fault::Unique), false));
        assert!(matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))));
        assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 20, 1));
    }
    Ok(())
}

/// After an error a transaction of PostgreSQL answers no question, so nobody can say which number was out of range.
async fn an_overflow_in_a_postgres_transaction_is_what_the_server_said(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("UPDATE item SET version = 9223372036854775807 WHERE id = 3")
        .await?;
    let txn = context.db.begin().await?;
    let err = item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::value(7))
        .exec(&txn)
        .await
        .unwrap_err();
    assert!(matches!(err, Error::Database(_)), "{err:?}");
    assert_eq!(err.fault(), Some(Fault::OutOfRange));
    txn.rollback().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn an_update_waits_for_a_bulk_update_that_commits(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut change = load(&context, 1).await?.into_active_model();
    change.name = Set("x".to_owned());
    let bulk = context.other.begin().await?;
    item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::value(7))
        .exec(&bulk)
        .await?;
    let db = context.db.clone();
    let update = tokio::spawn(async move { change.update(&db).await });
    wait::until_blocked(&context).await?;
    bulk.commit().await?;
    let err = update.await?.unwrap_err();
    let conflict = err.conflict().ok_or_else(|| format!("not a conflict: {err:?}"))?;
    assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
    assert_eq!(
        conflict
            .current::<item::Model>()
            .map(|row| (row.name.as_str(), row.qty)),
        Some(("a", 7))
    );
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 7, 2));
    Ok(())
}

async fn an_update_waits_for_a_bulk_update_that_rolls_back(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut change = load(&context, 1).await?.into_active_model();
    change.name = Set("x".to_owned());
    let bulk = context.other.begin().await?;
    item::Entity::update_many()
        .col_expr(item::Column::Qty, Expr::value(7))
        .exec(&bulk)
        .await?;
    let db = context.db.clone();
    let update = tokio::spawn(async move { change.update(&db).await });
    wait::until_blocked(&context).await?;
    bulk.rollback().await?;
    let updated = update.await??;
    assert_eq!((updated.name.as_str(), updated.qty, updated.version), ("x", 10, 2));
    assert_eq!(stored(&context, 1).await?, ("x".to_owned(), 10, 2));
    Ok(())
}
