//! Updates by key, under a condition and without a version.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use optlock::prelude::*;
use optlock::{Error, Fault, ModifyIn, Operation, Policy, Refused, Report, Txn, UpdateById};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{IsolationLevel, QueryTrait as _, TransactionTrait};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::cancel::poll_times;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};
use crate::entity::keys::{by_text, pair};
use crate::entity::versions;
use crate::wait;

cases![
    the_row_is_written_and_returned_in_one_statement,
    the_version_is_assigned_once_and_last_and_compared_with_nothing,
    a_condition_that_does_not_hold_is_refused_with_the_row_as_it_is,
    a_row_that_is_not_there_is_named,
    whoever_holds_an_older_copy_is_told,
    an_assigned_version_or_key_is_refused_before_any_sql,
    with_nothing_assigned_the_version_advances,
    what_is_set_in_a_model_is_assigned,
    the_last_version_is_an_overflow,
    an_overflow_is_no_answer_to_a_condition_that_does_not_hold,
    a_constraint_is_its_own_error_and_leaves_no_transaction_open,
    sql_that_the_server_refuses_is_the_callers,
    a_key_may_be_composite_or_text,
    counters_advance_by_one,
    tokens_are_new,
    timestamps_advance_where_the_database_can_count,
    in_a_transaction_of_seaorm_it_is_undone_with_it,
    in_a_transaction_of_ours_it_is_undone_with_it,
    in_a_savepoint_it_is_undone_with_it,
    a_refusal_leaves_the_transaction_usable,
    rows_that_share_a_key_are_reported,
    a_row_that_cannot_be_decoded_was_written,
    a_refusal_is_one_though_its_row_cannot_be_read,
    no_policy_repeats_a_refusal,
    a_pool_of_one_is_enough,
    two_hundred_buyers_of_a_hundred_are_told_apart,
    dropped_at_any_point_it_is_done_or_not_done,
    it_runs_in_spawned_tasks;
    SQLITE: a_trigger_that_holds_it_back_is_a_refusal;
    POSTGRES: a_trigger_that_holds_it_back_is_a_refusal,
    above_read_committed_a_rivals_change_is_a_serialization_failure;
    SERVERS: the_condition_is_asked_of_the_row_that_a_rival_has_committed,
    a_refusal_shows_the_newest_row_and_no_snapshot,
    a_timestamp_that_its_column_cuts_is_reported;
    MARIADB: a_statement_that_is_killed_leaves_no_transaction_open,
    a_write_that_is_reported_as_not_done_is_not_stored,
    a_read_that_fails_in_a_transaction_of_its_own_takes_the_write_along,
    what_cannot_be_one_statement_is_a_transaction,
    thirty_two_tasks_are_faster_than_with_locks;
];

/// Takes so many of an item, if there are so many.
fn take(id: i64, count: i64) -> UpdateById<item::Entity> {
    item::Entity::update_by_id(id)
        .col_expr(item::Column::Qty, Expr::col(item::Column::Qty).sub(count))
        .filter(item::Column::Qty.gte(count))
}

fn refused(err: &Error) -> Result<&Refused, String> {
    match err {
        Error::Refused(refused) => Ok(refused),
        _ => Err(format!("not refused: {err:?}")),
    }
}

/// Whether a statement writes and reads at once on a server that returns nothing from an update.
fn is_compound(sql: &str) -> bool {
    sql.starts_with("BEGIN NOT ATOMIC UPDATE ")
}

async fn the_row_is_written_and_returned_in_one_statement(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let row = take(2, 4).exec(&context.db).await?;
    let sent = context.take_statements();
    assert_eq!(
        row,
        item::Model {
            id: 2,
            name: "b".to_owned(),
            qty: 16,
            version: 2
        }
    );
    assert_eq!(sent.len(), 1, "{sent:?}");
    match context.backend {
        Backend::MariaDb => assert!(is_compound(&sent[0]), "{sent:?}"),
        Backend::Sqlite | Backend::Postgres => {
            assert!(
                sent[0].starts_with("UPDATE ") && sent[0].contains(" RETURNING "),
                "{sent:?}"
            );
        }
    }
    assert_eq!(load(&context, 2).await?, row);
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 2);

    context.take_statements();
    let result = take(2, 6).exec_without_returning(&context.db).await?;
    assert_eq!((result.rows_affected, context.take_statements().len()), (1, 1));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 10, 3));
    Ok(())
}

async fn the_version_is_assigned_once_and_last_and_compared_with_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let update = take(2, 4);
    let built = update.build(context.db.get_database_backend())?.sql;
    update.exec_without_returning(&context.db).await?;
    assert_eq!(context.take_statements(), [built.as_str()]);
    let (assignments, condition) = built.split_once(" WHERE ").ok_or("no condition")?;
    let quote = context.backend.pick('"', '"', '`');
    let version = format!("{quote}version{quote} = ");
    assert_eq!(assignments.matches(&version).count(), 1, "{assignments}");
    assert!(assignments.find("qty") < assignments.find(&version), "{assignments}");
    assert!(!condition.contains("version"), "{condition}");
    Ok(())
}

async fn a_condition_that_does_not_hold_is_refused_with_the_row_as_it_is(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    for err in [
        take(1, 11).exec(&context.db).await.map(drop).unwrap_err(),
        take(1, 11)
            .exec_without_returning(&context.db)
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        let refused = refused(&err)?;
        assert_eq!((refused.table(), refused.operation()), ("item", Operation::UpdateById));
        assert_eq!(refused.key().to_string(), "1");
        assert_eq!(refused.current::<item::Model>(), Some(&row));
        assert_eq!(
            err.to_string(),
            "update_by_id of item 1 was refused: the row does not meet the condition, or a trigger or a policy held the write back"
        );
        assert!(!format!("{err:?}").contains("10"), "{err:?}");
        assert_eq!(optlock::fault(&err), Fault::Blocked);
        assert_eq!((err.is_conflict(), err.is_gone(), err.fault()), (false, false, None));
        // It comes back from SeaORM's error as it was, and from one that hides it.
        assert_eq!(Error::from(DbErr::from(err.clone())).to_string(), err.to_string());
        let source = std::error::Error::source(&err).ok_or("no source")?;
        assert_eq!(optlock::fault(source), Fault::Blocked);
    }
    assert_eq!(load(&context, 1).await?, row);
    Ok(())
}

async fn a_row_that_is_not_there_is_named(context: Context) -> Outcome {
    item::create(&context).await?;
    for err in [
        take(98, 1).exec(&context.db).await.map(drop).unwrap_err(),
        take(98, 1)
            .exec_without_returning(&context.db)
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        let Error::MissingRows(missing) = &err else {
            return Err(format!("not missing: {err:?}").into());
        };
        assert_eq!(
            (missing.table(), missing.missing()[0].to_string()),
            ("item", "98".to_owned())
        );
    }
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 3);
    Ok(())
}

async fn whoever_holds_an_older_copy_is_told(context: Context) -> Outcome {
    item::create(&context).await?;
    let old = load(&context, 1).await?;
    let mut change = old.clone().into_active_model();
    change.name = Set("x".to_owned());
    let row = take(1, 4).exec(&context.db).await?;
    let err = change.update(&context.db).await.unwrap_err();
    let conflict = err.conflict().ok_or_else(|| format!("not a conflict: {err:?}"))?;
    assert_eq!(conflict.current::<item::Model>(), Some(&row));
    assert!(old.delete(&context.db).await.unwrap_err().is_conflict());
    // What was returned can be written.
    assert_eq!(row.touch(&context.db).await?.version, 3);
    Ok(())
}

async fn an_assigned_version_or_key_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let model = |change: fn(&mut item::ActiveModel)| {
        let mut model = item::ActiveModel {
            qty: Set(7),
            ..Default::default()
        };
        change(&mut model);
        item::Entity::update_by_id(1).set(model)
    };
    let column = |column| item::Entity::update_by_id(1).col_expr(column, Expr::value(1_i64));
    for update in [column(item::Column::Version), model(|row| row.version = Set(1))] {
        for err in [
            update.build(context.db.get_database_backend()).map(drop).unwrap_err(),
            update.clone().exec(&context.db).await.map(drop).unwrap_err(),
            update.exec_without_returning(&context.db).await.map(drop).unwrap_err(),
        ] {
            assert_eq!(
                err.to_string(),
                "update_by_id of item assigns its version column `version`, which optlock advances"
            );
            assert!(matches!(err, Error::VersionAssigned(_)), "{err:?}");
        }
    }
    for update in [column(item::Column::Id), model(|row| row.id = Set(1))] {
        let err = update.exec(&context.db).await.map(drop).unwrap_err();
        assert!(matches!(err, Error::Unsupported(_)), "{err:?}");
    }
    assert_eq!(context.take_statements(), [""; 0]);
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 3);
    Ok(())
}

async fn with_nothing_assigned_the_version_advances(context: Context) -> Outcome {
    item::create(&context).await?;
    let touch = || item::Entity::update_by_id(1).filter(item::Column::Qty.eq(10));
    assert_eq!(touch().exec(&context.db).await?.version, 2);
    touch().exec_without_returning(&context.db).await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 3));
    assert_eq!(item::Entity::update_by_id(1).exec(&context.db).await?.version, 4);
    let not = touch().filter(item::Column::Name.eq("b")).exec(&context.db).await;
    refused(&not.unwrap_err())?;
    Ok(())
}

async fn what_is_set_in_a_model_is_assigned(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut change = load(&context, 1).await?.into_active_model();
    change.name = Set("x".to_owned());
    take(1, 1).exec(&context.db).await?;
    // The key, the quantity and the version are unchanged, and so are neither written nor compared.
    let row = item::Entity::update_by_id(1).set(change).exec(&context.db).await?;
    assert_eq!((row.name.as_str(), row.qty, row.version), ("x", 9, 3));
    assert_eq!(load(&context, 1).await?, row);
    Ok(())
}

async fn the_last_version_is_an_overflow(context: Context) -> Outcome {
    use versions::by_i16::{Column, Entity};

    versions::create(&context, "SMALLINT").await?;
    context
        .sql("INSERT INTO doc VALUES (1, 'a', 32767), (2, 'a', 1)")
        .await?;
    let update = |id| Entity::update_by_id(id).col_expr(Column::Name, Expr::value("z"));
    for err in [
        update(1).exec(&context.db).await.map(drop).unwrap_err(),
        update(1)
            .exec_without_returning(&context.db)
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        let Error::Overflow(overflow) = &err else {
            return Err(format!("not an overflow: {err:?}").into());
        };
        assert_eq!((overflow.table(), overflow.operation()), ("doc", Operation::UpdateById));
        assert_eq!(overflow.last().get::<i16>(), Some(i16::MAX));
    }
    let txn = context.db.begin().await?;
    let err = update(1).exec(&txn).await.unwrap_err();
    match context.backend {
        Backend::Postgres => assert_eq!(err.fault(), Some(Fault::OutOfRange)),
        Backend::Sqlite | Backend::MariaDb => assert!(matches!(err, Error::Overflow(_)), "{err:?}"),
    }
    txn.rollback().await?;
    assert_eq!(
        context
            .number("SELECT COUNT(*) FROM doc WHERE id = 1 AND name = 'a' AND version = 32767")
            .await?,
        1
    );
    assert_eq!(update(2).exec(&context.db).await?.version, 2);
    Ok(())
}

async fn an_overflow_is_no_answer_to_a_condition_that_does_not_hold(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("UPDATE item SET version = 9223372036854775807 WHERE id = 1")
        .await?;
    refused(&take(1, 11).exec(&context.db).await.unwrap_err())?;
    Ok(())
}

async fn a_constraint_is_its_own_error_and_leaves_no_transaction_open(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let rename = || item::Entity::update_by_id(2).col_expr(item::Column::Name, Expr::value("a"));
    for err in [
        rename().exec(&db).await.map(drop).unwrap_err(),
        rename().exec_without_returning(&db).await.map(drop).unwrap_err(),
    ] {
        assert!(
            matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))),
            "{err:?}"
        );
    }
    // What comes next on the connection is stored.
    take(2, 1).exec_without_returning(&db).await?;
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 19, 2));
    Ok(())
}

async fn sql_that_the_server_refuses_is_the_callers(context: Context) -> Outcome {
    item::create(&context).await?;
    let wrong = item::Entity::update_by_id(1).col_expr(item::Column::Qty, Expr::cust("qty + + AND"));
    context.take_statements();
    let err = wrong.exec(&context.db).await.unwrap_err();
    assert!(matches!(err, Error::Database(_)), "{err:?}");
    // The error is that of the caller's own statement, also where a server may have refused what stood around it: MySQL, for one, knows no such statement.
    let sent = context.take_statements();
    let plain = sent.iter().filter(|sql| sql.starts_with("UPDATE "));
    assert_eq!(plain.count(), 1, "{sent:?}");
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    // It is not taken for a server that knows less.
    context.take_statements();
    take(1, 1).exec(&context.db).await?;
    assert_eq!(context.take_statements().len(), 1);
    Ok(())
}

async fn a_key_may_be_composite_or_text(context: Context) -> Outcome {
    context.create(pair::Entity).await?;
    context.create(by_text::Entity).await?;
    context
        .sql("INSERT INTO pair VALUES (1, 1, 10, 1), (1, 2, 20, 1), (2, 1, 30, 1)")
        .await?;
    context
        .sql("INSERT INTO keyed VALUES ('a', 10, 1), ('b''s', 20, 1)")
        .await?;
    let take_from_pair = |count: i64| {
        pair::Entity::update_by_id((1, 2))
            .col_expr(pair::Column::Qty, Expr::col(pair::Column::Qty).sub(count))
            .filter(pair::Column::Qty.gte(count))
    };
    let row = take_from_pair(15).exec(&context.db).await?;
    assert_eq!((row.left, row.right, row.qty, row.version), (1, 2, 5, 2));
    let err = take_from_pair(15).exec(&context.db).await.unwrap_err();
    assert_eq!(refused(&err)?.key().to_string(), "(1, 2)");
    assert_eq!(context.number("SELECT COUNT(*) FROM pair WHERE version = 1").await?, 2);

    let row = by_text::Entity::update_by_id("b's")
        .col_expr(by_text::Column::Qty, Expr::value(7))
        .exec(&context.db)
        .await?;
    assert_eq!((row.id.as_str(), row.qty, row.version), ("b's", 7, 2));
    assert_eq!(context.number("SELECT COUNT(*) FROM keyed WHERE version = 1").await?, 1);
    Ok(())
}

/// A row with a version of one type is updated, returned as stored, and its old copy is out of date.
macro_rules! advances {
    ($context:expr, $module:ident, $column:expr, $version:expr, $follows:expr) => {{
        use versions::$module::{ActiveModel, Column, Entity, Model};

        let context: &Context = $context;
        versions::create(context, $column).await?;
        // Of this table alone: a server keeps the plans of what a connection has asked before.
        let db = &context.connect(2).await?;
        let new = ActiveModel {
            id: Set(1),
            name: Set("a".to_owned()),
            version: $version,
        };
        let old: Model = new.insert(db).await?;
        let follows = $follows;
        let update = || Entity::update_by_id(1).col_expr(Column::Name, Expr::value("z"));
        let row = update().exec(db).await?;
        assert_eq!(row.name, "z");
        assert!(follows(&old.version, &row.version), "{old:?} {row:?}");
        assert_eq!(Entity::find_by_id(1).one(db).await?.as_ref(), Some(&row));
        assert!(old.touch(db).await.unwrap_err().is_conflict());

        update().exec_without_returning(db).await?;
        let err = row.clone().touch(db).await.unwrap_err();
        let conflict = err.conflict().ok_or_else(|| format!("not a conflict: {err:?}"))?;
        let now = conflict.current::<Model>().ok_or("no row")?;
        assert!(follows(&row.version, &now.version), "{row:?} {now:?}");

        let txn = db.begin().await?;
        let inside = update().exec(&txn).await?;
        assert!(follows(&now.version, &inside.version), "{now:?} {inside:?}");
        txn.commit().await?;
        assert_eq!(inside.touch(db).await?.name, "z");
        context.sql("DROP TABLE doc").await?;
    }};
}

async fn counters_advance_by_one(context: Context) -> Outcome {
    let unsigned = context.backend.pick("INTEGER", "INTEGER", "INTEGER UNSIGNED");
    advances!(&context, by_i16, "SMALLINT", NotSet, |a: &i16, b: &i16| *b == a + 1);
    advances!(&context, by_i16, "SMALLINT", Set(-3), |a: &i16, b: &i16| *b == a + 1);
    advances!(&context, by_i32, "INTEGER", NotSet, |a: &i32, b: &i32| *b == a + 1);
    advances!(&context, by_i64, "BIGINT", NotSet, |a: &i64, b: &i64| *b == a + 1);
    advances!(&context, by_u32, unsigned, NotSet, |a: &u32, b: &u32| *b == a + 1);
    advances!(
        &context,
        by_newtype,
        "BIGINT",
        NotSet,
        |a: &versions::Revision, b: &versions::Revision| b.0 == a.0 + 1
    );
    if context.backend.expected().has_u64 {
        let high = u64::MAX - 9;
        advances!(&context, by_u64, "BIGINT UNSIGNED", Set(high), |a: &u64, b: &u64| *b
            == a + 1);
    }
    Ok(())
}

async fn tokens_are_new(context: Context) -> Outcome {
    let column = context.backend.pick("BLOB", "UUID", "BINARY(16)");
    advances!(&context, by_uuid, column, NotSet, |a: &Uuid, b: &Uuid| a != b);
    Ok(())
}

async fn timestamps_advance_where_the_database_can_count(context: Context) -> Outcome {
    if !context.backend.expected().advances_timestamps {
        use versions::by_utc::Entity;

        versions::create(&context, "TEXT").await?;
        context.take_statements();
        for err in [
            Entity::update_by_id(1).exec(&context.db).await.map(drop).unwrap_err(),
            Entity::update_by_id(1)
                .exec_without_returning(&context.db)
                .await
                .map(drop)
                .unwrap_err(),
        ] {
            let Error::Unsupported(unsupported) = &err else {
                return Err(format!("not unsupported: {err:?}").into());
            };
            assert_eq!(
                unsupported.operation(),
                "update_by_id of an entity whose version is a timestamp"
            );
        }
        assert_eq!(context.take_statements(), [""; 0]);
        return Ok(());
    }
    let zoned = context.backend.pick("", "TIMESTAMPTZ", "TIMESTAMP(6)");
    let naive = context.backend.pick("", "TIMESTAMP", "DATETIME(6)");
    let millis = context.backend.pick("", "TIMESTAMP(3)", "DATETIME(3)");
    advances!(&context, by_utc, zoned, NotSet, |a: &DateTimeUtc, b: &DateTimeUtc| a
        < b);
    advances!(&context, by_naive, naive, NotSet, |a: &DateTime, b: &DateTime| a < b);
    advances!(
        &context,
        by_offset,
        zoned,
        NotSet,
        |a: &DateTimeWithTimeZone, b: &DateTimeWithTimeZone| a < b
    );
    advances!(
        &context,
        by_time_primitive,
        naive,
        NotSet,
        |a: &TimeDateTime, b: &TimeDateTime| a < b
    );
    advances!(&context, by_millis, millis, NotSet, |a: &DateTime, b: &DateTime| a < b);
    Ok(())
}

/// The row is written and returned within the transaction, and nobody else sees it.
async fn writes_within<C: ModifyIn>(context: &Context, txn: &C) -> Result<(), Error> {
    let row = take(1, 4).exec(txn).await?;
    assert_eq!((row.name.as_str(), row.qty, row.version), ("a", 6, 2));
    take(1, 1).exec_without_returning(txn).await?;
    let err = take(1, 6).exec(txn).await.unwrap_err();
    let Error::Refused(refused) = &err else { return Err(err) };
    assert_eq!(
        refused.current::<item::Model>().map(|row| (row.qty, row.version)),
        Some((5, 3))
    );
    let sees = context.other.query_one(item::Entity::find_by_id(1).as_query()).await?;
    assert_eq!(sees.map(|row| row.try_get::<i64>("", "qty")).transpose()?, Some(10));
    Ok(())
}

async fn in_a_transaction_of_seaorm_it_is_undone_with_it(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    writes_within(&context, &txn).await?;
    txn.rollback().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    let txn = context.db.begin().await?;
    writes_within(&context, &txn).await?;
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 5, 3));
    Ok(())
}

async fn in_a_transaction_of_ours_it_is_undone_with_it(context: Context) -> Outcome {
    item::create(&context).await?;
    let undone = optlock::transaction(&context.db, |txn: Txn| {
        let context = &context;
        async move {
            writes_within(context, &txn).await?;
            Err::<(), _>(Error::from(DbErr::Custom("undo".to_owned())))
        }
    });
    assert!(undone.await.is_err());
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    let done = optlock::transaction(&context.db, |txn: Txn| {
        let context = &context;
        async move { writes_within(context, &txn).await }
    });
    done.await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 5, 3));
    Ok(())
}

async fn in_a_savepoint_it_is_undone_with_it(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = optlock::transaction(&context.db, |txn: Txn| {
        let context = &context;
        async move {
            let savepoint = txn.begin().await?;
            writes_within(context, &savepoint).await?;
            sea_orm::TransactionSession::rollback(savepoint).await?;
            take(1, 1).exec(&txn).await
        }
    });
    assert_eq!(row.await?.qty, 9);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 9, 2));
    Ok(())
}

async fn a_refusal_leaves_the_transaction_usable(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    refused(&take(1, 11).exec(&txn).await.unwrap_err())?;
    assert!(matches!(take(98, 1).exec(&txn).await, Err(Error::MissingRows(_))));
    take(2, 1).exec(&txn).await?;
    txn.commit().await?;
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 19, 2));
    Ok(())
}

async fn rows_that_share_a_key_are_reported(context: Context) -> Outcome {
    context
        .sql("CREATE TABLE item (id BIGINT NOT NULL, name VARCHAR(50), qty BIGINT, version BIGINT NOT NULL)")
        .await?;
    context
        .sql("INSERT INTO item VALUES (1, 'a', 10, 1), (1, 'b', 10, 1), (2, 'c', 10, 1)")
        .await?;
    for err in [
        take(1, 1).exec(&context.db).await.map(drop).unwrap_err(),
        take(1, 1)
            .exec_without_returning(&context.db)
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        let Error::TooManyRows(several) = &err else {
            return Err(format!("not too many: {err:?}").into());
        };
        assert_eq!((several.rows(), several.operation()), (2, Operation::UpdateById));
    }
    // As the error says, they were written.
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE qty = 8").await?, 2);
    Ok(())
}

async fn no_policy_repeats_a_refusal(context: Context) -> Outcome {
    item::create(&context).await?;
    let report = Report::new();
    let policy = Policy::new().idempotent().report(&report);
    let sale = policy.retry(|| take(1, 11).exec(&context.db)).await;
    refused(&sale.unwrap_err())?;
    assert_eq!((report.attempts(), report.fault()), (1, Some(Fault::Blocked)));
    Ok(())
}

async fn a_pool_of_one_is_enough(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect_impatiently(1).await?;
    assert_eq!(take(1, 1).exec(&db).await?.qty, 9);
    refused(&take(1, 11).exec(&db).await.unwrap_err())?;
    assert!(matches!(take(98, 1).exec(&db).await, Err(Error::MissingRows(_))));
    let (one, two) = tokio::join!(take(2, 1).exec(&db), take(2, 1).exec(&db));
    assert_eq!(one?.qty + two?.qty, 19 + 18);
    Ok(())
}

async fn two_hundred_buyers_of_a_hundred_are_told_apart(context: Context) -> Outcome {
    item::create(&context).await?;
    context.sql("UPDATE item SET qty = 100 WHERE id = 1").await?;
    let db = context.connect(context.backend.pick(4, 16, 16)).await?;
    let start = Arc::new(Barrier::new(32));
    let mut tasks = JoinSet::new();
    for task in 0..32 {
        let (db, start) = (db.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            let mut bought = Vec::new();
            let mut refusals = Vec::new();
            for _ in 0..(200 / 32 + usize::from(task < 200 % 32)) {
                match take(1, 1).exec(&db).await {
                    Ok(row) => bought.push(row),
                    Err(Error::Refused(refused)) => refusals.push(refused),
                    Err(err) => return Err(err),
                }
            }
            Ok((bought, refusals))
        });
    }
    let (mut versions, mut refusals) = (BTreeSet::new(), 0);
    while let Some(result) = tasks.join_next().await {
        let (bought, refused) = result??;
        for row in bought {
            // Each buyer has the row as it was after its own purchase, and nobody else's.
            assert_eq!(row.qty, 100 - (row.version - 1), "{row:?}");
            assert!(versions.insert(row.version), "{row:?} was sold twice");
        }
        for refused in refused {
            refusals += 1;
            let row = refused.current::<item::Model>().ok_or("no row")?;
            assert_eq!((row.qty, row.version), (0, 101));
        }
    }
    assert!(versions.into_iter().eq(2..=101), "the versions have a gap");
    assert_eq!(refusals, 100);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 0, 101));
    Ok(())
}

async fn dropped_at_any_point_it_is_done_or_not_done(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let mut half_way = 0;
    for times in (1..12).cycle().take(66) {
        let before = item::Entity::find_by_id(3).one(&db).await?.ok_or("no row")?;
        let add = item::Entity::update_by_id(3).col_expr(item::Column::Qty, Expr::col(item::Column::Qty).add(1));
        let result = poll_times(add.exec(&db), times).await;
        // The only connection is there for the next caller, is in no transaction, and the row is whole.
        let after = item::Entity::find_by_id(3).one(&db).await?.ok_or("no row")?;
        let is_done = (after.qty, after.version) == (before.qty + 1, before.version + 1);
        assert!(
            is_done || after == before,
            "dropped after {times} polls: {before:?} {after:?}"
        );
        assert_eq!(stored(&context, 3).await?.2, after.version, "it is committed");
        match result {
            Some(result) => assert_eq!(result?, after),
            None => half_way += 1,
        }
    }
    assert!(half_way > 0, "no update was dropped half-way: the case shows nothing");
    Ok(())
}

async fn it_runs_in_spawned_tasks(context: Context) -> Outcome {
    async fn sell<C: ModifyIn>(db: &C, id: &str) -> Result<item::Model, Error> {
        let id = id.parse::<i64>().map_err(|err| DbErr::Custom(err.to_string()))?;
        take(id, 1).exec_without_returning(db).await?;
        take(id, 1).exec(db).await
    }

    item::create(&context).await?;
    let db = context.db.clone();
    let row = tokio::spawn(async move { sell(&db, &String::from("1")).await }).await??;
    assert_eq!((row.qty, row.version), (8, 3));
    Ok(())
}

async fn a_trigger_that_holds_it_back_is_a_refusal(context: Context) -> Outcome {
    item::create(&context).await?;
    for statement in context.backend.pick(
        &["CREATE TRIGGER t BEFORE UPDATE ON item BEGIN SELECT RAISE(IGNORE); END"][..],
        &[
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
            "CREATE TRIGGER t BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION swallow()",
        ][..],
        &[],
    ) {
        context.sql(statement).await?;
    }
    let err = take(1, 1).exec(&context.db).await.unwrap_err();
    assert_eq!(refused(&err)?.current::<item::Model>().map(|row| row.qty), Some(10));
    Ok(())
}

async fn above_read_committed_a_rivals_change_is_a_serialization_failure(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context
        .db
        .begin_with_config(Some(IsolationLevel::RepeatableRead), None)
        .await?;
    item::Entity::find_by_id(1).one(&txn).await?;
    take(1, 1).exec(&context.other).await?;
    let err = take(1, 1).exec(&txn).await.unwrap_err();
    assert!(matches!(err, Error::Database(_)), "{err:?}");
    assert!(err.is_conflict());
    txn.rollback().await?;
    assert_eq!(stored(&context, 1).await?.1, 9);
    Ok(())
}

async fn the_condition_is_asked_of_the_row_that_a_rival_has_committed(context: Context) -> Outcome {
    item::create(&context).await?;
    for (count, left) in [(4, Some(0)), (7, None)] {
        context
            .sql("UPDATE item SET qty = 10, version = 1 WHERE id = 1")
            .await?;
        let rival = context.other.begin().await?;
        take(1, count).exec(&rival).await?;
        let waiting = tokio::spawn({
            let db = context.db.clone();
            async move { take(1, 6).exec(&db).await }
        });
        wait::until_blocked(&context).await?;
        rival.commit().await?;
        match (waiting.await?, left) {
            (Ok(row), Some(left)) => assert_eq!((row.qty, row.version), (left, 3)),
            (Err(err), None) => {
                let current = refused(&err)?.current::<item::Model>();
                assert_eq!(current.map(|row| (row.qty, row.version)), Some((3, 2)));
            }
            (outcome, _) => return Err(format!("{outcome:?}").into()),
        }
    }
    Ok(())
}

async fn a_refusal_shows_the_newest_row_and_no_snapshot(context: Context) -> Outcome {
    item::create(&context).await?;
    // The default of each server: READ COMMITTED, and REPEATABLE READ.
    let txn = context.db.begin().await?;
    load_in(&txn).await?;
    take(1, 7).exec(&context.other).await?;
    let err = take(1, 7).exec(&txn).await.unwrap_err();
    let current = refused(&err)?.current::<item::Model>();
    assert_eq!(current.map(|row| (row.qty, row.version)), Some((3, 2)));
    // What is written on top of the rival's change is returned with it.
    let row = take(1, 1).exec(&txn).await?;
    assert_eq!((row.qty, row.version), (2, 3));
    txn.commit().await?;
    Ok(())
}

async fn load_in<C: ConnectionTrait>(db: &C) -> Outcome {
    let row = item::Entity::find_by_id(1).one(db).await?.ok_or("no row")?;
    assert_eq!(row.qty, 10);
    Ok(())
}

/// The time limit ends the statement while it waits, and what would end the transaction in it does not run any more.
async fn a_statement_that_is_killed_leaves_no_transaction_open(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    db.execute_unprepared("SET SESSION max_statement_time = 0.3").await?;
    let rival = context.other.begin().await?;
    take(1, 1).exec(&rival).await?;
    let err = take(1, 1).exec(&db).await.unwrap_err();
    assert_eq!(err.fault(), Some(Fault::Cancelled), "{err:?}");
    rival.rollback().await?;
    // What comes next on this connection is committed on its own.
    take(2, 1).exec_without_returning(&db).await?;
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 19, 2));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

/// MySQL has no compound statements outside of programs, and one with a semicolon in it is never made part of one.
async fn what_cannot_be_one_statement_is_a_transaction(context: Context) -> Outcome {
    item::create(&context).await?;
    let plain = || take(1, 4).filter(Expr::cust("1 /* ; */ = 1"));
    context.take_statements();
    let row = plain().exec(&context.db).await?;
    let sent = context.take_statements();
    assert_eq!((row.qty, row.version), (6, 2));
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(
        sent[0].starts_with("UPDATE ") && sent[1].starts_with("SELECT "),
        "{sent:?}"
    );
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 6, 2));
    plain().exec(&context.db).await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 2, 3));
    let err = plain().exec(&context.db).await.unwrap_err();
    assert_eq!(refused(&err)?.current::<item::Model>().map(|row| row.qty), Some(2));
    let missing = take(98, 1).filter(Expr::cust("1 /* ; */ = 1")).exec(&context.db).await;
    assert!(matches!(missing, Err(Error::MissingRows(_))), "{missing:?}");
    Ok(())
}

/// A lock is held for a round trip at least; the statement is not.
async fn thirty_two_tasks_are_faster_than_with_locks(context: Context) -> Outcome {
    item::create(&context).await?;
    context.sql("UPDATE item SET qty = 1000000").await?;
    let db = context.connect(32).await?;
    let race = |locks: bool| {
        let db = db.clone();
        async move {
            let start = Arc::new(Barrier::new(33));
            let mut tasks = JoinSet::new();
            for _ in 0..32 {
                let (db, start) = (db.clone(), Arc::clone(&start));
                tasks.spawn(async move {
                    start.wait().await;
                    for _ in 0..20 {
                        if locks {
                            let txn = db.begin().await?;
                            let row = item::Entity::find_by_id(1).for_update().one(&txn).await?;
                            let row = row.ok_or_else(|| DbErr::RecordNotFound("the row".to_owned()))?;
                            row.update(|row| row.qty -= 1).await?;
                            txn.commit().await?;
                        } else {
                            take(1, 1).exec(&db).await?;
                        }
                    }
                    Ok::<_, Error>(())
                });
            }
            start.wait().await;
            let begun = Instant::now();
            while let Some(result) = tasks.join_next().await {
                result??;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(begun.elapsed().as_secs_f64())
        }
    };
    race(false).await?;
    race(true).await?;
    let mut best = [f64::INFINITY; 2];
    for _ in 0..6 {
        best[0] = best[0].min(race(false).await?);
        best[1] = best[1].min(race(true).await?);
        // What else the machine does makes a time longer and never shorter.
        if best[0] * 1.2 <= best[1] {
            break;
        }
    }
    let ratio = best[1] / best[0];
    println!("{best:?}: {ratio:.2} times the throughput of locks");
    assert!(ratio >= 1.2, "{best:?}: {ratio:.2} times the throughput of locks");
    Ok(())
}

/// Items whose names the entity cannot hold.
async fn create_without_names(context: &Context) -> Outcome {
    context
        .sql(
            "CREATE TABLE item (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50), qty BIGINT, version BIGINT NOT NULL)",
        )
        .await?;
    context.sql("INSERT INTO item VALUES (1, NULL, 10, 1)").await?;
    Ok(())
}

async fn a_row_that_cannot_be_decoded_was_written(context: Context) -> Outcome {
    create_without_names(&context).await?;
    let txn = context.other.begin().await?;
    for (err, operation) in [
        (take(1, 1).exec(&context.db).await.unwrap_err(), Operation::UpdateById),
        (take(1, 1).exec(&txn).await.unwrap_err(), Operation::UpdateById),
    ] {
        let Error::Unread(unread) = &err else {
            return Err(format!("not unread: {err:?}").into());
        };
        assert_eq!(
            (unread.key().to_string(), unread.operation()),
            ("1".to_owned(), operation)
        );
        assert_eq!(unread.version().get::<i64>(), None, "nobody knows it");
        assert!(std::error::Error::source(unread).is_some(), "it says why");
        assert_eq!(optlock::fault(&err), Fault::Other);
    }
    txn.commit().await?;
    assert_eq!(context.number("SELECT qty FROM item").await?, 8);
    Ok(())
}

async fn a_read_that_fails_in_a_transaction_of_its_own_takes_the_write_along(context: Context) -> Outcome {
    create_without_names(&context).await?;
    let in_three = take(1, 1).filter(Expr::cust("1 /* ; */ = 1"));
    let err = in_three.exec(&context.db).await.unwrap_err();
    assert!(matches!(err, Error::Database(_)), "{err:?}");
    assert_eq!(context.number("SELECT qty FROM item").await?, 10);
    Ok(())
}

async fn a_timestamp_that_its_column_cuts_is_reported(context: Context) -> Outcome {
    use versions::by_utc::{Column, Entity};

    versions::create(&context, context.backend.pick("", "TIMESTAMPTZ", "TIMESTAMP(0)")).await?;
    for statement in context.backend.pick(
        &[][..],
        &[
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NEW.version = date_trunc('second', NEW.version); RETURN NEW; END $$",
            "CREATE TRIGGER t BEFORE UPDATE ON doc FOR EACH ROW EXECUTE FUNCTION cut()",
        ][..],
        &[][..],
    ) {
        context.sql(statement).await?;
    }
    context
        .sql("INSERT INTO doc VALUES (1, 'a', '2020-01-01 00:00:00')")
        .await?;
    let update = || Entity::update_by_id(1).col_expr(Column::Name, Expr::value("z"));
    let err = update().exec(&context.db).await.unwrap_err();
    let Error::Imprecise(imprecise) = &err else {
        return Err(format!("not imprecise: {err:?}").into());
    };
    assert_eq!(
        (imprecise.table(), imprecise.key().to_string(), imprecise.operation()),
        ("doc", "1".to_owned(), Operation::UpdateById)
    );
    // As the error says, it was written.
    assert_eq!(context.number("SELECT COUNT(*) FROM doc WHERE name = 'z'").await?, 1);
    update().exec_without_returning(&context.db).await?;
    Ok(())
}

/// A statement that is killed while it commits, or right after, fails as one that has done nothing.
/// A sample: most of the kills come before the commit, and whether one comes within it depends on the machine.
async fn a_write_that_is_reported_as_not_done_is_not_stored(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let add = || item::Entity::update_by_id(3).col_expr(item::Column::Qty, Expr::col(item::Column::Qty).add(1));
    let begun = Instant::now();
    for _ in 0..20 {
        add().exec(&db).await?;
    }
    let whole = begun.elapsed() / 20;
    let (mut not_done, mut unknown) = (0, 0);
    for round in 0..1500_u32 {
        let (_, before, _) = stored(&context, 3).await?;
        // The kill of the last round may come late.
        let id = loop {
            let question =
                sea_orm::Statement::from_string(db.get_database_backend(), "SELECT CAST(CONNECTION_ID() AS SIGNED)");
            if let Ok(Some(row)) = db.query_one_raw(question).await {
                break row.try_get_by_index::<i64>(0)?;
            }
        };
        let kill = async {
            let begun = Instant::now();
            while begun.elapsed() < whole * (round % 100) / 100 {
                tokio::task::yield_now().await;
            }
            context.sql(&format!("KILL QUERY {id}")).await
        };
        let (outcome, killed) = tokio::join!(add().exec(&db), kill);
        killed?;
        let (_, after, _) = stored(&context, 3).await?;
        match outcome {
            Ok(row) => assert_eq!((row.qty, after), (before + 1, before + 1)),
            Err(Error::OutcomeUnknown(_)) => unknown += 1,
            Err(err) => {
                assert_eq!(after, before, "it is stored, in spite of {err:?}");
                not_done += 1;
            }
        }
    }
    println!("{not_done} were not done, of {unknown} it is not known");
    assert!(
        not_done + unknown > 0,
        "no update was killed half-way: the case shows nothing"
    );
    Ok(())
}

async fn a_refusal_is_one_though_its_row_cannot_be_read(context: Context) -> Outcome {
    create_without_names(&context).await?;
    let too_many = || take(1, 100);
    for update in [too_many(), too_many().filter(Expr::cust("1 /* ; */ = 1"))] {
        let err = update.exec(&context.db).await.unwrap_err();
        let refused = refused(&err)?;
        assert_eq!(refused.current::<item::Model>(), None);
        assert!(std::error::Error::source(refused).is_some(), "it says why");
        assert_eq!(optlock::fault(&err), Fault::Blocked);
    }
    assert_eq!(context.number("SELECT qty FROM item").await?, 10);
    Ok(())
}
