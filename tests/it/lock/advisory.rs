//! Named locks.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use optlock::prelude::*;
use optlock::{AdvisoryTransaction, Error, Fault};
use sea_orm::Statement;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};
use crate::wait::until_waiting_for_name;

cases![
    a_name_is_held_by_one_at_a_time;
    SERVERS:
    a_name_is_free_after_commit_rollback_and_drop,
    who_waits_sees_what_the_holder_committed,
    a_wait_for_a_name_is_bounded,
    names_are_any_text_and_case_counts,
    rows_are_locked_and_written_in_it,
    a_holder_that_is_dropped_at_a_statement_frees_the_name,
    a_waiter_that_is_dropped_leaves_the_queue,
    a_wait_that_is_cancelled_on_the_server_is_an_error;
    POSTGRES:
    who_waits_sees_what_the_holder_committed_at_every_level,
    a_commit_that_fails_is_an_error_and_frees_the_name,
    a_limit_of_the_session_is_reported_as_what_it_is;
    MARIADB:
    a_waiter_that_is_dropped_leaves_the_server,
    who_waits_for_long_asks_again_and_gets_the_name;
];

async fn a_name_is_held_by_one_at_a_time(context: Context) -> Outcome {
    let name = context.name.as_str();
    let first = AdvisoryTransaction::try_begin(&context.db, name).await;
    if !context.backend.expected().has_row_locks {
        assert!(matches!(first, Err(Error::Unsupported(_))), "{first:?}");
        return Ok(());
    }
    let first = first?.ok_or("the name is free")?;
    assert!(AdvisoryTransaction::try_begin(&context.other, name).await?.is_none());
    assert!(
        AdvisoryTransaction::try_begin(&context.other, &format!("{name}'"))
            .await?
            .is_some()
    );
    first.commit().await?;
    assert!(AdvisoryTransaction::try_begin(&context.other, name).await?.is_some());
    Ok(())
}

async fn a_name_is_free_after_commit_rollback_and_drop(context: Context) -> Outcome {
    let name = context.name.as_str();
    let db = context.connect(1).await?;
    for round in 0..3 {
        let held = AdvisoryTransaction::begin(&db, name).await?;
        assert!(AdvisoryTransaction::try_begin(&context.other, name).await?.is_none());
        match round {
            0 => held.commit().await?,
            1 => held.rollback().await?,
            _ => drop(held),
        }
        // A drop is noticed by the server a little later.
        let next = AdvisoryTransaction::begin_within(&context.other, name, Duration::from_secs(10)).await?;
        assert!(next.is_some(), "round {round}");
    }
    Ok(())
}

async fn who_waits_sees_what_the_holder_committed(context: Context) -> Outcome {
    let db = context.other.clone();
    the_holder_commits_while_somebody_waits(&context, db).await
}

/// The snapshot of a level above READ COMMITTED would be older than the wait.
async fn who_waits_sees_what_the_holder_committed_at_every_level(context: Context) -> Outcome {
    let db = context.connect(1).await?;
    db.execute_unprepared("SET default_transaction_isolation = 'serializable'")
        .await?;
    the_holder_commits_while_somebody_waits(&context, db).await
}

async fn the_holder_commits_while_somebody_waits(context: &Context, waiter: DatabaseConnection) -> Outcome {
    item::create(context).await?;
    let holder = AdvisoryTransaction::begin(&context.db, &context.name).await?;
    let waiting = tokio::spawn({
        let name = context.name.clone();
        async move {
            // With a limit, which takes a statement of its own on PostgreSQL, ahead of the wait.
            let txn = AdvisoryTransaction::begin_within(&waiter, &name, Duration::from_mins(1)).await?;
            let txn = txn.ok_or(DbErr::Custom("no lock".to_owned()))?;
            let row = item::Entity::find_by_id(1).one(&*txn).await?;
            txn.commit().await?;
            Ok::<_, Error>(row.map(|row| row.qty))
        }
    });
    until_waiting_for_name(context, &context.name).await?;
    let row = item::Entity::find_by_id(1).for_update().one(&*holder).await?;
    row.ok_or("no row")?.update(|row| row.qty = 42).await?;
    holder.commit().await?;
    assert_eq!(waiting.await??, Some(42));
    Ok(())
}

/// It is not begun again behind the back of whoever cancelled it.
async fn a_wait_that_is_cancelled_on_the_server_is_an_error(context: Context) -> Outcome {
    let name = context.name.as_str();
    let _holder = AdvisoryTransaction::begin(&context.db, name).await?;
    let waiting = tokio::spawn({
        let (db, name) = (context.connect(1).await?, name.to_owned());
        async move { AdvisoryTransaction::begin(&db, &name).await.map(drop) }
    });
    until_waiting_for_name(&context, name).await?;
    let waiter = context.backend.pick(
        String::new(),
        format!(
            "SELECT pid::bigint FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
             AND ((classid::bigint << 32) | objid::bigint) = hashtextextended('{name}', 0)"
        ),
        "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE state = 'User lock' AND db = DATABASE()"
            .to_owned(),
    );
    let waiter = context.number(&waiter).await?;
    let cancel = context.backend.pick(
        String::new(),
        format!("SELECT pg_cancel_backend({waiter})"),
        format!("KILL QUERY {waiter}"),
    );
    context.sql(&cancel).await?;
    let err = waiting.await?.unwrap_err();
    assert!(!err.is_lock_unavailable(), "{err:?}");
    Ok(())
}

async fn a_limit_of_the_session_is_reported_as_what_it_is(context: Context) -> Outcome {
    let name = context.name.as_str();
    let _holder = AdvisoryTransaction::begin(&context.db, name).await?;
    let db = context.connect(1).await?;
    db.execute_unprepared("SET lock_timeout = 20").await?;
    let err = AdvisoryTransaction::begin(&db, name).await.unwrap_err();
    assert_eq!(err.fault(), Some(Fault::LockTimeout));
    Ok(())
}

/// While the lock is still held: no connection is left behind that waits for it.
async fn a_waiter_that_is_dropped_leaves_the_server(context: Context) -> Outcome {
    let name = context.name.as_str();
    let holder = AdvisoryTransaction::begin(&context.db, name).await?;
    for _ in 0..3 {
        let waiting = tokio::spawn({
            let (db, name) = (context.db.clone(), name.to_owned());
            async move { AdvisoryTransaction::begin(&db, &name).await.map(drop) }
        });
        until_waiting_for_name(&context, name).await?;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        crate::wait::until_nobody_waits_for_a_name(&context).await?;
    }
    holder.commit().await?;
    Ok(())
}

/// Every five seconds, with a limit and without one.
async fn who_waits_for_long_asks_again_and_gets_the_name(context: Context) -> Outcome {
    let name = context.name.as_str();
    let holder = AdvisoryTransaction::begin(&context.db, name).await?;
    let for_ever = tokio::spawn({
        let (db, name) = (context.db.clone(), name.to_owned());
        async move { AdvisoryTransaction::begin(&db, &name).await?.commit().await }
    });
    let for_a_minute = tokio::spawn({
        let (db, name) = (context.db.clone(), name.to_owned());
        async move {
            let minute = Duration::from_mins(1);
            let txn = AdvisoryTransaction::begin_within(&db, &name, minute).await?;
            txn.expect("it is free in time").commit().await
        }
    });
    // The statements with which each session has waited.
    let mut asked: HashMap<i64, HashSet<i64>> = HashMap::new();
    let query = "SELECT id, query_id FROM information_schema.processlist WHERE state = 'User lock' AND db = DATABASE()";
    while asked.len() < 2 || asked.values().any(|statements| statements.len() < 2) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let statement = Statement::from_string(context.other.get_database_backend(), query);
        for row in context.other.query_all_raw(statement).await? {
            let (session, statement) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            asked.entry(session).or_default().insert(statement);
        }
    }
    holder.commit().await?;
    for_ever.await??;
    for_a_minute.await??;
    Ok(())
}

async fn a_commit_that_fails_is_an_error_and_frees_the_name(context: Context) -> Outcome {
    let name = context.name.as_str();
    item::create(&context).await?;
    context
        .sql("ALTER TABLE item ADD CONSTRAINT once UNIQUE (qty) DEFERRABLE INITIALLY DEFERRED")
        .await?;
    let txn = AdvisoryTransaction::begin(&context.db, name).await?;
    txn.execute_unprepared("UPDATE item SET qty = 7").await?;
    let err = txn.commit().await.unwrap_err();
    assert_eq!(err.fault(), Some(Fault::Unique), "{err:?}");
    assert_eq!(stored(&context, 1).await?.1, 10);
    AdvisoryTransaction::begin(&context.other, name)
        .await?
        .rollback()
        .await?;
    Ok(())
}

async fn a_wait_for_a_name_is_bounded(context: Context) -> Outcome {
    let name = context.name.as_str();
    let _holder = AdvisoryTransaction::begin(&context.db, name).await?;
    let started = Instant::now();
    let limit = Duration::from_millis(50);
    assert!(
        AdvisoryTransaction::begin_within(&context.other, name, limit)
            .await?
            .is_none()
    );
    assert!(started.elapsed() >= limit);
    Ok(())
}

async fn names_are_any_text_and_case_counts(context: Context) -> Outcome {
    let name = context.name.as_str();
    let long = "x".repeat(500);
    let db = context.connect(8).await?;
    let mut held = Vec::new();
    for end in ["", "a", "A", "a ", "it's \"`", "\u{e4}", long.as_str()] {
        let name = format!("{name}{end}");
        let txn = AdvisoryTransaction::try_begin(&db, &name).await?;
        held.push(txn.ok_or_else(|| format!("`{name}` is taken for another name"))?);
        assert!(AdvisoryTransaction::try_begin(&db, &name).await?.is_none());
    }
    Ok(())
}

async fn rows_are_locked_and_written_in_it(context: Context) -> Outcome {
    let name = context.name.as_str();
    item::create(&context).await?;
    let txn = AdvisoryTransaction::begin(&context.db, name).await?;
    let row = item::Entity::find_by_id(1)
        .for_update()
        .one(&*txn)
        .await?
        .ok_or("no row")?;
    row.update(|row| row.qty += 1).await?;
    load(&context, 2).await?.touch(&*txn).await?;
    txn.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 2));
    Ok(())
}

/// In the middle of a statement: no lock goes back into a pool.
async fn a_holder_that_is_dropped_at_a_statement_frees_the_name(context: Context) -> Outcome {
    let name = context.name.as_str();
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let rival = super::begin(&context.other).await?;
    let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
    let holder = tokio::spawn({
        let (db, name) = (db.clone(), name.to_owned());
        async move {
            let txn = AdvisoryTransaction::begin(&db, &name).await?;
            item::Entity::find_by_id(1).for_update().one(&*txn).await.map(drop)
        }
    });
    crate::wait::until_blocked(&context).await?;
    holder.abort();
    assert!(holder.await.unwrap_err().is_cancelled());
    rival.rollback().await?;
    let next = AdvisoryTransaction::begin_within(&db, name, Duration::from_secs(10)).await?;
    assert!(next.is_some());
    Ok(())
}

async fn a_waiter_that_is_dropped_leaves_the_queue(context: Context) -> Outcome {
    let name = context.name.as_str();
    let holder = AdvisoryTransaction::begin(&context.db, name).await?;
    let db = context.connect(1).await?;
    let waiting = tokio::spawn({
        let (db, name) = (db.clone(), name.to_owned());
        async move { AdvisoryTransaction::begin(&db, &name).await.map(drop) }
    });
    until_waiting_for_name(&context, name).await?;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    holder.commit().await?;
    let next = AdvisoryTransaction::begin_within(&db, name, Duration::from_secs(10)).await?;
    assert!(next.is_some());
    Ok(())
}
