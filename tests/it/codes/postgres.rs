//! The codes of PostgreSQL, and of what speaks its protocol.

use std::time::Duration;

use optlock::Fault;
use sea_orm::{AccessMode, ConnectionTrait, Database, IsolationLevel, TransactionTrait};

use super::{Tally, failure};
use crate::case::Outcome;
use crate::context::Context;
use crate::entity::item;

/// Those whose cause cannot be arranged here: failovers, crashes, clusters, newer versions, deferred commits.
const RAISED: &[(&str, Fault)] = &[
    ("40003", Fault::OutcomeUnknown),
    ("08000", Fault::ConnectionLost),
    ("08003", Fault::ConnectionLost),
    ("08006", Fault::ConnectionLost),
    ("57P02", Fault::ConnectionLost),
    ("57P03", Fault::Unavailable),
    ("25P04", Fault::Cancelled),
    ("P0001", Fault::Raised),
    // Unknown to the table: never retried.
    ("OL001", Fault::Other),
    ("0A000", Fault::Other),
    ("42P01", Fault::Other),
];

pub(super) async fn run(context: &Context) -> Outcome {
    item::create(context).await?;
    let mut tally = Tally::default();
    statements(context, &mut tally).await?;
    transactions(context, &mut tally).await?;
    sessions(context, &mut tally).await?;
    for (code, meaning) in RAISED {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = '{code}'; END $$");
        let err = failure(context.db.execute_unprepared(&raise).await);
        tally.raised(code, *meaning, &err);
    }
    tally.print("PostgreSQL");
    Ok(())
}

/// What a single statement meets.
async fn statements(context: &Context, tally: &mut Tally) -> Outcome {
    context
        .sql(
            "CREATE TABLE child (id INT PRIMARY KEY, item BIGINT NOT NULL REFERENCES item, small SMALLINT CHECK (small < 9), \
             span INT4RANGE, EXCLUDE USING gist (span WITH &&)); \
             INSERT INTO child VALUES (1, 1, 1, '[1,5)')",
        )
        .await?;
    for (code, meaning, sql) in [
        ("23505", Fault::Unique, "INSERT INTO child (id, item) VALUES (1, 1)"),
        ("23P01", Fault::Unique, "INSERT INTO child VALUES (2, 1, 1, '[2,3)')"),
        (
            "23503",
            Fault::ForeignKey,
            "INSERT INTO child (id, item) VALUES (2, 99)",
        ),
        ("23502", Fault::NotNull, "INSERT INTO child (id) VALUES (2)"),
        (
            "23514",
            Fault::Check,
            "INSERT INTO child (id, item, small) VALUES (2, 1, 10)",
        ),
        (
            "22003",
            Fault::OutOfRange,
            "INSERT INTO child (id, item, small) VALUES (2, 1, 70000)",
        ),
        (
            "57014",
            Fault::Cancelled,
            "SET statement_timeout = 20; SELECT pg_sleep(5)",
        ),
    ] {
        let db = context.connect(1).await?;
        tally.provoked(code, meaning, &failure(db.execute_unprepared(sql).await));
    }
    Ok(())
}

/// What transactions do to each other, and to themselves.
async fn transactions(context: &Context, tally: &mut Tally) -> Outcome {
    let write = "UPDATE item SET qty = qty + 1 WHERE id = 1";

    let txn = context
        .db
        .begin_with_config(Some(IsolationLevel::RepeatableRead), None)
        .await?;
    txn.execute_unprepared("SELECT * FROM item").await?;
    context.sql(write).await?;
    tally.provoked(
        "40001",
        Fault::Serialization,
        &failure(txn.execute_unprepared(write).await),
    );
    tally.provoked(
        "25P02",
        Fault::Aborted,
        &failure(txn.execute_unprepared("SELECT 1").await),
    );
    txn.rollback().await?;

    let txn = context.db.begin_with_config(None, Some(AccessMode::ReadOnly)).await?;
    tally.provoked("25006", Fault::ReadOnly, &failure(txn.execute_unprepared(write).await));
    txn.rollback().await?;

    let holder = context.other.begin().await?;
    holder.execute_unprepared(write).await?;
    let nowait = "SELECT * FROM item WHERE id = 1 FOR UPDATE NOWAIT";
    let err = failure(context.db.execute_unprepared(nowait).await);
    tally.provoked("55P03", Fault::LockNotAvailable, &err);
    holder.rollback().await?;

    // Two who wait for each other: each locks one row, then wants the other's.
    let (one, two) = (context.db.begin().await?, context.other.begin().await?);
    one.execute_unprepared("UPDATE item SET qty = 0 WHERE id = 1").await?;
    two.execute_unprepared("UPDATE item SET qty = 0 WHERE id = 2").await?;
    let (first, second) = tokio::join!(one.execute_unprepared("UPDATE item SET qty = 0 WHERE id = 2"), async {
        let outcome = two.execute_unprepared("UPDATE item SET qty = 0 WHERE id = 1").await;
        if outcome.is_err() {
            two.rollback().await?;
        } else {
            two.commit().await?;
        }
        outcome
    });
    tally.provoked(
        "40P01",
        Fault::Deadlock,
        &first.err().or(second.err()).ok_or("no victim")?,
    );
    Ok(())
}

/// What becomes of sessions.
async fn sessions(context: &Context, tally: &mut Tally) -> Outcome {
    for (code, setting, begin) in [
        ("25P03", "idle_in_transaction_session_timeout", true),
        ("57P05", "idle_session_timeout", false),
    ] {
        // The server's word is there when the client speaks next, or the connection is gone by then.
        let db = context.connect(1).await?;
        let txn = db.begin().await?;
        txn.execute_unprepared(&format!("SET {setting} = 20")).await?;
        let pid = "SELECT pg_backend_pid()::bigint";
        let pid = sea_orm::Statement::from_string(txn.get_database_backend(), pid);
        let pid: i64 = txn.query_one_raw(pid).await?.ok_or("no session")?.try_get_by_index(0)?;
        if !begin {
            txn.execute_unprepared("COMMIT").await?;
        }
        let gone = format!("SELECT COUNT(*) FROM pg_stat_activity WHERE pid = {pid}");
        while context.number(&gone).await? > 0 {
            tokio::task::yield_now().await;
        }
        tally.provoked(
            code,
            Fault::ConnectionLost,
            &failure(txn.execute_unprepared("SELECT 1").await),
        );
    }

    let txn = context.db.begin().await?;
    let pid = sea_orm::Statement::from_string(txn.get_database_backend(), "SELECT pg_backend_pid()::bigint");
    let pid: i64 = txn.query_one_raw(pid).await?.ok_or("no session")?.try_get_by_index(0)?;
    context.sql(&format!("SELECT pg_terminate_backend({pid})")).await?;
    tally.provoked(
        "57P01",
        Fault::ConnectionLost,
        &failure(txn.execute_unprepared("SELECT 1").await),
    );

    // A role that may not connect: no connection is left for it. sqlx tries again until the pool's patience is at its end.
    let role = format!("nobody_{}", context.name);
    context
        .sql(&format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0"))
        .await?;
    let url = context.address().0.replacen("postgres@", &format!("{role}@"), 1);
    if url != context.address().0 {
        let mut options = sea_orm::ConnectOptions::new(url);
        options.acquire_timeout(Duration::from_millis(100)).sqlx_logging(false);
        let err = failure(Database::connect(options).await);
        assert!(
            matches!(optlock::fault(&err), Fault::PoolTimeout | Fault::Unavailable),
            "{err:?}"
        );
    }
    context.sql(&format!("DROP ROLE {role}")).await?;
    let raise = "DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = '53300'; END $$";
    tally.raised(
        "53300",
        Fault::Unavailable,
        &failure(context.db.execute_unprepared(raise).await),
    );
    Ok(())
}
