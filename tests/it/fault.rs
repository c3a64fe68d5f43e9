//! What database errors mean, each provoked for real on the server that it is from.

use optlock::prelude::*;
use optlock::{Error, Fault, Found};
use sea_orm::{DatabaseTransaction, IsolationLevel, TransactionTrait};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};
use crate::wait::until_blocked;

cases![
    broken_foreign_keys_are_named,
    broken_checks_are_named,
    a_read_only_transaction_is_named,
    an_error_of_a_trigger_is_named,
    a_pool_that_is_used_up_is_named,
    a_lost_connection_is_named,
    a_lock_that_is_waited_for_too_long_is_named;
    SERVERS:
    a_deadlock_is_named_and_undone,
    a_cancelled_statement_is_named;
    POSTGRES:
    a_statement_after_an_error_is_named,
    a_conflict_outlives_a_failed_diagnosis;
];

async fn broken_foreign_keys_are_named(context: Context) -> Outcome {
    item::create(&context).await?;
    context.sql("CREATE TABLE note (id BIGINT NOT NULL PRIMARY KEY, item_id BIGINT NOT NULL, FOREIGN KEY (item_id) REFERENCES item (id))").await?;
    context.sql("INSERT INTO note (id, item_id) VALUES (1, 1)").await?;
    let err = load(&context, 1).await?.delete(&context.db).await.unwrap_err();
    assert_eq!(err.fault(), Some(Fault::ForeignKey));
    assert!(matches!(err.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_))));

    Ok(())
}

async fn broken_checks_are_named(context: Context) -> Outcome {
    context
        .sql(
            "CREATE TABLE item (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(9) UNIQUE, \
             qty BIGINT NOT NULL CHECK (qty >= 0), version BIGINT NOT NULL)",
        )
        .await?;
    context
        .sql("INSERT INTO item (id, name, qty, version) VALUES (1, 'a', 10, 1)")
        .await?;
    let mut negative = load(&context, 1).await?.into_active_model();
    negative.qty = Set(-1);
    assert_eq!(
        negative.update(&context.db).await.unwrap_err().fault(),
        Some(Fault::Check)
    );
    let without_qty = item::ActiveModel {
        id: Set(2),
        name: Set("b".to_owned()),
        ..Default::default()
    };
    assert_eq!(
        without_qty.insert(&context.db).await.unwrap_err().fault(),
        Some(Fault::NotNull)
    );
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn a_read_only_transaction_is_named(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let row = load(&context, 1).await?;
    if context.backend == Backend::Sqlite {
        db.execute_unprepared("PRAGMA query_only = ON").await?;
        assert_eq!(row.touch(&db).await.unwrap_err().fault(), Some(Fault::ReadOnly));
    } else {
        let txn = db.begin_with_config(None, Some(sea_orm::AccessMode::ReadOnly)).await?;
        assert_eq!(row.touch(&txn).await.unwrap_err().fault(), Some(Fault::ReadOnly));
    }
    Ok(())
}

async fn an_error_of_a_trigger_is_named(context: Context) -> Outcome {
    item::create(&context).await?;
    for statement in context.backend.pick(
        &["CREATE TRIGGER t BEFORE UPDATE ON item BEGIN SELECT RAISE(ABORT, 'no'); END"][..],
        &[
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
            "CREATE TRIGGER t BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION refuse()",
        ][..],
        &["CREATE TRIGGER t BEFORE UPDATE ON item FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"][..],
    ) {
        context.sql(statement).await?;
    }
    let err = load(&context, 1).await?.touch(&context.db).await.unwrap_err();
    assert_eq!((err.is_conflict(), err.fault()), (false, Some(Fault::Raised)));
    Ok(())
}

async fn a_pool_that_is_used_up_is_named(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect_impatiently(1).await?;
    let row = load(&context, 1).await?;
    let txn = db.begin().await?;
    assert_eq!(
        row.clone().touch(&db).await.unwrap_err().fault(),
        Some(Fault::PoolTimeout)
    );
    txn.rollback().await?;
    assert_eq!(row.touch(&db).await?.version, 2);
    Ok(())
}

async fn a_lost_connection_is_named(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    let db = context.connect(1).await?;
    if context.backend == Backend::Sqlite {
        // No wire to cut: the nearest is a pool that was closed.
        db.clone().close().await?;
        assert_eq!(row.touch(&db).await.unwrap_err().fault(), Some(Fault::ConnectionLost));
        return Ok(());
    }
    let txn = db.begin().await?;
    let session = context.backend.pick(
        "",
        "SELECT pg_backend_pid()::bigint",
        "SELECT CAST(CONNECTION_ID() AS SIGNED)",
    );
    let session = sea_orm::Statement::from_string(txn.get_database_backend(), session);
    let session: i64 = txn
        .query_one_raw(session)
        .await?
        .ok_or("no session")?
        .try_get_by_index(0)?;
    let kill = context.backend.pick(
        String::new(),
        format!("SELECT pg_terminate_backend({session})"),
        format!("KILL {session}"),
    );
    context.sql(&kill).await?;
    let err = row.touch(&txn).await.unwrap_err();
    assert_eq!(
        (err.is_conflict(), err.fault()),
        (false, Some(Fault::ConnectionLost)),
        "{err:?}"
    );
    drop(txn);
    assert_eq!(stored(&context, 1).await?.2, 1);
    Ok(())
}

async fn a_lock_that_is_waited_for_too_long_is_named(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let row = load(&context, 1).await?;
    let rival = context.other.begin().await?;
    row.clone().touch(&rival).await?;
    let (setting, fault) = context.backend.pick(
        ("PRAGMA busy_timeout = 20", Fault::Busy),
        ("SET lock_timeout = 20", Fault::LockNotAvailable),
        ("SET SESSION innodb_lock_wait_timeout = 1", Fault::LockTimeout),
    );
    db.execute_unprepared(setting).await?;
    let err = row.touch(&db).await.unwrap_err();
    assert_eq!((err.is_conflict(), err.fault()), (false, Some(fault)));
    rival.rollback().await?;
    Ok(())
}

async fn a_deadlock_is_named_and_undone(context: Context) -> Outcome {
    async fn cross(
        txn: DatabaseTransaction,
        mine: item::Model,
        theirs: item::Model,
        met: std::sync::Arc<tokio::sync::Barrier>,
    ) -> Result<(), Error> {
        mine.touch(&txn).await?;
        met.wait().await;
        let result = theirs.touch(&txn).await.map(drop);
        match &result {
            Ok(()) => txn.commit().await?,
            Err(_) => txn.rollback().await?,
        }
        result
    }
    item::create(&context).await?;
    let (one, two) = (load(&context, 1).await?, load(&context, 2).await?);
    let met = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    let mut tasks = JoinSet::new();
    for (mine, theirs) in [(one.clone(), two.clone()), (two, one)] {
        let txn = context
            .db
            .begin_with_config(Some(IsolationLevel::ReadCommitted), None)
            .await?;
        tasks.spawn(cross(txn, mine, theirs, std::sync::Arc::clone(&met)));
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = tasks.join_next().await {
        outcomes.push(outcome?.map_err(|err| err.fault()));
    }
    outcomes.sort_by_key(Result::is_ok);
    assert_eq!(outcomes, [Err(Some(Fault::Deadlock)), Ok(())]);
    let versions = (stored(&context, 1).await?.2, stored(&context, 2).await?.2);
    assert_eq!(versions, (2, 2), "the winner wrote both rows, the loser none");
    Ok(())
}

async fn a_cancelled_statement_is_named(context: Context) -> Outcome {
    item::create(&context).await?;
    let row = load(&context, 1).await?;
    let rival = context.other.begin().await?;
    row.clone().touch(&rival).await?;
    let waiting = tokio::spawn({
        let db = context.db.clone();
        async move { row.touch(&db).await }
    });
    until_blocked(&context).await?;
    let victim = context.backend.pick(
        "",
        "SELECT pid::bigint FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE \"item\"%' \
         AND pid IN (SELECT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
                     WHERE c.relnamespace = current_schema()::regnamespace)",
        "SELECT CAST(t.trx_mysql_thread_id AS SIGNED) FROM information_schema.innodb_trx t \
         JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
         WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()",
    );
    let victim = context.number(victim).await?;
    let cancel = context.backend.pick(
        String::new(),
        format!("SELECT pg_cancel_backend({victim})"),
        format!("KILL QUERY {victim}"),
    );
    context.sql(&cancel).await?;
    let err = waiting.await?.unwrap_err();
    assert_eq!((err.is_conflict(), err.fault()), (false, Some(Fault::Cancelled)));
    rival.rollback().await?;
    Ok(())
}

async fn a_statement_after_an_error_is_named(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    let row = load(&context, 1).await?;
    let mut duplicate = row.clone().into_active_model();
    duplicate.name = Set("b".to_owned());
    assert_eq!(duplicate.update(&txn).await.unwrap_err().fault(), Some(Fault::Unique));
    assert_eq!(row.touch(&txn).await.unwrap_err().fault(), Some(Fault::Aborted));
    Ok(())
}

/// The check fails, and then the question why: the failed check is what is reported, with the failed question as its
/// cause.
async fn a_conflict_outlives_a_failed_diagnosis(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut stale = load(&context, 1).await?.into_active_model();
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    stale.qty = Set(11);
    // A role that may write the columns that the update names, and read no others.
    let role = format!(
        "writer_{}",
        context
            .number("SELECT hashtext(current_schema())::bigint")
            .await?
            .unsigned_abs()
    );
    context.sql(&format!("CREATE ROLE {role}")).await?;
    for grant in [
        format!("DO $$ BEGIN EXECUTE 'GRANT USAGE ON SCHEMA ' || current_schema() || ' TO {role}'; END $$"),
        format!("GRANT UPDATE (qty, version), SELECT (id, version) ON item TO {role}"),
    ] {
        context.sql(&grant).await?;
    }
    let db = context.connect(1).await?;
    db.execute_unprepared(&format!("SET ROLE {role}")).await?;
    let err = stale.update_without_returning(&db).await.unwrap_err();
    let conflict = err.conflict().ok_or("not a conflict")?;
    assert_eq!(*conflict.found(), Found::Unknown);
    assert_eq!(err.fault(), Some(Fault::Other));
    let cause = std::error::Error::source(conflict).and_then(std::error::Error::source);
    assert!(cause.is_some_and(|cause| cause.to_string().contains("permission denied")));
    db.close().await?;
    context.sql(&format!("DROP OWNED BY {role}")).await?;
    context.sql(&format!("DROP ROLE {role}")).await?;
    Ok(())
}
