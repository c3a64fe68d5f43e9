//! The codes of MariaDB and MySQL, and of what speaks their protocol.

use optlock::Fault;
use sea_orm::{AccessMode, ConnectionTrait, IsolationLevel, Statement, TransactionTrait};

use super::{Tally, failure};
use crate::case::Outcome;
use crate::context::Context;
use crate::entity::item;
use crate::wait::until_blocked;

/// Those whose cause cannot be arranged here: other servers, clusters, failovers, full tables of locks, what is said to the client alone.
const RAISED: &[(u16, Fault)] = &[
    (1022, Fault::Unique),
    (1040, Fault::Unavailable),
    (1047, Fault::Unavailable),
    (1053, Fault::ConnectionLost),
    (1169, Fault::Unique),
    (1180, Fault::OutcomeUnknown),
    (1203, Fault::Unavailable),
    (1206, Fault::OutOfLocks),
    (1216, Fault::ForeignKey),
    (1217, Fault::ForeignKey),
    (1290, Fault::ReadOnly),
    (1557, Fault::ForeignKey),
    (1586, Fault::Unique),
    (1761, Fault::ForeignKey),
    (1762, Fault::ForeignKey),
    (1836, Fault::ReadOnly),
    (1859, Fault::Unique),
    (1927, Fault::ConnectionLost),
    (2006, Fault::ConnectionLost),
    (2013, Fault::ConnectionLost),
    (3024, Fault::Cancelled),
    (3058, Fault::Deadlock),
    (3101, Fault::Serialization),
    (3572, Fault::LockNotAvailable),
    (3819, Fault::Check),
    (4031, Fault::ConnectionLost),
    (8002, Fault::Serialization),
    (8022, Fault::Serialization),
    (8028, Fault::Serialization),
    (9001, Fault::Unavailable),
    (9005, Fault::Unavailable),
    (9007, Fault::Serialization),
    // Unknown to the table: never retried. A SQLSTATE of 40001 says nothing here.
    (1105, Fault::Other),
    (1146, Fault::Other),
];

pub(super) async fn run(context: &Context) -> Outcome {
    item::create(context).await?;
    let mut tally = Tally::default();
    statements(context, &mut tally).await?;
    transactions(context, &mut tally).await?;
    cancelled(context, &mut tally).await?;
    for (number, meaning) in RAISED {
        let raise = format!("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'raised'");
        tally.raised(number, *meaning, &failure(context.db.execute_unprepared(&raise).await));
    }
    tally.print("MariaDB");
    Ok(())
}

/// What a single statement meets.
async fn statements(context: &Context, tally: &mut Tally) -> Outcome {
    for sql in [
        "CREATE TABLE child (id INT PRIMARY KEY, item BIGINT NOT NULL, small TINYINT, CHECK (small < 9), \
         FOREIGN KEY (item) REFERENCES item (id))",
        "INSERT INTO child VALUES (1, 1, 1)",
    ] {
        context.sql(sql).await?;
    }
    for (number, meaning, sql) in [
        (1062, Fault::Unique, "INSERT INTO child VALUES (1, 1, 1)"),
        (1452, Fault::ForeignKey, "INSERT INTO child VALUES (2, 99, 1)"),
        (1451, Fault::ForeignKey, "DELETE FROM item WHERE id = 1"),
        (1048, Fault::NotNull, "INSERT INTO child VALUES (2, NULL, 1)"),
        (1364, Fault::NotNull, "INSERT INTO child (id) VALUES (2)"),
        (4025, Fault::Check, "INSERT INTO child VALUES (2, 1, 10)"),
        (1264, Fault::OutOfRange, "INSERT INTO child VALUES (2, 1, 1000)"),
        (
            1690,
            Fault::OutOfRange,
            "UPDATE item SET qty = qty + 18446744073709551615",
        ),
        (1644, Fault::Raised, "SIGNAL SQLSTATE '45000'"),
        (1305, Fault::Aborted, "ROLLBACK TO SAVEPOINT nowhere"),
        (
            1969,
            Fault::Cancelled,
            "SET STATEMENT max_statement_time = 0.02 FOR SELECT SLEEP(5)",
        ),
    ] {
        tally.provoked(number, meaning, &failure(context.db.execute_unprepared(sql).await));
    }
    Ok(())
}

/// What transactions do to each other, and to themselves.
async fn transactions(context: &Context, tally: &mut Tally) -> Outcome {
    let write = "UPDATE item SET qty = qty + 1 WHERE id = 1";

    let db = context.connect(1).await?;
    db.execute_unprepared("SET SESSION innodb_snapshot_isolation = ON")
        .await?;
    let txn = db.begin_with_config(Some(IsolationLevel::RepeatableRead), None).await?;
    txn.execute_unprepared("SELECT * FROM item").await?;
    context.sql(write).await?;
    tally.provoked(
        1020,
        Fault::Serialization,
        &failure(txn.execute_unprepared(write).await),
    );
    txn.rollback().await?;

    let txn = context.db.begin_with_config(None, Some(AccessMode::ReadOnly)).await?;
    tally.provoked(1792, Fault::ReadOnly, &failure(txn.execute_unprepared(write).await));
    txn.rollback().await?;

    let holder = context.other.begin().await?;
    holder.execute_unprepared(write).await?;
    let nowait = "SELECT * FROM item WHERE id = 1 FOR UPDATE NOWAIT";
    let err = failure(context.db.execute_unprepared(nowait).await);
    tally.provoked(1205, Fault::LockTimeout, &err);
    holder.rollback().await?;

    // Two who wait for each other: each locks one row, then wants the other's.
    let (one, two) = (context.db.begin().await?, context.other.begin().await?);
    one.execute_unprepared("UPDATE item SET qty = 0 WHERE id = 1").await?;
    two.execute_unprepared("UPDATE item SET qty = 0 WHERE id = 2").await?;
    let (first, second) = tokio::join!(
        async {
            let outcome = one.execute_unprepared("UPDATE item SET qty = 0 WHERE id = 2").await;
            one.rollback().await?;
            outcome
        },
        async {
            let outcome = two.execute_unprepared("UPDATE item SET qty = 0 WHERE id = 1").await;
            two.rollback().await?;
            outcome
        }
    );
    tally.provoked(1213, Fault::Deadlock, &first.err().or(second.err()).ok_or("no victim")?);
    Ok(())
}

/// A statement that somebody cancels, and a session that somebody ends.
async fn cancelled(context: &Context, tally: &mut Tally) -> Outcome {
    let holder = context.other.begin().await?;
    holder
        .execute_unprepared("UPDATE item SET qty = 0 WHERE id = 1")
        .await?;
    let db = context.connect(1).await?;
    let session = Statement::from_string(db.get_database_backend(), "SELECT CAST(CONNECTION_ID() AS SIGNED)");
    let session: i64 = db
        .query_one_raw(session)
        .await?
        .ok_or("no session")?
        .try_get_by_index(0)?;
    let write = || {
        let db = db.clone();
        tokio::spawn(async move { db.execute_unprepared("UPDATE item SET qty = 1 WHERE id = 1").await })
    };
    let waiting = write();
    until_blocked(context).await?;
    context.sql(&format!("KILL QUERY {session}")).await?;
    tally.provoked(1317, Fault::Cancelled, &failure(waiting.await?));

    let waiting = write();
    until_blocked(context).await?;
    context.sql(&format!("KILL {session}")).await?;
    let err = failure(waiting.await?);
    assert_eq!(optlock::fault(&err), Fault::ConnectionLost, "{err:?}");
    holder.rollback().await?;
    Ok(())
}
