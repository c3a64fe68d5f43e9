//! Updates of a few rows, and every verdict there is.

use optlock::prelude::*;
use optlock::{Error, Fault, Found, Operation};

use super::{rows, with_qty, writes};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::generated::computed;
use crate::entity::item::{self, load, stored};

cases![
    each_row_is_checked_against_its_own_version,
    the_rows_come_back_in_the_callers_order,
    rows_may_change_different_columns,
    a_row_with_nothing_set_is_confirmed_and_not_written,
    a_stale_row_with_nothing_set_is_a_conflict,
    every_conflict_is_reported_and_nothing_is_written,
    what_can_be_written_is_and_the_rest_has_its_verdict,
    the_number_of_rows_comes_back_without_them,
    no_rows_are_no_sql,
    bad_input_is_refused_before_any_sql,
    as_many_statements_as_chunks,
    columns_of_the_database_come_back,
    the_version_may_come_from_elsewhere,
    a_policy_never_retries_a_conflict,
    rows_that_are_not_known_come_back_from_the_update_where_it_can_return_them,
    a_constraint_is_an_error_at_once,
    futures_are_send;
    SQLITE: a_row_that_a_trigger_holds_back_is_blocked,
    a_row_that_a_trigger_changes_instead_is_a_conflict,
    a_row_that_was_returned_is_written_whatever_a_trigger_makes_of_it;
    POSTGRES: a_row_that_a_trigger_holds_back_is_blocked,
    a_row_that_a_trigger_changes_instead_is_a_conflict,
    a_row_that_was_returned_is_written_whatever_a_trigger_makes_of_it;
];

/// The rows 1, 2 and 3 at versions 4, 1 and 7.
async fn at_different_versions(context: &Context) -> super::Result<[item::Model; 3]> {
    item::create(context).await?;
    context.sql("UPDATE item SET version = 4 WHERE id = 1").await?;
    context.sql("UPDATE item SET version = 7 WHERE id = 3").await?;
    Ok([
        load(context, 1).await?,
        load(context, 2).await?,
        load(context, 3).await?,
    ])
}

/// BU-05.
async fn each_row_is_checked_against_its_own_version(context: Context) -> Outcome {
    let [a, b, c] = at_different_versions(&context).await?;
    let batch = [with_qty(&a, 11), with_qty(&b, 21), with_qty(&c, 31)];
    let updated = item::Entity::update_batch(batch).exec(&context.db).await?;
    let expected = [(&a, 11, 5), (&b, 21, 2), (&c, 31, 8)].map(|(row, qty, version)| item::Model {
        qty,
        version,
        ..row.clone()
    });
    assert_eq!(updated, expected);
    assert_eq!(rows(&context).await?, expected);
    Ok(())
}

async fn the_rows_come_back_in_the_callers_order(context: Context) -> Outcome {
    let [a, b, c] = at_different_versions(&context).await?;
    let batch = [with_qty(&c, 1), with_qty(&a, 2), with_qty(&b, 3)];
    let updated = item::Entity::update_batch(batch.clone()).exec(&context.db).await?;
    assert_eq!(
        updated.iter().map(|row| (row.id, row.qty)).collect::<Vec<_>>(),
        [(3, 1), (1, 2), (2, 3)]
    );
    let stale = item::Entity::update_batch(batch).exec_each(&context.db).await?;
    let keys: Vec<_> = stale
        .iter()
        .map(|verdict| verdict.as_ref().unwrap_err().key().to_string())
        .collect();
    assert_eq!(keys, ["3", "1", "2"]);
    Ok(())
}

async fn rows_may_change_different_columns(context: Context) -> Outcome {
    let [a, b, c] = at_different_versions(&context).await?;
    let named = |row: &item::Model, name: &str| item::ActiveModel {
        name: Set(name.to_owned()),
        ..row.clone().into_active_model()
    };
    let both = item::ActiveModel {
        qty: Set(31),
        ..named(&c, "z")
    };
    // Somebody else changes a column that the batch does not.
    context.sql("UPDATE item SET qty = 12 WHERE id = 1").await?;
    context.take_statements();
    let batch = [named(&a, "x"), with_qty(&b, 21), both];
    item::Entity::update_batch(batch)
        .exec_without_returning(&context.db)
        .await?;
    assert_eq!(writes(&context.take_statements()).len(), 3);
    assert_eq!(stored(&context, 1).await?, ("x".to_owned(), 12, 5));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 21, 2));
    assert_eq!(stored(&context, 3).await?, ("z".to_owned(), 31, 8));
    Ok(())
}

async fn a_row_with_nothing_set_is_confirmed_and_not_written(context: Context) -> Outcome {
    let [a, b, c] = at_different_versions(&context).await?;
    let batch = || [a.clone().into_active_model(), with_qty(&b, 21)];
    let updated = item::Entity::update_batch(batch()).exec(&context.db).await?;
    assert_eq!((&updated[0], updated[1].version), (&a, 2));
    let alone = item::Entity::update_batch([c.clone().into_active_model()])
        .exec(&context.db)
        .await?;
    assert_eq!(alone, [c]);
    assert_eq!(stored(&context, 1).await?.2, 4);
    assert_eq!(stored(&context, 3).await?.2, 7);
    Ok(())
}

async fn a_stale_row_with_nothing_set_is_a_conflict(context: Context) -> Outcome {
    let [a, b, _] = at_different_versions(&context).await?;
    context.sql("UPDATE item SET version = 5 WHERE id = 1").await?;
    let batch = || item::Entity::update_batch([a.clone().into_active_model(), with_qty(&b, 21)]);
    let err = batch().exec(&context.db).await.unwrap_err();
    let conflicts = err.conflicts().ok_or("no conflicts")?;
    let (index, conflict) = conflicts.iter().next().ok_or("none")?;
    assert_eq!(
        (index, conflict.found()),
        (0, &Found::Changed { version: 5_i64.into() })
    );
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 20, 1));
    let verdicts = batch().exec_each(&context.db).await?;
    assert!(verdicts[0].is_err() && verdicts[1].is_ok(), "{verdicts:?}");
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 21, 2));
    Ok(())
}

async fn every_conflict_is_reported_and_nothing_is_written(context: Context) -> Outcome {
    let [a, b, c] = at_different_versions(&context).await?;
    context
        .sql("UPDATE item SET qty = 99, version = 5 WHERE id = 1")
        .await?;
    context.sql("DELETE FROM item WHERE id = 3").await?;
    let before = rows(&context).await?;
    let batch = [with_qty(&c, 31), with_qty(&b, 21), with_qty(&a, 11)];
    let err = item::Entity::update_batch(batch.clone())
        .exec(&context.db)
        .await
        .unwrap_err();
    assert_eq!(
        err.to_string(),
        "2 of 3 rows of item are not as expected; the first: update_batch of item 3 at version 7 conflicts: the row is not there"
    );
    assert!(err.is_conflict() && !err.is_gone());
    assert_eq!(optlock::fault(&err), Fault::Stale);
    let Error::Conflicts(conflicts) = &err else {
        panic!("{err:?}")
    };
    assert_eq!((conflicts.len(), conflicts.rows(), conflicts.table()), (2, 3, "item"));
    let [(0, gone), (2, changed)] = conflicts.iter().collect::<Vec<_>>()[..] else {
        panic!("{conflicts:?}")
    };
    assert_eq!(*gone.found(), Found::Deleted);
    assert_eq!(*changed.found(), Found::Changed { version: 5_i64.into() });
    assert_eq!(changed.current::<item::Model>(), Some(&before[0]));
    assert_eq!(
        (changed.operation(), changed.expected().get()),
        (Operation::UpdateBatch, Some(4_i64))
    );
    assert_eq!(rows(&context).await?, before);

    // Through `DbErr` and back.
    let back = Error::from(DbErr::from(err));
    assert_eq!(back.conflicts().map(optlock::Conflicts::len), Some(2));
    let err = item::Entity::update_batch(batch)
        .exec_without_returning(&context.db)
        .await
        .unwrap_err();
    assert_eq!(err.conflicts().map(optlock::Conflicts::len), Some(2));
    assert_eq!(rows(&context).await?, before);
    Ok(())
}

async fn what_can_be_written_is_and_the_rest_has_its_verdict(context: Context) -> Outcome {
    let [a, b, c] = at_different_versions(&context).await?;
    context
        .sql("UPDATE item SET qty = 99, version = 5 WHERE id = 1")
        .await?;
    context.sql("DELETE FROM item WHERE id = 3").await?;
    let batch = [with_qty(&c, 31), with_qty(&b, 21), with_qty(&a, 11)];
    let verdicts = item::Entity::update_batch(batch).exec_each(&context.db).await?;
    let [Err(gone), Ok(updated), Err(changed)] = verdicts.as_slice() else {
        panic!("{verdicts:?}")
    };
    assert_eq!(*gone.found(), Found::Deleted);
    assert_eq!(*changed.found(), Found::Changed { version: 5_i64.into() });
    assert_eq!(changed.current::<item::Model>().map(|row| row.qty), Some(99));
    assert_eq!((updated.qty, updated.version), (21, 2));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 99, 5));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 21, 2));
    Ok(())
}

async fn the_number_of_rows_comes_back_without_them(context: Context) -> Outcome {
    let [a, b, c] = at_different_versions(&context).await?;
    let batch = [with_qty(&a, 11), b.into_active_model(), with_qty(&c, 31)];
    let result = item::Entity::update_batch(batch)
        .exec_without_returning(&context.db)
        .await?;
    assert_eq!(result.rows_affected, 2);
    Ok(())
}

async fn no_rows_are_no_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let none = || item::Entity::update_batch(Vec::<item::ActiveModel>::new());
    assert!(none().exec(&context.db).await?.is_empty());
    assert!(none().exec_each(&context.db).await?.is_empty());
    assert_eq!(none().exec_without_returning(&context.db).await?.rows_affected, 0);
    let none = || item::Entity::delete_batch(Vec::<item::ActiveModel>::new());
    assert_eq!(none().exec(&context.db).await?.rows_affected, 0);
    assert!(none().exec_each(&context.db).await?.is_empty());
    assert_eq!(context.take_statements(), [""; 0]);
    Ok(())
}

async fn bad_input_is_refused_before_any_sql(context: Context) -> Outcome {
    let [a, b, _] = at_different_versions(&context).await?;
    let last = item::Model {
        version: i64::MAX,
        ..a.clone()
    };
    context.take_statements();
    let batch = [with_qty(&b, 1), with_qty(&a, 1), with_qty(&b, 2)];
    let err = item::Entity::update_batch(batch.clone())
        .exec(&context.db)
        .await
        .unwrap_err();
    assert_eq!(err.to_string(), "update_batch of item names the row 2 twice");
    let err = item::Entity::delete_batch(batch)
        .exec_each(&context.db)
        .await
        .unwrap_err();
    let Error::DuplicateKey(twice) = &err else {
        panic!("{err:?}")
    };
    assert_eq!((twice.table(), twice.key().to_string()), ("item", "2".to_owned()));
    assert_eq!(twice.operation(), Operation::DeleteBatch);

    let unversioned = item::ActiveModel {
        version: NotSet,
        ..with_qty(&b, 1)
    };
    let err = item::Entity::update_batch([with_qty(&a, 1), unversioned.clone()])
        .exec_each(&context.db)
        .await
        .unwrap_err();
    assert_eq!(
        err.to_string(),
        "update_batch of item needs `version`, which is `NotSet`"
    );
    let err = item::Entity::delete_batch([unversioned])
        .exec(&context.db)
        .await
        .unwrap_err();
    assert_eq!(
        err.to_string(),
        "delete_batch of item needs `version`, which is `NotSet`"
    );
    let keyless = item::ActiveModel {
        id: NotSet,
        ..with_qty(&b, 1)
    };
    let err = item::Entity::update_batch([keyless])
        .exec(&context.db)
        .await
        .unwrap_err();
    assert_eq!(err.to_string(), "update_batch of item needs `id`, which is `NotSet`");
    let err = item::Entity::update_batch([with_qty(&b, 1), with_qty(&last, 1)])
        .exec(&context.db)
        .await
        .unwrap_err();
    assert!(matches!(err, Error::Overflow(_)), "{err:?}");
    assert_eq!(context.take_statements(), [""; 0]);
    Ok(())
}

async fn as_many_statements_as_chunks(context: Context) -> Outcome {
    item::create(&context).await?;
    super::large::fill(&context, 2_500).await?;
    let batch: Vec<_> = rows(&context).await?.iter().map(|row| with_qty(row, 1)).collect();
    context.take_statements();
    let updated = item::Entity::update_batch(batch).exec(&context.db).await?;
    assert_eq!(updated.len(), 2_500);
    let statements = context.take_statements();
    assert_eq!(writes(&statements).len(), 3, "{statements:?}");
    let reads = statements.iter().filter(|sql| sql.starts_with("SELECT"));
    assert_eq!(reads.count(), 0, "what is known is not read");
    Ok(())
}

async fn columns_of_the_database_come_back(context: Context) -> Outcome {
    context
        .sql(context.backend.pick(
            "CREATE TABLE computed (id INTEGER PRIMARY KEY, qty BIGINT NOT NULL, doubled BIGINT GENERATED ALWAYS AS (qty * 2), version BIGINT NOT NULL)",
            "CREATE TABLE computed (id BIGINT PRIMARY KEY, qty BIGINT NOT NULL, doubled BIGINT GENERATED ALWAYS AS (qty * 2) STORED, version BIGINT NOT NULL)",
            "CREATE TABLE computed (id BIGINT PRIMARY KEY, qty BIGINT NOT NULL, doubled BIGINT GENERATED ALWAYS AS (qty * 2) STORED, version BIGINT NOT NULL)",
        ))
        .await?;
    context
        .sql("INSERT INTO computed (id, qty, version) VALUES (1, 1, 1), (2, 2, 1)")
        .await?;
    let rows = computed::Entity::find().all(&context.db).await?;
    let change = |row: computed::Model| computed::ActiveModel {
        qty: Set(10 * row.id),
        ..row.into_active_model()
    };
    let stale = change(rows[0].clone());
    let updated = computed::Entity::update_batch(rows.into_iter().map(change))
        .exec(&context.db)
        .await?;
    let seen: Vec<_> = updated
        .iter()
        .map(|row| (row.id, row.qty, row.doubled, row.version))
        .collect();
    assert_eq!(seen, [(1, 10, 20, 2), (2, 20, 40, 2)]);
    let verdicts = computed::Entity::update_batch([change(updated[1].clone()), stale])
        .exec_each(&context.db)
        .await?;
    let [Ok(row), Err(conflict)] = verdicts.as_slice() else {
        panic!("{verdicts:?}")
    };
    assert_eq!((row.doubled, row.version), (40, 3));
    assert_eq!(conflict.current::<computed::Model>(), Some(&updated[0]));
    Ok(())
}

/// A row of which its key and its version are known, with another quantity to be written.
fn named(id: i64, version: i64) -> item::ActiveModel {
    item::ActiveModel {
        id: Set(id),
        name: NotSet,
        qty: Set(7),
        version: Set(version),
    }
}

async fn the_version_may_come_from_elsewhere(context: Context) -> Outcome {
    item::create(&context).await?;
    let verdicts = item::Entity::update_batch([named(1, 1), named(2, 2)])
        .exec_each(&context.db)
        .await?;
    let [Ok(row), Err(conflict)] = verdicts.as_slice() else {
        panic!("{verdicts:?}")
    };
    assert_eq!((row.name.as_str(), row.qty, row.version), ("a", 7, 2));
    assert_eq!(*conflict.found(), Found::Changed { version: 1_i64.into() });
    Ok(())
}

async fn a_policy_never_retries_a_conflict(context: Context) -> Outcome {
    let [a, ..] = at_different_versions(&context).await?;
    context.sql("UPDATE item SET version = 5 WHERE id = 1").await?;
    let policy = optlock::Policy::new().on_retry(&|retry| panic!("{retry:?}"));
    let batch = item::Entity::update_batch([with_qty(&a, 11)]).policy(policy);
    assert!(batch.exec(&context.db).await.unwrap_err().is_conflict());
    Ok(())
}

async fn futures_are_send(context: Context) -> Outcome {
    let [a, b, c] = at_different_versions(&context).await?;
    let db = context.db.clone();
    tokio::spawn(async move {
        let rows = item::Entity::update_batch([with_qty(&a, 1), with_qty(&b, 2)])
            .exec(&db)
            .await?;
        let db = &db;
        optlock::transaction(db, |txn| {
            let (rows, c) = (rows.clone(), c.clone());
            async move {
                item::Entity::update_batch(rows.iter().map(|row| with_qty(row, 3)))
                    .exec_each(&txn)
                    .await?;
                item::Entity::delete_batch([c.into_active_model()]).exec(&txn).await
            }
        })
        .await
    })
    .await??;
    assert_eq!(
        rows(&context).await?.iter().map(|row| row.version).collect::<Vec<_>>(),
        [6, 3]
    );
    Ok(())
}

async fn a_row_that_a_trigger_holds_back_is_blocked(context: Context) -> Outcome {
    let [a, b, c] = at_different_versions(&context).await?;
    let triggers = context.backend.pick(
        "CREATE TRIGGER guard BEFORE UPDATE ON item WHEN NEW.id = 2 BEGIN SELECT RAISE(IGNORE); END;
         CREATE TRIGGER kept BEFORE DELETE ON item WHEN OLD.id = 2 BEGIN SELECT RAISE(IGNORE); END",
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id = 2 THEN RETURN NULL; END IF; \
         IF TG_OP = ''DELETE'' THEN RETURN OLD; END IF; RETURN NEW; END';
         CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION swallow()",
        "",
    );
    context.sql(triggers).await?;
    let before = rows(&context).await?;
    let stale = item::Model {
        version: 1,
        ..a.clone()
    };
    let batch = || [with_qty(&c, 31), with_qty(&b, 21), with_qty(&a, 11)];
    let err = item::Entity::update_batch(batch()).exec(&context.db).await.unwrap_err();
    let conflicts = err.conflicts().ok_or("no conflicts")?;
    let [(1, blocked)] = conflicts.iter().collect::<Vec<_>>()[..] else {
        panic!("{conflicts:?}")
    };
    assert_eq!(*blocked.found(), Found::Blocked);
    assert_eq!(blocked.current::<item::Model>(), Some(&b));
    assert_eq!(optlock::fault(&err), Fault::Blocked);
    assert_eq!(rows(&context).await?, before);
    let err = item::Entity::delete_batch(batch()).exec(&context.db).await.unwrap_err();
    assert_eq!(optlock::fault(&err), Fault::Blocked);
    assert_eq!(rows(&context).await?, before);

    let each = [with_qty(&c, 31), with_qty(&b, 21), with_qty(&stale, 11)];
    let verdicts = item::Entity::update_batch(each.clone()).exec_each(&context.db).await?;
    let [Ok(row), Err(blocked), Err(changed)] = verdicts.as_slice() else {
        panic!("{verdicts:?}")
    };
    assert_eq!((row.qty, row.version), (31, 8));
    assert_eq!(*blocked.found(), Found::Blocked);
    assert_eq!(*changed.found(), Found::Changed { version: 4_i64.into() });
    assert_eq!(stored(&context, 3).await?, ("c".to_owned(), 31, 8));

    let each = [with_qty(row, 31), with_qty(&b, 21), with_qty(&stale, 11)];
    let verdicts = item::Entity::delete_batch(each).exec_each(&context.db).await?;
    let [Ok(()), Err(blocked), Err(changed)] = verdicts.as_slice() else {
        panic!("{verdicts:?}")
    };
    assert_eq!(
        (blocked.found(), blocked.operation()),
        (&Found::Blocked, Operation::DeleteBatch)
    );
    assert_eq!(*changed.found(), Found::Changed { version: 4_i64.into() });
    assert_eq!(
        rows(&context).await?.iter().map(|row| row.id).collect::<Vec<_>>(),
        [1, 2]
    );
    Ok(())
}

async fn rows_that_are_not_known_come_back_from_the_update_where_it_can_return_them(context: Context) -> Outcome {
    item::create(&context).await?;
    let seen = |context: &Context| {
        let sent = context.take_statements();
        let written = writes(&sent);
        let returned = written.iter().filter(|sql| sql.contains(" RETURNING ")).count();
        let read = sent.iter().filter(|sql| sql.starts_with("SELECT")).count();
        (written.len(), returned, read)
    };
    context.take_statements();
    let updated = item::Entity::update_batch([named(1, 1), named(2, 1)])
        .exec(&context.db)
        .await?;
    let names: Vec<_> = updated.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(seen(&context), context.backend.pick((1, 1, 0), (1, 1, 0), (1, 0, 1)));

    // What is known, or not asked for, does not.
    item::Entity::update_batch(updated.iter().map(|row| with_qty(row, 8)))
        .exec(&context.db)
        .await?;
    assert_eq!(seen(&context), (1, 0, 0));
    item::Entity::update_batch([named(1, 3), named(2, 3)])
        .exec_without_returning(&context.db)
        .await?;
    assert_eq!(seen(&context), (1, 0, 0));
    Ok(())
}

/// Nothing else would come of a second look.
async fn a_constraint_is_an_error_at_once(context: Context) -> Outcome {
    let [a, b, _] = at_different_versions(&context).await?;
    let taken = item::ActiveModel {
        name: Set("c".to_owned()),
        ..a.into_active_model()
    };
    context.take_statements();
    let err = item::Entity::update_batch([taken, with_qty(&b, 21)])
        .exec(&context.db)
        .await
        .unwrap_err();
    assert_eq!(err.fault(), Some(Fault::Unique), "{err:?}");
    let sent = context.take_statements();
    let of_names = writes(&sent).into_iter().filter(|sql| sql.contains("name"));
    assert_eq!(of_names.count(), 1, "{sent:?}");
    Ok(())
}

/// It is neither written nor as it was expected: whoever takes that for success loses a write.
async fn a_row_that_a_trigger_changes_instead_is_a_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    let triggers = context.backend.pick(
        "CREATE TRIGGER instead BEFORE UPDATE ON item WHEN NEW.id = 2 AND NEW.version < 50 BEGIN \
         UPDATE item SET version = 50 WHERE id = 2; SELECT RAISE(IGNORE); END;
         CREATE TRIGGER kept BEFORE DELETE ON item WHEN OLD.id = 2 BEGIN \
         UPDATE item SET version = 60 WHERE id = 2; SELECT RAISE(IGNORE); END",
        "CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF OLD.id = 2 AND pg_trigger_depth() = 1 THEN \
         UPDATE item SET version = CASE TG_OP WHEN 'DELETE' THEN 60 ELSE 50 END WHERE id = 2; RETURN NULL; END IF; \
         IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$;
         CREATE TRIGGER instead BEFORE UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION instead()",
        "",
    );
    context.sql(triggers).await?;
    let loaded = rows(&context).await?;
    let batch = || loaded.iter().map(|row| with_qty(row, 7));
    let found = |err: &Error| {
        let conflicts = err.conflicts().into_iter().flatten();
        conflicts
            .map(|(index, conflict)| (index, conflict.found().clone()))
            .collect::<Vec<_>>()
    };
    let changed = |version: i64| Found::Changed {
        version: version.into(),
    };
    let err = item::Entity::update_batch(batch()).exec(&context.db).await.unwrap_err();
    assert_eq!(found(&err), [(1, changed(50))]);
    let err = item::Entity::delete_batch(batch()).exec(&context.db).await.unwrap_err();
    assert_eq!(found(&err), [(1, changed(60))]);
    assert_eq!(rows(&context).await?, loaded);

    let verdicts = item::Entity::update_batch(batch()).exec_each(&context.db).await?;
    let [Ok(first), Err(conflict), Ok(last)] = verdicts.as_slice() else {
        panic!("{verdicts:?}")
    };
    assert_eq!(*conflict.found(), changed(50));
    assert_eq!(
        conflict.current::<item::Model>().map(|row| (row.qty, row.version)),
        Some((20, 50))
    );
    let now = item::Model {
        version: 50,
        ..loaded[1].clone()
    };
    let batch = [first, &now, last].map(|row| with_qty(row, 0));
    let verdicts = item::Entity::delete_batch(batch).exec_each(&context.db).await?;
    let [Ok(()), Err(conflict), Ok(())] = verdicts.as_slice() else {
        panic!("{verdicts:?}")
    };
    assert_eq!(*conflict.found(), changed(60));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 20, 60));
    Ok(())
}

/// As of an update of one row, which returns what it has written.
async fn a_row_that_was_returned_is_written_whatever_a_trigger_makes_of_it(context: Context) -> Outcome {
    item::create(&context).await?;
    let triggers = context.backend.pick(
        "CREATE TRIGGER guard BEFORE UPDATE ON item WHEN NEW.id = 2 BEGIN SELECT RAISE(IGNORE); END;
         CREATE TRIGGER bumps AFTER UPDATE ON item WHEN NEW.id = 3 AND NEW.version = 2 BEGIN \
         UPDATE item SET version = 9 WHERE id = 3; END",
        "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END';
         CREATE TRIGGER guard BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION guard();
         CREATE FUNCTION bumps() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE item SET version = 9 WHERE id = 3; RETURN NULL; END';
         CREATE TRIGGER bumps AFTER UPDATE ON item FOR EACH ROW WHEN (NEW.id = 3 AND NEW.version = 2) EXECUTE FUNCTION bumps()",
        "",
    );
    context.sql(triggers).await?;
    let alone = item::Entity::update(named(3, 1)).exec(&context.db).await?;
    assert_eq!((alone.qty, alone.version), (7, 2));
    context.sql("UPDATE item SET version = 1 WHERE id = 3").await?;
    let verdicts = item::Entity::update_batch([named(1, 1), named(2, 1), named(3, 1)])
        .exec_each(&context.db)
        .await?;
    let [Ok(first), Err(blocked), Ok(third)] = verdicts.as_slice() else {
        panic!("{verdicts:?}")
    };
    assert_eq!((first.version, blocked.found()), (2, &Found::Blocked));
    assert_eq!((third.qty, third.version), (7, 2));
    assert_eq!(stored(&context, 3).await?, ("c".to_owned(), 7, 9));
    Ok(())
}
