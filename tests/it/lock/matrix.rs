//! Every strength times every wait times every backend: the SQL, and what it does while a rival holds a row.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use optlock::prelude::*;
use optlock::{Error, Fault, LockSelect, TransactionState, WaitSaid};
use sea_orm::{DatabaseTransaction, DbBackend, Select, TransactionTrait};

use super::{Result, begin};
use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::wait::until_blocked;

cases![
    every_strength_and_wait_does_what_it_says_while_a_rival_holds_the_row,
    what_is_unsupported_sends_no_sql,
    what_is_sent_around_a_read_is_the_documented_list;
    SQLITE:
    the_sql_of_every_strength_and_wait_is_the_documented_one,
];

/// What takes the write lock of an SQLite database.
const WRITE: &str = r#"UPDATE "item" SET "id" = "id" WHERE FALSE"#;

const LIMIT: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strength {
    Update,
    NoKeyUpdate,
    Share,
    KeyShare,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    AsSet,
    Nowait,
    SkipLocked,
    AtMost,
}

const STRENGTHS: [Strength; 4] = [
    Strength::Update,
    Strength::NoKeyUpdate,
    Strength::Share,
    Strength::KeyShare,
];
const WAITS: [Wait; 4] = [Wait::AsSet, Wait::Nowait, Wait::SkipLocked, Wait::AtMost];

type Lock = LockSelect<Select<item::Entity>, WaitSaid>;

/// A lock whose waiting is said, or not.
enum AnyLock {
    Said(Lock),
    Unsaid(LockSelect<Select<item::Entity>>),
}

impl AnyLock {
    fn new(select: Select<item::Entity>, strength: Strength, wait: Wait) -> Self {
        let lock = match strength {
            Strength::Update => select.for_update(),
            Strength::NoKeyUpdate => select.for_no_key_update(),
            Strength::Share => select.for_share(),
            Strength::KeyShare => select.for_key_share(),
        };
        match wait {
            Wait::AsSet => Self::Unsaid(lock),
            Wait::Nowait => Self::Said(lock.nowait()),
            Wait::SkipLocked => Self::Said(lock.skip_locked()),
            Wait::AtMost => Self::Said(lock.wait(LIMIT)),
        }
    }

    fn build(&self, backend: DbBackend) -> std::result::Result<String, Error> {
        match self {
            Self::Said(lock) => lock.build(backend),
            Self::Unsaid(lock) => lock.build(backend),
        }
        .map(|statement| statement.to_string())
    }

    async fn ids(self, txn: &DatabaseTransaction) -> std::result::Result<Vec<i64>, Error> {
        let rows = match self {
            Self::Said(lock) => lock.all(txn).await?,
            Self::Unsaid(lock) => lock.all(txn).await?,
        };
        Ok(rows.iter().map(|row| row.id).collect())
    }
}

fn is_supported(backend: Backend, strength: Strength) -> bool {
    backend.expected().has_key_locks || matches!(strength, Strength::Update | Strength::Share)
}

/// BACKENDS.md shows a table of the SQL, made by this case: when it fails, it prints the table as it is now.
async fn the_sql_of_every_strength_and_wait_is_the_documented_one(_: Context) -> Outcome {
    let mut table = String::from("| lock | wait | PostgreSQL | MySQL, MariaDB |\n| --- | --- | --- | --- |\n");
    for strength in STRENGTHS {
        for wait in WAITS {
            let sql = |backend| match AnyLock::new(item::Entity::find_by_id(7), strength, wait).build(backend) {
                Ok(sql) => {
                    let clause = sql.split_once(" = 7 ").map_or(sql.as_str(), |(_, clause)| clause);
                    let hint = sql
                        .find("/*+")
                        .map(|at| &sql[at..=sql[at..].find("*/").unwrap_or(0) + at + 1]);
                    let hint = hint.map_or(String::new(), |hint| format!("`SELECT {hint} …` "));
                    format!("{hint}`{clause}`")
                }
                Err(Error::Unsupported(_)) => "`Unsupported`".to_owned(),
                Err(err) => panic!("{err}"),
            };
            let (postgres, mysql) = (sql(DbBackend::Postgres), sql(DbBackend::MySql));
            writeln!(table, "| {strength:?} | {wait:?} | {postgres} | {mysql} |")?;
            assert_eq!(
                AnyLock::new(item::Entity::find_by_id(7), strength, wait).build(DbBackend::Sqlite)?,
                r#"SELECT "item"."id", "item"."name", "item"."qty", "item"."version" FROM "item" WHERE "item"."id" = 7"#
            );
        }
    }
    for (from, to) in [
        ("| Update ", "| `for_update()` "),
        ("| NoKeyUpdate ", "| `for_no_key_update()` "),
        ("| Share ", "| `for_share()` "),
        ("| KeyShare ", "| `for_key_share()` "),
        ("| AsSet ", "| as set "),
        ("| Nowait ", "| `nowait()` "),
        ("| SkipLocked ", "| `skip_locked()` "),
        ("| AtMost ", "| `wait(200 ms)` "),
    ] {
        table = table.replace(from, to);
    }
    let documented = include_str!("../../../BACKENDS.md");
    assert!(documented.contains(&table), "BACKENDS.md should have:\n{table}");
    Ok(())
}

async fn what_is_unsupported_sends_no_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    context.take_statements();
    for strength in STRENGTHS {
        for wait in WAITS {
            let result = AnyLock::new(item::Entity::find_by_id(1), strength, wait)
                .ids(&txn)
                .await;
            let sent = context.take_statements();
            if is_supported(context.backend, strength) {
                assert_eq!(result?, [1], "{strength:?} {wait:?}");
                continue;
            }
            let Err(Error::Unsupported(err)) = result else {
                panic!("{strength:?} {wait:?}: {result:?}");
            };
            assert!(
                err.to_string().starts_with("MySQL or MariaDB does not support FOR "),
                "{err}"
            );
            assert_eq!(sent, <Vec<String>>::new());
        }
    }
    let narrowed = item::Entity::find_by_id(1)
        .for_update()
        .of(item::Entity)
        .one(&txn)
        .await;
    if context.backend.expected().locks_one_table_of_several {
        assert!(narrowed?.is_some());
    } else {
        assert!(matches!(narrowed, Err(Error::Unsupported(_))));
        assert_eq!(context.take_statements(), <Vec<String>>::new());
    }
    Ok(())
}

async fn what_is_sent_around_a_read_is_the_documented_list(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    for wait in WAITS {
        context.take_statements();
        AnyLock::new(item::Entity::find_by_id(1), Strength::Update, wait)
            .ids(&txn)
            .await?;
        let sent: Vec<_> = context
            .take_statements()
            .into_iter()
            .map(|sql| {
                if sql.contains("FROM") && sql.contains("item") {
                    "the read".to_owned()
                } else {
                    sql
                }
            })
            .collect();
        let expected: &[&str] = match (wait, context.backend) {
            (Wait::AsSet | Wait::SkipLocked, Backend::Sqlite) => &[WRITE, "the read"],
            (Wait::Nowait, Backend::Sqlite) => &[
                "PRAGMA busy_timeout",
                "PRAGMA busy_timeout = 0",
                WRITE,
                "PRAGMA busy_timeout = 5000",
                "the read",
            ],
            (Wait::AtMost, Backend::Sqlite) => &[
                "PRAGMA busy_timeout",
                "PRAGMA busy_timeout = 200",
                WRITE,
                "PRAGMA busy_timeout = 5000",
                "the read",
            ],
            (Wait::AtMost, Backend::Postgres) => &[
                "SELECT current_setting('lock_timeout'), set_config('lock_timeout', $1, TRUE)",
                "the read",
                "SELECT set_config('lock_timeout', $1, TRUE)",
            ],
            _ => &["the read"],
        };
        assert_eq!(sent, expected, "{wait:?}");
    }
    Ok(())
}

async fn every_strength_and_wait_does_what_it_says_while_a_rival_holds_the_row(context: Context) -> Outcome {
    item::create(&context).await?;
    for strength in STRENGTHS
        .into_iter()
        .filter(|strength| is_supported(context.backend, *strength))
    {
        for wait in WAITS {
            check(&context, strength, wait)
                .await
                .map_err(|err| format!("{strength:?} {wait:?}: {err}"))?;
        }
    }
    Ok(())
}

async fn check(context: &Context, strength: Strength, wait: Wait) -> Result<()> {
    let rival = begin(&context.other).await?;
    // Keeps out every other lock.
    let held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
    assert_eq!(held.map(|row| row.id), Some(1));

    let has_row_locks = context.backend.expected().has_row_locks;
    match wait {
        Wait::Nowait | Wait::AtMost => is_refused(context, rival, strength, wait).await,
        Wait::SkipLocked if has_row_locks => {
            let txn = context.db.begin().await?;
            assert_eq!(
                AnyLock::new(item::Entity::find(), strength, wait).ids(&txn).await?,
                [2, 3]
            );
            Ok(rival.rollback().await?)
        }
        // On SQLite it is the database that is waited for, and nobody shows that.
        Wait::AsSet | Wait::SkipLocked => {
            let db = context.db.clone();
            let waiting = tokio::spawn(async move {
                let txn = db.begin().await?;
                AnyLock::new(item::Entity::find(), strength, wait).ids(&txn).await
            });
            if has_row_locks {
                until_blocked(context).await?;
            }
            rival.rollback().await?;
            assert_eq!(waiting.await??, [1, 2, 3]);
            Ok(())
        }
    }
}

async fn is_refused(context: &Context, rival: DatabaseTransaction, strength: Strength, wait: Wait) -> Result<()> {
    let lock = || AnyLock::new(item::Entity::find(), strength, wait);
    let mut took = Vec::new();
    let (txn, err) = loop {
        let txn = context.db.begin().await?;
        let started = Instant::now();
        let Err(Error::Lock(err)) = lock().ids(&txn).await else {
            return Err("the lock was granted".into());
        };
        took.push(started.elapsed());
        // How busy the machine is makes no wait of it.
        if wait == Wait::AtMost || took.len() == 3 {
            break (txn, err);
        }
    };
    let quickest = took.iter().min().ok_or("no time")?;
    if wait == Wait::Nowait {
        assert!(*quickest < Duration::from_millis(500), "{quickest:?}");
        assert_eq!(err.fault(), Fault::LockNotAvailable);
    } else {
        // Rounded up to a second, at most.
        assert!(
            LIMIT <= *quickest && *quickest < Duration::from_secs(10),
            "{quickest:?}"
        );
        assert_eq!(err.fault(), Fault::LockTimeout);
    }
    let state = if ends_transactions(context).await? {
        TransactionState::RolledBack
    } else if context.backend.expected().survives_errors {
        TransactionState::Usable
    } else {
        TransactionState::MustRollBack
    };
    assert_eq!(err.transaction(), state);
    assert_eq!((err.target(), err.operation()), ("item", optlock::Operation::Lock));
    assert!(Error::from(err).is_lock_unavailable());

    rival.rollback().await?;
    match state {
        TransactionState::Usable => assert_eq!(lock().ids(&txn).await?, [1, 2, 3], "the transaction can go on"),
        TransactionState::RolledBack => {
            let write = txn.execute_unprepared("UPDATE item SET qty = 77").await.unwrap_err();
            assert_eq!(Error::from(write).fault(), Some(Fault::ReadOnly));
        }
        TransactionState::MustRollBack => {}
    }
    Ok(txn.rollback().await?)
}

/// Whether a lock timeout ends the whole transaction: MariaDB with `innodb_rollback_on_timeout`, which can be set only when it
/// starts. The private server has it off; point the tests at another one to see them with it.
async fn ends_transactions(context: &Context) -> Result<bool> {
    Ok(context.backend == Backend::MariaDb && context.number("SELECT @@innodb_rollback_on_timeout").await? == 1)
}
