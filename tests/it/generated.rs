//! Returned models where the database stores something else than it was sent.

use optlock::prelude::*;
use optlock::{Conflict, Error, Found, Operation};

use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::generated::{cast, computed, defaulted, rounded};
use crate::entity::item::{self, load, stored};

cases![
    a_computed_column_is_returned_as_stored,
    a_default_of_the_database_is_returned_as_stored,
    rounded_columns_are_returned_as_stored,
    a_model_that_is_stored_as_sent_is_not_read_again,
    a_key_that_several_rows_share_is_reported,
    a_column_that_is_cast_is_returned_as_stored;
    SERVERS: a_column_that_a_trigger_writes_is_returned_as_stored;
    POSTGRES: a_write_that_a_trigger_of_postgres_swallows_is_blocked,
    a_write_that_a_policy_of_postgres_hides_is_blocked;
    SQLITE: a_write_that_a_trigger_of_sqlite_swallows_is_blocked;
    MARIADB: a_trigger_that_writes_the_version_is_told_where_the_row_must_be_read,
    of_a_row_that_was_named_only_what_was_sent_is_known;
];

async fn a_computed_column_is_returned_as_stored(context: Context) -> Outcome {
    let key = context
        .backend
        .pick("INTEGER", "BIGSERIAL", "BIGINT NOT NULL AUTO_INCREMENT");
    context
        .sql(&format!(
            "CREATE TABLE computed (id {key} PRIMARY KEY, qty BIGINT NOT NULL, \
             doubled BIGINT GENERATED ALWAYS AS (qty * 2) STORED, version BIGINT NOT NULL)"
        ))
        .await?;
    let new = computed::ActiveModel {
        id: NotSet,
        qty: Set(10),
        doubled: NotSet,
        version: NotSet,
    };
    context.take_statements();
    let inserted = new.insert(&context.db).await?;
    let statements = context.backend.pick(1, 1, 2);
    assert_eq!(context.take_statements().len(), statements);
    assert_eq!((inserted.qty, inserted.doubled, inserted.version), (10, 20, 1));

    let mut change = inserted.clone().into_active_model();
    change.qty = Set(11);
    context.take_statements();
    let updated = change.update(&context.db).await?;
    assert_eq!(context.take_statements().len(), statements);
    assert_eq!((updated.qty, updated.doubled, updated.version), (11, 22, 2));
    let touched = updated.touch(&context.db).await?;
    assert_eq!((touched.doubled, touched.version), (22, 3));
    assert_eq!(
        computed::Entity::find_by_id(touched.id).one(&context.db).await?,
        Some(touched.clone())
    );

    // Without returning it costs one statement, whatever the database computes.
    let mut change = touched.into_active_model();
    change.qty = Set(12);
    context.take_statements();
    change.update_without_returning(&context.db).await?;
    assert_eq!(context.take_statements().len(), 1);
    assert_eq!(
        context.number("SELECT doubled FROM computed WHERE version = 4").await?,
        24
    );

    let err = inserted.touch(&context.db).await.unwrap_err();
    let current = err.conflict().and_then(Conflict::current::<computed::Model>);
    assert_eq!(current.map(|row| (row.doubled, row.version)), Some((24, 4)));
    Ok(())
}

async fn a_default_of_the_database_is_returned_as_stored(context: Context) -> Outcome {
    context.create(defaulted::Entity).await?;
    let new = defaulted::ActiveModel {
        id: NotSet,
        qty: Set(10),
        prio: NotSet,
        version: NotSet,
    };
    context.take_statements();
    let inserted = new.clone().insert(&context.db).await?;
    let statements = context.backend.pick(1, 1, 2);
    assert_eq!(context.take_statements().len(), statements);
    assert_eq!((inserted.prio, inserted.version), (5, 1));

    let known = defaulted::ActiveModel { prio: Set(6), ..new };
    context.take_statements();
    let inserted = known.insert(&context.db).await?;
    assert_eq!(context.take_statements().len(), 1);
    assert_eq!((inserted.id, inserted.prio, inserted.version), (2, 6, 1));
    Ok(())
}

async fn rounded_columns_are_returned_as_stored(context: Context) -> Outcome {
    let (amount, ratio, at, code) = context.backend.pick(
        ("REAL", "REAL", "TEXT", "CHAR(5)"),
        ("DECIMAL(10, 2)", "REAL", "TIMESTAMP(0)", "CHAR(5)"),
        ("DECIMAL(10, 2)", "FLOAT", "DATETIME", "CHAR(5)"),
    );
    context
        .sql(&format!(
            "CREATE TABLE rounded (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50) NOT NULL, \
             amount {amount} NOT NULL, ratio {ratio} NOT NULL, at {at} NOT NULL, code {code} NOT NULL, \
             version BIGINT NOT NULL)"
        ))
        .await?;
    let reload = || async {
        let row = rounded::Entity::find_by_id(1).one(&context.other).await?;
        row.ok_or_else(|| DbErr::RecordNotFound("1".to_owned()))
    };
    let at: DateTime = "2024-05-06T07:08:09.600".parse()?;
    let new = rounded::ActiveModel {
        id: Set(1),
        name: Set("a".to_owned()),
        amount: Set(Decimal::new(1_239, 3)),
        ratio: Set(0.1),
        at: Set(at),
        code: Set("ab".to_owned()),
        version: NotSet,
    };
    let statements = context.backend.pick(1, 1, 2);
    context.take_statements();
    let inserted = new.insert(&context.db).await?;
    assert_eq!(context.take_statements().len(), statements);
    assert_eq!(inserted, reload().await?);
    assert_eq!(inserted.version, 1);
    if context.backend != Backend::Sqlite {
        assert_eq!(inserted.amount, Decimal::new(124, 2), "it was rounded");
        assert_ne!(inserted.at, at, "it was rounded");
    }

    // Each column alone, so that none hides behind another.
    let mut row = inserted;
    for column in 0..4 {
        let mut change = row.clone().into_active_model();
        match column {
            0 => change.amount = Set(Decimal::new(5_678, 3)),
            1 => change.ratio = Set(16_777_217.0 / 3.0),
            2 => change.at = Set("2025-05-06T07:08:09.7".parse()?),
            _ => change.code = Set("abc".to_owned()),
        }
        context.take_statements();
        let updated = change.update(&context.db).await?;
        assert_eq!(context.take_statements().len(), statements, "column {column}");
        assert_eq!(updated, reload().await?, "column {column}");
        assert_eq!(updated.version, row.version + 1);
        row = updated;
    }

    // What is only read, and not written, is known.
    let mut change = row.into_active_model();
    change.name = Set("b".to_owned());
    context.take_statements();
    let updated = change.update(&context.db).await?;
    assert_eq!(context.take_statements().len(), 1);
    assert_eq!(updated, reload().await?);
    Ok(())
}

async fn a_model_that_is_stored_as_sent_is_not_read_again(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    let mut change = row.into_active_model();
    change.name = Set("naïve – ✓".to_owned());
    change.qty = Set(-1);
    context.take_statements();
    let updated = change.update(&context.db).await?;
    let statements = context.take_statements();
    assert_eq!(statements.len(), 1, "{statements:?}");
    assert_eq!(
        statements[0].contains("RETURNING"),
        context.backend == Backend::Postgres,
        "{statements:?}"
    );
    assert_eq!(updated, load(&context, 1).await?);
    Ok(())
}

/// A column that a trigger writes, ahead of the row.
async fn a_column_that_a_trigger_writes_is_returned_as_stored(context: Context) -> Outcome {
    context
        .sql(
            "CREATE TABLE computed (id BIGINT NOT NULL PRIMARY KEY, qty BIGINT NOT NULL, \
             doubled BIGINT NOT NULL DEFAULT 0, version BIGINT NOT NULL)",
        )
        .await?;
    context
        .sql("INSERT INTO computed VALUES (1, 10, 0, 1), (2, 20, 0, 1)")
        .await?;
    if context.backend == Backend::Postgres {
        context
            .sql(
                "CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN NEW.doubled := OLD.doubled + 1; RETURN NEW; END $$",
            )
            .await?;
        context
            .sql("CREATE TRIGGER counts BEFORE UPDATE ON computed FOR EACH ROW EXECUTE FUNCTION count_change()")
            .await?;
    } else {
        context
            .sql("CREATE TRIGGER counts BEFORE UPDATE ON computed FOR EACH ROW SET NEW.doubled = OLD.doubled + 1")
            .await?;
    }
    let mut row = computed::Entity::find_by_id(1).one(&context.db).await?.ok_or("gone")?;
    for change in 1..=3 {
        let mut active = row.into_active_model();
        active.qty = Set(10 + change);
        context.take_statements();
        row = active.update(&context.db).await?;
        assert_eq!(context.take_statements().len(), context.backend.pick(0, 1, 2));
        assert_eq!((row.qty, row.doubled, row.version), (10 + change, change, 1 + change));
    }
    assert_eq!(computed::Entity::find_by_id(1).one(&context.db).await?, Some(row));
    Ok(())
}

async fn a_write_that_a_trigger_of_postgres_swallows_is_blocked(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
        .await?;
    context
        .sql("CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION swallow()")
        .await?;
    a_swallowed_write_is_blocked(&context).await
}

async fn a_write_that_a_trigger_of_sqlite_swallows_is_blocked(context: Context) -> Outcome {
    item::create(&context).await?;
    for event in ["UPDATE", "DELETE"] {
        context
            .sql(&format!(
                "CREATE TRIGGER guard_{event} BEFORE {event} ON item BEGIN SELECT RAISE(IGNORE); END"
            ))
            .await?;
    }
    a_swallowed_write_is_blocked(&context).await
}

async fn a_swallowed_write_is_blocked(context: &Context) -> Outcome {
    let row = load(context, 1).await?;
    let mut change = row.clone().into_active_model();
    change.qty = Set(11);
    for (err, operation) in [
        (
            change.clone().update(&context.db).await.map(drop).unwrap_err(),
            Operation::Update,
        ),
        (
            change
                .clone()
                .update_without_returning(&context.db)
                .await
                .map(drop)
                .unwrap_err(),
            Operation::Update,
        ),
        (
            row.clone().touch(&context.db).await.map(drop).unwrap_err(),
            Operation::Touch,
        ),
        (
            row.clone().delete(&context.db).await.map(drop).unwrap_err(),
            Operation::Delete,
        ),
    ] {
        let conflict = err.conflict().ok_or_else(|| format!("not a conflict: {err:?}"))?;
        assert_eq!((conflict.operation(), conflict.found()), (operation, &Found::Blocked));
        assert_eq!(conflict.current::<item::Model>(), Some(&row));
        assert!(!err.is_gone());
    }
    assert_eq!(stored(context, 1).await?, ("a".to_owned(), 10, 1));
    // Somebody else's change is told apart from it.
    let stale = item::Model { version: 0, ..row };
    let err = stale.touch(&context.db).await.unwrap_err();
    assert_eq!(
        err.conflict().map(Conflict::found),
        Some(&Found::Changed { version: 1_i64.into() })
    );
    Ok(())
}

/// A row that may be read but not written.
async fn a_write_that_a_policy_of_postgres_hides_is_blocked(context: Context) -> Outcome {
    item::create(&context).await?;
    let role = format!("policy_{}", context.number("SELECT pg_backend_pid()::bigint").await?);
    let schema: String = context
        .row("SELECT current_schema()::text")
        .await?
        .try_get_by_index(0)?;
    context
        .sql(&format!(
            "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role}; \
             GRANT ALL ON item TO {role}; ALTER TABLE item ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY readers ON item FOR SELECT USING (true); \
             CREATE POLICY writers ON item FOR UPDATE USING (id <> 1); \
             CREATE POLICY deleters ON item FOR DELETE USING (id <> 1)"
        ))
        .await?;
    let db = context.connect(1).await?;
    db.execute_unprepared(&format!("SET ROLE {role}")).await?;
    let row = load(&context, 1).await?;
    let outcomes = (
        row.clone().touch(&db).await,
        row.clone().delete(&db).await,
        load(&context, 2).await?.touch(&db).await,
    );
    db.execute_unprepared("RESET ROLE").await?;
    context.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await?;

    let (touched, deleted, other) = outcomes;
    for err in [touched.map(drop).unwrap_err(), deleted.map(drop).unwrap_err()] {
        let conflict = err.conflict().ok_or_else(|| format!("not a conflict: {err:?}"))?;
        assert_eq!(conflict.found(), &Found::Blocked);
        assert_eq!(conflict.current::<item::Model>(), Some(&row));
    }
    assert_eq!(other?.version, 2);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn a_key_that_several_rows_share_is_reported(context: Context) -> Outcome {
    context
        .sql("CREATE TABLE item (id BIGINT NOT NULL, name VARCHAR(50), qty BIGINT, version BIGINT NOT NULL)")
        .await?;
    context
        .sql("INSERT INTO item VALUES (1, 'a', 10, 1), (1, 'b', 20, 1), (1, 'c', 30, 9)")
        .await?;
    let row = item::Model {
        id: 1,
        name: "a".to_owned(),
        qty: 10,
        version: 1,
    };
    let mut change = row.clone().into_active_model();
    change.qty = Set(11);
    let reset = "UPDATE item SET version = 1 WHERE version <> 9";
    let mut errors = vec![(
        change.clone().update(&context.db).await.map(drop).unwrap_err(),
        Operation::Update,
    )];
    assert_eq!(
        context.number("SELECT COUNT(*) FROM item WHERE version = 2").await?,
        2,
        "they were written, as the error says"
    );
    context.sql(reset).await?;
    errors.push((
        change
            .update_without_returning(&context.db)
            .await
            .map(drop)
            .unwrap_err(),
        Operation::Update,
    ));
    context.sql(reset).await?;
    errors.push((
        row.clone().touch(&context.db).await.map(drop).unwrap_err(),
        Operation::Touch,
    ));
    context.sql(reset).await?;
    errors.push((row.delete(&context.db).await.map(drop).unwrap_err(), Operation::Delete));
    for (err, operation) in errors {
        let Error::TooManyRows(several) = &err else {
            return Err(format!("not too many rows: {err:?}").into());
        };
        assert_eq!((several.operation(), several.rows()), (operation, 2));
        assert_eq!((several.table(), several.key().to_string().as_str()), ("item", "1"));
        assert_eq!(
            err.to_string(),
            format!("{operation} of item 1 reached 2 rows, not one")
        );
        assert!(!err.is_conflict());
    }
    Ok(())
}

/// A trigger that writes the version itself leaves no row at the version that was sent.
async fn a_trigger_that_writes_the_version_is_told_where_the_row_must_be_read(context: Context) -> Outcome {
    context
        .sql(
            "CREATE TABLE computed (id BIGINT NOT NULL PRIMARY KEY, qty BIGINT NOT NULL, \
             doubled BIGINT NOT NULL DEFAULT 0, version BIGINT NOT NULL)",
        )
        .await?;
    context.sql("INSERT INTO computed VALUES (1, 10, 0, 1)").await?;
    context
        .sql("CREATE TRIGGER bumps BEFORE UPDATE ON computed FOR EACH ROW SET NEW.version = NEW.version + 1")
        .await?;
    let row = computed::Entity::find_by_id(1).one(&context.db).await?.ok_or("gone")?;
    let err = row.touch(&context.db).await.unwrap_err();
    let Error::Unread(unread) = &err else {
        return Err(format!("not unread: {err:?}").into());
    };
    assert_eq!((unread.table(), unread.operation()), ("computed", Operation::Touch));
    assert_eq!(
        (unread.key().to_string().as_str(), unread.version().get::<i64>()),
        ("1", Some(2))
    );
    assert_eq!((err.fault(), err.is_conflict()), (None, false));
    assert_eq!(context.number("SELECT version FROM computed").await?, 3);
    Ok(())
}

async fn a_column_that_is_cast_is_returned_as_stored(context: Context) -> Outcome {
    context.create(cast::Entity).await?;
    let new = cast::ActiveModel {
        id: Set(1),
        code: Set("007".to_owned()),
        version: NotSet,
    };
    let inserted = new.insert(&context.db).await?;
    assert_eq!(inserted.code, "7");
    let change = |row: &cast::Model, code: &str| cast::ActiveModel {
        code: Set(code.to_owned()),
        ..row.clone().into_active_model()
    };
    let updated = change(&inserted, "008").update(&context.db).await?;
    assert_eq!((updated.code.as_str(), updated.version), ("8", 2));
    let updated = cast::Entity::update_batch([change(&updated, "009")])
        .exec(&context.db)
        .await?;
    assert_eq!((updated[0].code.as_str(), updated[0].version), ("9", 3));
    assert_eq!(cast::Entity::find().all(&context.db).await?, updated);
    Ok(())
}

/// A trigger that moves the version on stands for a rival who writes before the row is read.
async fn of_a_row_that_was_named_only_what_was_sent_is_known(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("CREATE TRIGGER bumps BEFORE UPDATE ON item FOR EACH ROW SET NEW.version = NEW.version + 1")
        .await?;
    // All of it was sent, beside a key or a version that is the row's own.
    let whole = |id, version| item::ActiveModel {
        id,
        name: Set("new".to_owned()),
        qty: Set(7),
        version,
    };
    for (model, version) in [
        (whole(Unchanged(1), Set(1)), 2),
        (whole(Set(1), Unchanged(3)), 4),
        (whole(Set(1), Set(5)), 6),
    ] {
        let row = model.update(&context.db).await?;
        assert_eq!(
            (row.id, row.name.as_str(), row.qty, row.version),
            (1, "new", 7, version)
        );
    }
    // The name is that of another row.
    let other = item::ActiveModel {
        id: Set(3),
        qty: Set(7),
        ..load(&context, 2).await?.into_active_model()
    };
    let err = other.update(&context.db).await.unwrap_err();
    assert!(matches!(err, Error::Unread(_)), "{err:?}");
    assert_eq!(stored(&context, 3).await?, ("c".to_owned(), 7, 3));
    Ok(())
}
