//! One round on a connection: what is sent, and what is refused.

use optlock::prelude::*;
use optlock::{Error, Fault, Found, Policy, Report, Stop};

use super::{QUICK, ShopError, assigned, reads};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};

cases![
    a_change_is_one_read_and_one_write_of_what_changed,
    a_change_that_changes_nothing_writes_nothing,
    a_key_or_a_version_that_is_changed_is_refused_before_any_write,
    a_row_that_is_not_there_is_named,
    a_refusal_stops_at_once_with_its_own_error,
    a_refusal_that_is_caused_by_a_conflict_is_a_refusal,
    a_constraint_is_an_error_and_is_not_tried_again,
    a_version_at_its_end_is_an_error_and_is_not_tried_again,
    a_change_runs_in_a_spawned_task_and_borrows;
    SQLITE: a_row_that_a_trigger_of_sqlite_holds_back_is_not_tried_again;
    POSTGRES: a_row_that_a_trigger_of_postgres_holds_back_is_not_tried_again;
];

async fn a_change_is_one_read_and_one_write_of_what_changed(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let row = item::Entity::modify(&context.db, 1, |row| row.qty += 5).await?;
    let sent = context.take_statements();
    let expected = item::Model {
        id: 1,
        name: "a".to_owned(),
        qty: 15,
        version: 2,
    };
    assert_eq!(row, expected);
    assert_eq!((sent.len(), reads(&sent)), (2, 1), "{sent:?}");
    assert_eq!(assigned(&sent[1]), ["qty", "version"]);
    assert!(!sent[0].contains(" FOR "), "one writer needs no lock: {sent:?}");
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 15, 2));

    item::Entity::modify(&context.db, 1, |row| row.name.push('!')).await?;
    assert_eq!(assigned(&context.take_statements()[1]), ["name", "version"]);
    item::Entity::modify(&context.db, 1, |row| (row.qty, row.name) = (1, "c1".to_owned())).await?;
    assert_eq!(assigned(&context.take_statements()[1]), ["name", "qty", "version"]);
    assert_eq!(stored(&context, 1).await?, ("c1".to_owned(), 1, 4));
    Ok(())
}

async fn a_change_that_changes_nothing_writes_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    let before = load(&context, 1).await?;
    context.take_statements();
    let row = item::Entity::modify(&context.db, 1, |_| ()).await?;
    assert_eq!(row, before);
    // Neither does one that puts back what it has changed.
    let row = item::Entity::modify(&context.db, 1, |row| {
        row.qty += 1;
        row.version += 1;
        row.qty -= 1;
        row.version -= 1;
        "a".clone_into(&mut row.name);
    });
    assert_eq!(row.await?, before);
    let sent = context.take_statements();
    assert_eq!((sent.len(), reads(&sent)), (2, 2), "{sent:?}");
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn a_key_or_a_version_that_is_changed_is_refused_before_any_write(context: Context) -> Outcome {
    type Change = (fn(&mut item::Model), bool);

    item::create(&context).await?;
    let changes: [Change; 3] = [
        (|row| (row.qty, row.id) = (11, 9), false),
        (|row| (row.qty, row.version) = (11, 9), true),
        (|row| row.version += 1, true),
    ];
    for (change, is_version) in changes {
        let mut calls = 0;
        context.take_statements();
        let result = item::Entity::modify(&context.db, 1, |row| {
            calls += 1;
            change(row);
        })
        .await;
        let sent = context.take_statements();
        match result.unwrap_err() {
            Error::VersionAssigned(_) => assert!(is_version),
            Error::Unsupported(_) => assert!(!is_version),
            err => panic!("{err:?}"),
        }
        assert_eq!((calls, sent.len(), reads(&sent)), (1, 1, 1), "{sent:?}");
    }
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn a_row_that_is_not_there_is_named(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let report = Report::new();
    let mut calls = 0;
    let err = Policy::new()
        .report(&report)
        .modify(item::Entity, &context.db, 98, |_| calls += 1)
        .await
        .unwrap_err();
    let Error::MissingRows(missing) = err else {
        panic!("{err:?}");
    };
    assert_eq!((missing.table(), missing.wanted(), missing.found()), ("item", 1, 0));
    let keys: Vec<_> = missing.missing().iter().map(ToString::to_string).collect();
    assert_eq!(keys, ["98"]);
    assert!(missing.to_string().contains("98"), "{missing}");
    let sent = context.take_statements();
    assert_eq!((calls, sent.len(), reads(&sent)), (0, 1, 1), "{sent:?}");
    assert_eq!(report.attempts(), 1);

    // The error of the caller's holds it.
    let err = item::Entity::try_modify(&context.db, 98, |_| Ok::<_, ShopError>(())).await;
    assert!(matches!(err, Err(ShopError::Store(Error::MissingRows(_)))), "{err:?}");
    Ok(())
}

async fn a_refusal_stops_at_once_with_its_own_error(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let report = Report::new();
    let mut calls = 0;
    let result = QUICK
        .report(&report)
        .try_modify(item::Entity, &context.db, 1, |row| {
            calls += 1;
            row.qty -= 11;
            if row.qty < 0 {
                return Err(ShopError::SoldOut(row.qty + 11));
            }
            Ok(())
        })
        .await;
    assert!(matches!(result, Err(ShopError::SoldOut(10))), "{result:?}");
    let sent = context.take_statements();
    assert_eq!((calls, sent.len(), reads(&sent)), (1, 1, 1), "{sent:?}");
    assert_eq!((report.attempts(), report.stop()), (1, Some(Stop::Fault)));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

/// The conflict is with something else, and the closure has said that it does not want to.
async fn a_refusal_that_is_caused_by_a_conflict_is_a_refusal(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut stale = load(&context, 2).await?;
    stale.version = 0;
    let conflict = stale.touch(&context.db).await.unwrap_err();
    let mut calls = 0;
    let result = item::Entity::try_modify(&context.db, 1, |_| {
        calls += 1;
        Err(ShopError::Warehouse(conflict.clone()))
    });
    let result = result.await;
    assert!(matches!(result, Err(ShopError::Warehouse(_))), "{result:?}");
    assert_eq!(calls, 1);
    Ok(())
}

async fn a_constraint_is_an_error_and_is_not_tried_again(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut calls = 0;
    let err = item::Entity::modify(&context.db, 1, |row| {
        calls += 1;
        "b".clone_into(&mut row.name);
    })
    .await
    .unwrap_err();
    assert!(
        matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))),
        "{err:?}"
    );
    assert_eq!((calls, stored(&context, 1).await?), (1, ("a".to_owned(), 10, 1)));
    Ok(())
}

async fn a_version_at_its_end_is_an_error_and_is_not_tried_again(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql(&format!("UPDATE item SET version = {} WHERE id = 1", i64::MAX))
        .await?;
    let mut calls = 0;
    let err = item::Entity::modify(&context.db, 1, |row| {
        calls += 1;
        row.qty += 1;
    })
    .await
    .unwrap_err();
    assert!(matches!(err, Error::Overflow(_)), "{err:?}");
    assert_eq!((calls, stored(&context, 1).await?.1), (1, 10));
    Ok(())
}

async fn a_change_runs_in_a_spawned_task_and_borrows(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.db.clone();
    let row = tokio::spawn(async move {
        let (suffix, mut seen) = (String::from("!"), Vec::new());
        let row = item::Entity::modify(&db, 1, |row| {
            seen.push(row.version);
            row.name.push_str(&suffix);
        })
        .await?;
        assert_eq!(seen, [1]);
        Ok::<_, Error>(row)
    })
    .await??;
    assert_eq!(row.name, "a!");
    Ok(())
}

async fn a_row_that_a_trigger_of_sqlite_holds_back_is_not_tried_again(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("CREATE TRIGGER guard BEFORE UPDATE ON item BEGIN SELECT RAISE(IGNORE); END")
        .await?;
    is_blocked_once(&context).await
}

async fn a_row_that_a_trigger_of_postgres_holds_back_is_not_tried_again(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql(
            "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
             CREATE TRIGGER guard BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION guard()",
        )
        .await?;
    is_blocked_once(&context).await
}

async fn is_blocked_once(context: &Context) -> Outcome {
    let mut calls = 0;
    let report = Report::new();
    let err = QUICK
        .report(&report)
        .modify(item::Entity, &context.db, 1, |row| {
            calls += 1;
            row.qty += 1;
        })
        .await
        .unwrap_err();
    assert_eq!(err.conflict().map(optlock::Conflict::found), Some(&Found::Blocked));
    assert_eq!((calls, report.attempts(), report.fault()), (1, 1, Some(Fault::Blocked)));
    assert_eq!(stored(context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}
