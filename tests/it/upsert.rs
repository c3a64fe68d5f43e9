//! Upserts.

use std::sync::Arc;

use optlock::prelude::*;
use optlock::{Conflict, Error, Fault, Found, Operation, Txn, Upserted};
use sea_orm::{ActiveValue, IsolationLevel, TransactionTrait};
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
    a_row_that_is_not_there_is_inserted_at_the_first_version,
    a_row_at_the_version_is_updated_with_what_is_set,
    a_row_at_another_version_is_a_conflict,
    a_row_that_was_not_expected_is_a_conflict,
    a_row_that_was_deleted_is_inserted_past_the_version_that_was_seen,
    a_key_that_is_not_set_is_refused_before_any_sql,
    a_zero_that_stands_for_the_next_key_is_refused_before_any_sql,
    the_last_version_is_refused_before_any_sql,
    with_nothing_set_the_version_advances,
    an_insert_a_change_and_the_same_again_are_told_apart,
    another_constraint_is_its_own_error,
    what_else_is_wrong_with_the_row_is_its_error_at_once,
    a_conflict_leaves_the_transaction_usable,
    it_is_undone_with_its_transaction,
    every_type_of_version_is_checked,
    a_key_may_be_composite_or_text,
    of_many_who_expect_no_row_one_inserts,
    of_many_who_have_seen_a_row_that_is_gone_one_inserts,
    of_many_who_have_seen_the_row_one_updates,
    of_many_transactions_one_inserts,
    dropped_at_any_point_it_is_done_or_not_done,
    it_runs_in_spawned_tasks;
    SQLITE: an_insert_that_a_trigger_swallowed_is_an_error;
    POSTGRES: an_insert_that_a_trigger_swallowed_is_an_error,
    a_row_that_the_snapshot_does_not_show_is_a_conflict;
    SERVERS: a_row_that_a_rival_commits_meanwhile_is_a_conflict,
    a_row_that_a_rival_rolls_back_is_inserted,
    a_version_that_its_column_rounds_is_reported_and_no_conflict;
    POSTGRES: a_row_that_a_rival_commits_at_the_expected_version_is_found_as_it_is;
    MARIADB: a_row_that_a_rival_has_deleted_again_is_inserted;
];

fn row(id: i64, name: &str, qty: i64, version: ActiveValue<i64>) -> item::ActiveModel {
    item::ActiveModel {
        id: Set(id),
        name: Set(name.to_owned()),
        qty: Set(qty),
        version,
    }
}

fn conflict(err: &Error) -> Result<&Conflict, String> {
    err.conflict().ok_or_else(|| format!("not a conflict: {err:?}"))
}

async fn a_row_that_is_not_there_is_inserted_at_the_first_version(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let new = row(8, "new", 5, NotSet);
    let Upserted::Inserted(inserted) = item::Entity::upsert(new).exec(&context.db).await? else {
        return Err("it was not there".into());
    };
    assert_eq!(context.take_statements().len(), 1, "one round trip");
    assert_eq!((inserted.id, inserted.qty, inserted.version), (8, 5, 1));
    assert_eq!(load(&context, 8).await?, inserted);
    // Columns that are not written by an update are written by an insert.
    let unchanged = item::ActiveModel {
        qty: Unchanged(7),
        ..row(9, "nine", 0, NotSet)
    };
    assert_eq!(
        item::Entity::upsert(unchanged)
            .exec(&context.db)
            .await?
            .into_model()
            .qty,
        7
    );
    Ok(())
}

async fn a_row_at_the_version_is_updated_with_what_is_set(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let Upserted::Updated(updated) = item::Entity::upsert(row(1, "x", 5, Set(1))).exec(&context.db).await? else {
        return Err("it was there".into());
    };
    assert!(context.take_statements().len() <= context.backend.pick(1, 1, 2));
    assert_eq!((updated.name.as_str(), updated.qty, updated.version), ("x", 5, 2));
    assert_eq!(load(&context, 1).await?, updated);

    // A model that was read: its version is unchanged, and so is what was not touched.
    let mut change = updated.into_active_model();
    change.qty = Set(6);
    context.sql("UPDATE item SET name = 'raw' WHERE id = 1").await?;
    let upserted = item::Entity::upsert(change).exec(&context.db).await?;
    assert!(!upserted.is_inserted());
    assert_eq!(stored(&context, 1).await?, ("raw".to_owned(), 6, 3));
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 2);
    Ok(())
}

async fn a_row_at_another_version_is_a_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    let current = load(&context, 1).await?.touch(&context.db).await?;
    for (version, text) in [(1, "1"), (3, "3"), (-1, "-1")] {
        let upsert = item::Entity::upsert(row(1, "x", 5, Set(version)));
        let err = upsert.exec(&context.db).await.unwrap_err();
        let conflict = conflict(&err)?;
        assert_eq!((conflict.table(), conflict.operation()), ("item", Operation::Upsert));
        assert_eq!(conflict.expected().get::<i64>(), Some(version));
        assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
        assert_eq!(conflict.current::<item::Model>(), Some(&current));
        assert_eq!(
            err.to_string(),
            format!("upsert of item 1 at version {text} conflicts: the row is at version 2")
        );
        assert_eq!(optlock::fault(&err), Fault::Stale);
    }
    assert_eq!(load(&context, 1).await?, current);
    Ok(())
}

async fn a_row_that_was_not_expected_is_a_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    let current = load(&context, 1).await?.touch(&context.db).await?;
    let err = item::Entity::upsert(row(1, "x", 5, NotSet))
        .exec(&context.db)
        .await
        .unwrap_err();
    let conflict = conflict(&err)?;
    assert_eq!(
        (conflict.expected().get::<i64>(), conflict.key().to_string()),
        (None, "1".to_owned())
    );
    assert_eq!(*conflict.expected().value(), Value::BigInt(None));
    assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
    assert_eq!(conflict.current::<item::Model>(), Some(&current));
    assert_eq!(
        err.to_string(),
        "upsert of item 1, which was expected not to be there, conflicts: the row is at version 2"
    );
    assert_eq!((optlock::fault(&err), err.is_conflict()), (Fault::Stale, true));
    assert_eq!(load(&context, 1).await?, current);
    Ok(())
}

async fn a_row_that_was_deleted_is_inserted_past_the_version_that_was_seen(context: Context) -> Outcome {
    item::create(&context).await?;
    let old = load(&context, 1).await?;
    let seen = old.clone().touch(&context.db).await?;
    seen.clone().delete(&context.db).await?;
    let mut change = seen.clone().into_active_model();
    change.qty = Set(5);
    let upserted = item::Entity::upsert(change).exec(&context.db).await?;
    assert!(upserted.is_inserted());
    let row = upserted.into_model();
    assert_eq!((row.name.as_str(), row.qty, row.version), ("a", 5, 3));
    assert_eq!(load(&context, 1).await?, row);
    // Nobody's copy from before passes for current.
    assert!(old.touch(&context.db).await.unwrap_err().is_conflict());
    assert!(seen.touch(&context.db).await.unwrap_err().is_conflict());
    Ok(())
}

async fn a_key_that_is_not_set_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    context.create(pair::Entity).await?;
    context.take_statements();
    for version in [NotSet, Set(1)] {
        let upsert = item::Entity::upsert(item::ActiveModel {
            id: NotSet,
            ..row(0, "x", 5, version)
        });
        let err = upsert.exec(&context.db).await.unwrap_err();
        assert_eq!(err.to_string(), "upsert of item needs `id`, which is `NotSet`");
        assert!(matches!(err, Error::NotSet(_)), "{err:?}");
    }
    let half = pair::ActiveModel {
        left: Set(1),
        qty: Set(1),
        ..Default::default()
    };
    let half = pair::Entity::upsert(half).exec(&context.db).await;
    assert!(matches!(half, Err(Error::NotSet(_))), "{half:?}");
    assert_eq!(context.take_statements(), [""; 0]);
    Ok(())
}

async fn the_last_version_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let err = item::Entity::upsert(row(1, "x", 5, Set(i64::MAX)))
        .exec(&context.db)
        .await
        .unwrap_err();
    let Error::Overflow(overflow) = &err else {
        return Err(format!("not an overflow: {err:?}").into());
    };
    assert_eq!(overflow.operation(), Operation::Upsert);
    assert_eq!(context.take_statements(), [""; 0]);
    Ok(())
}

async fn with_nothing_set_the_version_advances(context: Context) -> Outcome {
    item::create(&context).await?;
    let model = load(&context, 1).await?.into_active_model();
    let upserted = item::Entity::upsert(model).exec(&context.db).await?;
    assert!(!upserted.is_inserted());
    assert_eq!(upserted.into_model().version, 2);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 2));
    Ok(())
}

/// By its own upsert, MariaDB reports these as one, two and one rows, or two: counts that mean nothing here.
async fn an_insert_a_change_and_the_same_again_are_told_apart(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    let inserted = item::Entity::upsert(row(1, "a", 10, NotSet)).exec(&context.db).await?;
    assert!(inserted.is_inserted());
    let changed = item::Entity::upsert(row(1, "a", 11, Set(1))).exec(&context.db).await?;
    let Upserted::Updated(changed) = changed else {
        return Err("it was there".into());
    };
    assert_eq!(changed.version, 2);
    let same = item::Entity::upsert(row(1, "a", 11, Set(2))).exec(&context.db).await?;
    let Upserted::Updated(same) = same else {
        return Err("it was there".into());
    };
    assert_eq!((same.qty, same.version), (11, 3));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 3));
    Ok(())
}

async fn another_constraint_is_its_own_error(context: Context) -> Outcome {
    item::create(&context).await?;
    for upsert in [row(8, "a", 5, NotSet), row(8, "a", 5, Set(1)), row(2, "a", 5, Set(1))] {
        let err = item::Entity::upsert(upsert.clone())
            .exec(&context.db)
            .await
            .unwrap_err();
        assert!(
            matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))),
            "{err:?}"
        );
        assert!(!err.is_conflict());
        let txn = context.db.begin().await?;
        let err = item::Entity::upsert(upsert).exec(&txn).await.unwrap_err();
        assert!(
            matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))),
            "{err:?}"
        );
        txn.rollback().await?;
    }
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 3);
    Ok(())
}

async fn a_conflict_leaves_the_transaction_usable(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    for upsert in [row(1, "x", 5, NotSet), row(1, "x", 5, Set(2))] {
        let err = item::Entity::upsert(upsert).exec(&txn).await.unwrap_err();
        assert_eq!(*conflict(&err)?.found(), Found::Changed { version: 1_i64.into() });
    }
    assert!(
        item::Entity::upsert(row(8, "new", 5, NotSet))
            .exec(&txn)
            .await?
            .is_inserted()
    );
    assert!(
        item::Entity::upsert(row(9, "old", 5, Set(4)))
            .exec(&txn)
            .await?
            .is_inserted()
    );
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    assert_eq!((stored(&context, 8).await?.2, stored(&context, 9).await?.2), (1, 5));
    Ok(())
}

async fn it_is_undone_with_its_transaction(context: Context) -> Outcome {
    item::create(&context).await?;
    let undone = optlock::transaction(&context.db, |txn: Txn| async move {
        item::Entity::upsert(row(8, "new", 5, NotSet)).exec(&txn).await?;
        let savepoint = txn.begin().await?;
        item::Entity::upsert(row(1, "x", 5, Set(1))).exec(&savepoint).await?;
        sea_orm::TransactionSession::commit(savepoint).await?;
        Err::<(), _>(Error::from(DbErr::Custom("undo".to_owned())))
    });
    assert!(undone.await.is_err());
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 3);
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 3);
    Ok(())
}

/// Every answer, with a version of one type.
macro_rules! every_answer {
    ($context:expr, $module:ident, $column:expr, $follows:expr) => {{
        use versions::$module::{ActiveModel, Entity, Model};

        let context: &Context = $context;
        versions::create(context, $column).await?;
        // Of this table alone: a server keeps the plans of what a connection has asked before.
        let db = &context.connect(2).await?;
        let follows = $follows;
        let new = |version| {
            Entity::upsert(ActiveModel {
                id: Set(1),
                name: Set("a".to_owned()),
                version,
            })
        };
        let Upserted::Inserted(first) = new(NotSet).exec(db).await? else {
            return Err("it was not there".into());
        };
        let Upserted::Updated(second) = new(Set(first.version.clone())).exec(db).await? else {
            return Err("it was there".into());
        };
        assert!(follows(&first.version, &second.version), "{first:?} {second:?}");
        assert_eq!(Entity::find_by_id(1).one(db).await?.as_ref(), Some(&second));
        for version in [NotSet, Set(first.version.clone())] {
            let err = new(version).exec(db).await.unwrap_err();
            let found = Found::Changed {
                version: second.version.clone().into(),
            };
            assert_eq!(*conflict(&err)?.found(), found);
            assert_eq!(conflict(&err)?.current::<Model>(), Some(&second));
        }
        second.clone().delete(db).await?;
        let Upserted::Inserted(third) = new(Set(second.version.clone())).exec(db).await? else {
            return Err("it was not there".into());
        };
        assert!(follows(&second.version, &third.version), "{second:?} {third:?}");
        assert_eq!(Entity::find_by_id(1).one(db).await?.as_ref(), Some(&third));
        assert!(second.touch(db).await.unwrap_err().is_conflict());
        context.sql("DROP TABLE doc").await?;
    }};
}

async fn every_type_of_version_is_checked(context: Context) -> Outcome {
    let unsigned = context.backend.pick("INTEGER", "INTEGER", "INTEGER UNSIGNED");
    let token = context.backend.pick("BLOB", "UUID", "BINARY(16)");
    let zoned = context.backend.pick("TEXT", "TIMESTAMPTZ", "TIMESTAMP(6)");
    let naive = context.backend.pick("TEXT", "TIMESTAMP", "DATETIME(6)");
    let seconds = context.backend.pick("TEXT", "TIMESTAMP(0)", "DATETIME");
    every_answer!(&context, by_i16, "SMALLINT", |a: &i16, b: &i16| *b == a + 1);
    every_answer!(&context, by_i32, "INTEGER", |a: &i32, b: &i32| *b == a + 1);
    every_answer!(&context, by_i64, "BIGINT", |a: &i64, b: &i64| *b == a + 1);
    every_answer!(&context, by_u32, unsigned, |a: &u32, b: &u32| *b == a + 1);
    every_answer!(
        &context,
        by_newtype,
        "BIGINT",
        |a: &versions::Revision, b: &versions::Revision| b.0 == a.0 + 1
    );
    if context.backend.expected().has_u64 {
        every_answer!(&context, by_u64, "BIGINT UNSIGNED", |a: &u64, b: &u64| *b == a + 1);
    } else {
        let new = versions::by_u64::ActiveModel {
            id: Set(1),
            name: Set("a".to_owned()),
            version: NotSet,
        };
        context.take_statements();
        let refused = versions::by_u64::Entity::upsert(new).exec(&context.db).await;
        assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
        assert_eq!(context.take_statements(), [""; 0]);
    }
    every_answer!(&context, by_uuid, token, |a: &Uuid, b: &Uuid| a != b);
    every_answer!(&context, by_utc, zoned, |a: &DateTimeUtc, b: &DateTimeUtc| a < b);
    every_answer!(&context, by_naive, naive, |a: &DateTime, b: &DateTime| a < b);
    every_answer!(
        &context,
        by_time_offset,
        zoned,
        |a: &TimeDateTimeWithTimeZone, b: &TimeDateTimeWithTimeZone| a < b
    );
    every_answer!(&context, by_seconds, seconds, |a: &DateTime, b: &DateTime| a < b);
    Ok(())
}

async fn a_key_may_be_composite_or_text(context: Context) -> Outcome {
    context.create(pair::Entity).await?;
    context.create(by_text::Entity).await?;
    context
        .sql("INSERT INTO pair VALUES (1, 1, 10, 1), (2, 1, 30, 1)")
        .await?;
    let of_pair = |version| pair::ActiveModel {
        left: Set(1),
        right: Set(2),
        qty: Set(5),
        version,
    };
    assert!(
        pair::Entity::upsert(of_pair(NotSet))
            .exec(&context.db)
            .await?
            .is_inserted()
    );
    assert!(
        !pair::Entity::upsert(of_pair(Set(1)))
            .exec(&context.db)
            .await?
            .is_inserted()
    );
    for version in [NotSet, Set(1)] {
        let err = pair::Entity::upsert(of_pair(version))
            .exec(&context.db)
            .await
            .unwrap_err();
        assert_eq!(conflict(&err)?.key().to_string(), "(1, 2)");
    }
    assert_eq!(context.number("SELECT COUNT(*) FROM pair WHERE version = 1").await?, 2);

    let of_text = |version| by_text::ActiveModel {
        id: Set("b's".to_owned()),
        qty: Set(5),
        version,
    };
    assert!(
        by_text::Entity::upsert(of_text(NotSet))
            .exec(&context.db)
            .await?
            .is_inserted()
    );
    let updated = by_text::Entity::upsert(of_text(Set(1))).exec(&context.db).await?;
    assert_eq!(updated.into_model().version, 2);
    assert!(
        by_text::Entity::upsert(of_text(NotSet))
            .exec(&context.db)
            .await
            .unwrap_err()
            .is_conflict()
    );
    Ok(())
}

/// Sixteen tasks store the same row, each with a quantity of its own, and one of them succeeds: which, and how the row was stored.
async fn race(
    context: &Context,
    id: i64,
    version: ActiveValue<i64>,
) -> Result<Upserted<item::Model>, Box<dyn std::error::Error + Send + Sync>> {
    let db = context.connect(context.backend.pick(4, 16, 16)).await?;
    let start = Arc::new(Barrier::new(16));
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let (db, start) = (db.clone(), Arc::clone(&start));
        let upsert = item::Entity::upsert(row(id, &format!("row {id}"), task, version.clone()));
        tasks.spawn(async move {
            start.wait().await;
            upsert.exec(&db).await
        });
    }
    let (mut winner, mut losers) = (None, Vec::new());
    while let Some(result) = tasks.join_next().await {
        match result? {
            Ok(upserted) => assert!(winner.replace(upserted).is_none(), "two have stored the row"),
            Err(err) => losers.push(err),
        }
    }
    let winner = winner.ok_or("nobody has stored the row")?;
    let row = load(context, id).await?;
    assert_eq!(winner.clone().into_model(), row);
    assert_eq!(losers.len(), 15);
    for err in losers {
        let found = Found::Changed {
            version: row.version.into(),
        };
        assert_eq!(*conflict(&err)?.found(), found);
        assert_eq!(conflict(&err)?.current::<item::Model>(), Some(&row));
    }
    Ok(winner)
}

async fn of_many_who_expect_no_row_one_inserts(context: Context) -> Outcome {
    item::create(&context).await?;
    for id in 11..16 {
        let winner = race(&context, id, NotSet).await?;
        assert!(winner.is_inserted());
        assert_eq!(winner.into_model().version, 1);
    }
    Ok(())
}

async fn of_many_who_have_seen_a_row_that_is_gone_one_inserts(context: Context) -> Outcome {
    item::create(&context).await?;
    for id in 11..16 {
        let winner = race(&context, id, Set(4)).await?;
        assert!(winner.is_inserted());
        assert_eq!(winner.into_model().version, 5);
    }
    Ok(())
}

async fn of_many_who_have_seen_the_row_one_updates(context: Context) -> Outcome {
    item::create(&context).await?;
    for version in 1..6 {
        let winner = race(&context, 1, Set(version)).await?;
        assert!(!winner.is_inserted());
        assert_eq!(winner.into_model().version, version + 1);
    }
    Ok(())
}

async fn of_many_transactions_one_inserts(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(context.backend.pick(4, 16, 16)).await?;
    let start = Arc::new(Barrier::new(16));
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let (db, start) = (db.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            let policy = optlock::Policy::new().attempts(1);
            policy
                .transaction(&db, |txn: Txn| async move {
                    let upserted = item::Entity::upsert(row(8, "new", task, NotSet)).exec(&txn).await?;
                    Ok::<_, Error>(upserted.into_model())
                })
                .await
        });
    }
    let mut inserted = Vec::new();
    while let Some(result) = tasks.join_next().await {
        match result? {
            Ok(row) => inserted.push(row),
            // To wait for the lock of the database is not to be told of a row.
            Err(err) if err.fault() == Some(Fault::Busy) => {}
            Err(err) => {
                let found = Found::Changed { version: 1_i64.into() };
                assert_eq!(*conflict(&err)?.found(), found, "{err:?}");
            }
        }
    }
    assert_eq!(inserted, [load(&context, 8).await?]);
    Ok(())
}

async fn dropped_at_any_point_it_is_done_or_not_done(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let mut half_way = 0;
    for times in (1..16).cycle().take(60) {
        for seen in [NotSet, Set(4)] {
            let stored_at = if seen.is_not_set() { 1 } else { 5 };
            let upsert = item::Entity::upsert(row(8, "new", 5, seen));
            let result = poll_times(upsert.exec(&db), times).await;
            let after = item::Entity::find_by_id(8).one(&db).await?;
            match result {
                Some(result) => assert_eq!(Some(result?.into_model()), after),
                None => half_way += 1,
            }
            if let Some(after) = after {
                assert_eq!((after.qty, after.version), (5, stored_at));
                after.delete(&db).await?;
            }
        }
    }
    assert!(half_way > 0, "no upsert was dropped half-way: the case shows nothing");
    Ok(())
}

async fn it_runs_in_spawned_tasks(context: Context) -> Outcome {
    async fn store<C: ConnectionTrait>(db: &C, name: &str) -> Result<item::Model, Error> {
        let inserted = item::Entity::upsert(row(8, name, 5, NotSet))
            .exec(db)
            .await?
            .into_model();
        let again = item::Entity::upsert(inserted.into_active_model()).exec(db).await?;
        Ok(again.into_model())
    }

    item::create(&context).await?;
    let db = context.db.clone();
    let row = tokio::spawn(async move { store(&db, &String::from("new")).await }).await??;
    assert_eq!((row.qty, row.version), (5, 2));
    Ok(())
}

async fn an_insert_that_a_trigger_swallowed_is_an_error(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    for statement in context.backend.pick(
        &["CREATE TRIGGER t BEFORE INSERT ON item BEGIN SELECT RAISE(IGNORE); END"][..],
        &[
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
            "CREATE TRIGGER t BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION swallow()",
        ][..],
        &[],
    ) {
        context.sql(statement).await?;
    }
    for version in [NotSet, Set(1)] {
        let err = item::Entity::upsert(row(1, "a", 5, version))
            .exec(&context.db)
            .await
            .unwrap_err();
        assert!(matches!(DbErr::from(err), DbErr::RecordNotInserted));
    }
    Ok(())
}

async fn a_row_that_the_snapshot_does_not_show_is_a_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    for version in [NotSet, Set(1)] {
        let txn = context
            .db
            .begin_with_config(Some(IsolationLevel::RepeatableRead), None)
            .await?;
        item::Entity::find_by_id(1).one(&txn).await?;
        context
            .sql("INSERT INTO item (id, name, qty, version) VALUES (8, 'theirs', 50, 3)")
            .await?;
        let err = item::Entity::upsert(row(8, "ours", 5, version))
            .exec(&txn)
            .await
            .unwrap_err();
        assert_eq!(
            (conflict(&err)?.found(), err.fault()),
            (&Found::Unknown, Some(Fault::Serialization))
        );
        txn.rollback().await?;
        context.sql("DELETE FROM item WHERE id = 8").await?;
    }
    Ok(())
}

/// An upsert that waits for a rival who has inserted the row and not yet said what becomes of it.
async fn waits_for_a_rival(
    context: &Context,
    version: ActiveValue<i64>,
    in_transaction: bool,
    commits: bool,
) -> Result<Result<Upserted<item::Model>, Error>, Box<dyn std::error::Error + Send + Sync>> {
    let rival = context.other.begin().await?;
    rival
        .execute_unprepared("INSERT INTO item (id, name, qty, version) VALUES (8, 'theirs', 50, 3)")
        .await?;
    let waiting = tokio::spawn({
        let db = context.db.clone();
        async move {
            let upsert = item::Entity::upsert(row(8, "ours", 5, version));
            if !in_transaction {
                return upsert.exec(&db).await;
            }
            let txn = db.begin().await?;
            let outcome = upsert.exec(&txn).await;
            txn.commit().await?;
            outcome
        }
    });
    wait::until_blocked(context).await?;
    if commits {
        rival.commit().await?;
    } else {
        rival.rollback().await?;
    }
    Ok(waiting.await?)
}

async fn a_row_that_a_rival_commits_meanwhile_is_a_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    for (version, in_transaction) in [(NotSet, false), (NotSet, true), (Set(1), false), (Set(1), true)] {
        let err = waits_for_a_rival(&context, version, in_transaction, true)
            .await?
            .unwrap_err();
        assert_eq!(*conflict(&err)?.found(), Found::Changed { version: 3_i64.into() });
        assert_eq!(stored(&context, 8).await?, ("theirs".to_owned(), 50, 3));
        context.sql("DELETE FROM item WHERE id = 8").await?;
    }
    Ok(())
}

/// The update has looked before it was there. (Where an update waits for a row that is not committed, it is an update.)
async fn a_row_that_a_rival_commits_at_the_expected_version_is_found_as_it_is(context: Context) -> Outcome {
    item::create(&context).await?;
    for in_transaction in [false, true] {
        let err = waits_for_a_rival(&context, Set(3), in_transaction, true)
            .await?
            .unwrap_err();
        assert_eq!(*conflict(&err)?.found(), Found::Blocked);
        assert_eq!(stored(&context, 8).await?, ("theirs".to_owned(), 50, 3));
        context.sql("DELETE FROM item WHERE id = 8").await?;
    }
    Ok(())
}

async fn a_row_that_a_rival_rolls_back_is_inserted(context: Context) -> Outcome {
    item::create(&context).await?;
    for (version, in_transaction) in [(NotSet, false), (NotSet, true), (Set(1), false), (Set(1), true)] {
        let upserted = waits_for_a_rival(&context, version, in_transaction, false).await??;
        assert!(upserted.is_inserted());
        assert_eq!(stored(&context, 8).await?.0, "ours");
        context.sql("DELETE FROM item WHERE id = 8").await?;
    }
    Ok(())
}

async fn a_zero_that_stands_for_the_next_key_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    for version in [NotSet, Set(1)] {
        context.take_statements();
        let outcome = item::Entity::upsert(row(0, "zero", 5, version)).exec(&context.db).await;
        if context.backend == Backend::MariaDb {
            assert!(matches!(outcome, Err(Error::Unsupported(_))), "{outcome:?}");
            assert_eq!(context.take_statements(), [""; 0]);
        } else {
            assert_eq!(outcome?.into_model().id, 0);
        }
    }
    let rows = context.number("SELECT COUNT(*) FROM item").await?;
    assert_eq!(rows, context.backend.pick(4, 4, 3));
    // Where no key is counted, a zero is one like any other.
    context.create(pair::Entity).await?;
    let zero = pair::ActiveModel {
        left: Set(0),
        right: Set(0),
        qty: Set(1),
        version: NotSet,
    };
    assert!(pair::Entity::upsert(zero).exec(&context.db).await?.is_inserted());
    Ok(())
}

/// The delete comes between the insert that meets the row and the read that looks for it: it waits behind the insert.
async fn a_row_that_a_rival_has_deleted_again_is_inserted(context: Context) -> Outcome {
    item::create(&context).await?;
    let rivals = context.connect(2).await?;
    for version in [NotSet, Set(1)] {
        let rival = rivals.begin().await?;
        rival
            .execute_unprepared("INSERT INTO item (id, name, qty, version) VALUES (8, 'theirs', 50, 3)")
            .await?;
        let waiting = tokio::spawn({
            let db = context.db.clone();
            async move { item::Entity::upsert(row(8, "ours", 5, version)).exec(&db).await }
        });
        wait::until_blocked(&context).await?;
        let deleting = tokio::spawn({
            let rivals = rivals.clone();
            async move { rivals.execute_unprepared("DELETE FROM item WHERE id = 8").await }
        });
        let both = "SELECT COUNT(*) = 2 FROM information_schema.processlist WHERE db = DATABASE() \
                    AND command <> 'Sleep' AND (info LIKE 'INSERT%' OR info LIKE 'DELETE%' OR info LIKE 'UPDATE%')";
        while context.number(both).await? == 0 {}
        wait::until_blocked(&context).await?;
        rival.commit().await?;
        assert!(waiting.await??.is_inserted());
        deleting.await??;
        assert_eq!(
            stored(&context, 8).await?,
            (
                "ours".to_owned(),
                5,
                context.number("SELECT version FROM item WHERE id = 8").await?
            )
        );
        context.sql("DELETE FROM item WHERE id = 8").await?;
    }
    Ok(())
}

async fn what_else_is_wrong_with_the_row_is_its_error_at_once(context: Context) -> Outcome {
    item::create(&context).await?;
    let nameless = item::ActiveModel {
        name: NotSet,
        ..row(8, "", 5, NotSet)
    };
    context.take_statements();
    let err = item::Entity::upsert(nameless).exec(&context.db).await.unwrap_err();
    assert_eq!(err.fault(), Some(Fault::NotNull), "{err:?}");
    assert_eq!(context.take_statements().len(), 1, "nobody has to be asked");
    Ok(())
}

/// The row is there by then: the caller's own.
async fn a_version_that_its_column_rounds_is_reported_and_no_conflict(context: Context) -> Outcome {
    use versions::by_naive::{ActiveModel, Entity};

    versions::create(&context, context.backend.pick("TEXT", "TIMESTAMP(0)", "DATETIME")).await?;
    let new = ActiveModel {
        id: Set(1),
        name: Set("a".to_owned()),
        version: NotSet,
    };
    let err = Entity::upsert(new).exec(&context.db).await.unwrap_err();
    let Error::Imprecise(rounded) = &err else {
        return Err(format!("not rounded: {err:?}").into());
    };
    assert_eq!(rounded.operation(), Operation::Upsert);
    Ok(())
}
