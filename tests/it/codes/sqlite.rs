//! The codes of SQLite.

use optlock::Fault;
use sea_orm::{ConnectionTrait, Database, TransactionTrait};

use super::{Tally, failure};
use crate::case::Outcome;
use crate::context::Context;
use crate::entity::item;

/// What cannot be provoked without a second process, a full disk or a signal (6, 9, 261, 262, 773, 2579) is in the unit test of the table.
pub(super) async fn run(context: &Context) -> Outcome {
    item::create(context).await?;
    let mut tally = Tally::default();
    context
        .sql(
            "CREATE TABLE child (id INTEGER PRIMARY KEY, item BIGINT NOT NULL REFERENCES item (id), small INT CHECK (small < 9)); \
             INSERT INTO child VALUES (1, 1, 1); \
             CREATE TRIGGER refuse BEFORE DELETE ON child BEGIN SELECT RAISE(ABORT, 'no'); END; \
             CREATE TABLE strange (id TEXT PRIMARY KEY); INSERT INTO strange VALUES ('a')",
        )
        .await?;
    for (code, meaning, sql) in [
        (1555, Fault::Unique, "INSERT INTO child VALUES (1, 1, 1)"),
        (
            2067,
            Fault::Unique,
            "INSERT INTO item SELECT 9, name, qty, version FROM item WHERE id = 1",
        ),
        (787, Fault::ForeignKey, "INSERT INTO child VALUES (2, 99, 1)"),
        (1299, Fault::NotNull, "INSERT INTO child (id) VALUES (2)"),
        (275, Fault::Check, "INSERT INTO child VALUES (2, 1, 10)"),
        (1811, Fault::Raised, "DELETE FROM child"),
        (1, Fault::Other, "SELECT * FROM nowhere"),
    ] {
        tally.provoked(code, meaning, &failure(context.db.execute_unprepared(sql).await));
    }

    let write = "UPDATE item SET qty = qty + 1 WHERE id = 1";
    let db = context.connect(1).await?;
    db.execute_unprepared("PRAGMA query_only = ON").await?;
    tally.provoked(8, Fault::ReadOnly, &failure(db.execute_unprepared(write).await));

    let holder = context.other.begin().await?;
    holder.execute_unprepared(write).await?;
    let db = context.connect(1).await?;
    db.execute_unprepared("PRAGMA busy_timeout = 0").await?;
    tally.provoked(5, Fault::Busy, &failure(db.execute_unprepared(write).await));
    holder.rollback().await?;

    let txn = db.begin().await?;
    txn.execute_unprepared("SELECT * FROM item").await?;
    context.sql(write).await?;
    tally.provoked(517, Fault::Serialization, &failure(txn.execute_unprepared(write).await));
    txn.rollback().await?;

    let nowhere = failure(Database::connect("sqlite:/nowhere/at/all.db?mode=ro").await);
    tally.provoked(14, Fault::Unavailable, &nowhere);
    tally.print("SQLite");
    Ok(())
}
