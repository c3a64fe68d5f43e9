//! SQLite's transactions that have ended before their driver ends them: in a commit, on a disk that is full, or by themselves.

use std::env;
use std::process::{ExitCode, Stdio};

use optlock::prelude::*;
use optlock::{Error, Fault, Policy};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ConnectOptions, Database};
use tokio::sync::Notify;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};

cases![
    ;
    SQLITE:
    a_database_that_can_grow_no_further_has_what_is_reported_as_stored,
    what_is_reported_as_stored_is_stored_also_after_commits_that_have_failed,
    what_is_reported_as_stored_is_stored_also_after_ended_transactions_that_were_dropped;
];

/// The variable that makes this program a writer, and tells it where to write.
const WRITER_URL: &str = "OPTLOCK_TEST_WRITER_URL";

/// The writer's side of the case below, if this process is one. It writes on the one connection of its pool, and prints how often that was a success.
pub(crate) fn run_as_writer() -> Option<ExitCode> {
    let url = env::var(WRITER_URL).ok()?;
    let work = async {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await?;
        let (mut stored, mut failed) = (0, 0);
        while failed < 8 {
            let policy = Policy::new().attempts(1);
            let in_transaction = policy.transaction(&db, |txn| async move {
                item::Entity::modify(&txn, 1, |row| row.qty += 1).await?;
                Ok::<_, Error>(())
            });
            match in_transaction.await {
                Ok(()) => stored += 1,
                Err(_) => failed += 1,
            }
        }
        for _ in 0..8 {
            let on_its_own =
                item::Entity::update_by_id(1).col_expr(item::Column::Qty, item::Column::Qty.into_expr().add(1));
            stored += i64::from(on_its_own.exec(&db).await.is_ok());
        }
        println!("{stored}");
        Ok::<_, Error>(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work).expect("it can begin");
    Some(ExitCode::SUCCESS)
}

/// The database's own limit, which is met by the statement and not by the commit.
async fn a_database_that_can_grow_no_further_has_what_is_reported_as_stored(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let pages = context.number("PRAGMA page_count").await?;
    db.execute_unprepared(&format!("PRAGMA max_page_count = {}", pages + 8))
        .await?;
    let insert = async |id: i64| {
        let insert = Policy::new().transaction(&db, |txn| async move {
            let qty = item::Entity::modify(&txn, 1, |row| row.qty += 1).await?.qty;
            let name = format!("{id}{}", "n".repeat(2_000));
            let row = item::ActiveModel {
                id: Set(id),
                name: Set(name),
                qty: Set(qty),
                version: NotSet,
            };
            row.insert(&txn).await
        });
        insert.await
    };
    let (mut inserted, mut failed) = (0, 0);
    for id in 100..200 {
        match insert(id).await {
            Ok(_) => inserted += 1,
            Err(err) => {
                // Its code is 13.
                assert!(err.to_string().contains("the database reported an error"), "{err}");
                assert_eq!(err.fault(), Some(Fault::Other), "{err:?}");
                failed += 1;
            }
        }
    }
    assert!(inserted > 2 && failed > 8, "{inserted} and {failed}");
    let rows = "SELECT COUNT(*) FROM item WHERE id >= 100";
    assert_eq!(context.number(rows).await?, inserted);
    assert_eq!(
        stored(&context, 1).await?.1,
        10 + inserted,
        "a part of a transaction is stored"
    );

    db.execute_unprepared("PRAGMA max_page_count = 1000000").await?;
    insert(200).await?;
    assert_eq!(context.number(rows).await?, inserted + 1);
    Ok(())
}

async fn what_is_reported_as_stored_is_stored_also_after_commits_that_have_failed(context: Context) -> Outcome {
    item::create(&context).await?;
    context.sql("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    // No file of the writer's grows beyond fifty pages or so: the log fills up, and the database itself never does. A process is told by a signal
    // that would end it, unless it is ignored.
    let mut command = tokio::process::Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\""])
        .arg(env::current_exe()?)
        .env(WRITER_URL, context.address().0)
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let output = command.output().await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let reported: i64 = String::from_utf8(output.stdout)?.trim().parse()?;
    assert!(reported > 8, "the disk was full from the beginning");
    assert_eq!(stored(&context, 1).await?.1, 10 + reported);
    Ok(())
}

async fn what_is_reported_as_stored_is_stored_also_after_ended_transactions_that_were_dropped(
    context: Context,
) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    // The first one has ended by then; the second one is still open.
    for sql in ["ROLLBACK", "UPDATE item SET qty = 99 WHERE id = 1"] {
        let is_sent = Notify::new();
        let work = Policy::new().transaction(&db, |txn| {
            let is_sent = &is_sent;
            async move {
                txn.execute_unprepared(sql).await?;
                is_sent.notify_one();
                std::future::pending::<Result<(), Error>>().await
            }
        });
        tokio::select! {
            outcome = work => return Err(format!("it has ended: {outcome:?}").into()),
            () = is_sent.notified() => {}
        }
    }
    item::Entity::update_by_id(1)
        .col_expr(item::Column::Qty, item::Column::Qty.into_expr().add(1))
        .exec(&db)
        .await?;
    assert_eq!(stored(&context, 1).await?.1, 11);
    Ok(())
}
