//! Calls that are tried again: what of their errors counts, and what becomes of them when they are dropped.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use optlock::prelude::*;
use optlock::{Backoff, Classify, Conflict, Error, Fault, Found, Policy, Report, Retry, Stop};
use sea_orm::{IsolationLevel, TransactionError, TransactionTrait};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::block_in_place;

use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};

cases![
    a_call_is_repeated_until_it_succeeds,
    a_call_that_always_loses_returns_its_last_conflict,
    errors_of_every_type_are_looked_into,
    a_transaction_of_seaorm_is_repeated_as_a_whole,
    a_conflict_with_a_snapshot_is_repeated_from_a_fresh_one,
    a_row_that_a_filter_holds_back_is_not_tried_again,
    a_constraint_is_not_tried_again,
    dropped_in_its_delay_a_call_is_not_repeated,
    a_call_that_borrows_runs_in_a_spawned_task,
    an_annotated_method_is_repeated;
    SQLITE: a_row_that_a_trigger_of_sqlite_holds_back_is_not_tried_again;
    POSTGRES: a_row_that_a_trigger_of_postgres_holds_back_is_not_tried_again;
];

type Result<T, E = Box<dyn StdError + Send + Sync>> = std::result::Result<T, E>;

const QUICK: Backoff<'static> = Backoff::constant(Duration::from_millis(1));

/// A repository whose row is changed by a rival between its read and its write, for some calls.
struct Shop {
    db: DatabaseConnection,
    rival: DatabaseConnection,
    lost: usize,
    calls: AtomicUsize,
}

impl Shop {
    fn new(context: &Context, lost: usize) -> Self {
        Self {
            db: context.db.clone(),
            rival: context.other.clone(),
            lost,
            calls: AtomicUsize::new(0),
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn interfere(&self) -> Result<(), DbErr> {
        if self.calls.fetch_add(1, Ordering::SeqCst) < self.lost {
            let rival = "UPDATE item SET qty = qty + 100, version = version + 1 WHERE id = 1";
            self.rival.execute_unprepared(rival).await?;
        }
        Ok(())
    }

    async fn take(&self, id: i64, name: &str) -> Result<item::Model, Error> {
        let row = item::Entity::find_by_id(id).one(&self.db).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound(name.to_owned()))?;
        self.interfere().await?;
        let qty = row.qty - 1;
        let mut change = row.into_active_model();
        change.qty = Set(qty);
        change.update(&self.db).await
    }

    #[optlock::retry(Policy::new().attempts(4).backoff(QUICK))]
    async fn take_annotated(&self, id: i64, name: &str) -> Result<item::Model, Error> {
        self.take(id, name).await
    }
}

async fn a_call_is_repeated_until_it_succeeds(context: Context) -> Outcome {
    item::create(&context).await?;
    let shop = Shop::new(&context, 3);
    let report = Report::new();
    let policy = Policy::new().backoff(QUICK).report(&report);
    let row = policy.retry(|| shop.take(1, "a")).await?;
    assert_eq!((row.qty, row.version), (309, 5), "three of the rival's, and ours");
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 309, 5));
    assert_eq!((shop.calls(), report.attempts(), report.stop()), (4, 4, None));
    assert_eq!(report.fault(), Some(Fault::Stale));

    // The default policy does as well.
    let row = optlock::retry(|| shop.take(1, "a")).await?;
    assert_eq!((row.qty, shop.calls()), (308, 5));
    Ok(())
}

async fn a_call_that_always_loses_returns_its_last_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    let shop = Shop::new(&context, usize::MAX);
    let report = Report::new();
    let policy = Policy::new().attempts(3).backoff(QUICK).report(&report);
    let err = policy.retry(|| shop.take(1, "a")).await.unwrap_err();
    let conflict = err.conflict().ok_or("not a conflict")?;
    assert_eq!(conflict.expected().get::<i64>(), Some(3), "the third attempt's");
    assert_eq!(*conflict.found(), Found::Changed { version: 4_i64.into() });
    assert_eq!((shop.calls(), report.stop()), (3, Some(Stop::Attempts)));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 310, 4));
    Ok(())
}

/// How often work is called that fails with a real conflict, in an error of the application's.
async fn calls<E, Kind>(context: &Context, wrap: impl Fn(Error) -> E) -> usize
where
    E: Classify<Kind>,
{
    let (mut calls, wrap) = (0, &wrap);
    let stale = item::Model {
        id: 1,
        name: "a".to_owned(),
        qty: 10,
        version: 0,
    };
    let outcome = Policy::new()
        .attempts(3)
        .backoff(QUICK)
        .retry(|| {
            calls += 1;
            let stale = stale.clone();
            async move { stale.touch(&context.db).await.map(drop).map_err(wrap) }
        })
        .await;
    assert!(outcome.is_err());
    calls
}

#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error("the store failed")]
    Store(#[from] Error),
    #[error(transparent)]
    Database(#[from] DbErr),
    #[error(transparent)]
    Conflict(#[from] Conflict),
    #[error("the row was {0}")]
    Said(String),
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Transparent(#[from] Error);

#[derive(Debug, thiserror::Error)]
enum ServiceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Transparent(#[from] Transparent),
    #[error("the order failed")]
    Any(#[source] Box<dyn StdError + Send + Sync>),
}

fn conflict(err: Error) -> Conflict {
    match err {
        Error::Conflict(conflict) => conflict,
        other => panic!("not a conflict: {other:?}"),
    }
}

async fn errors_of_every_type_are_looked_into(context: Context) -> Outcome {
    item::create(&context).await?;
    let context = &context;
    let all = [
        ("ours", calls(context, |err| err).await),
        ("DbErr", calls(context, DbErr::from).await),
        ("#[from]", calls(context, StoreError::from).await),
        ("transparent", calls(context, Transparent).await),
        (
            "transparent DbErr",
            calls(context, |err| StoreError::from(DbErr::from(err))).await,
        ),
        (
            "transparent part",
            calls(context, |err| StoreError::from(conflict(err))).await,
        ),
        (
            "transparent in transparent",
            calls(context, |err| ServiceError::from(Transparent(err))).await,
        ),
        (
            "#[from] in transparent",
            calls(context, |err| ServiceError::from(StoreError::from(err))).await,
        ),
        (
            "transparent part in transparent",
            calls(context, |err| ServiceError::from(StoreError::from(conflict(err)))).await,
        ),
        (
            "#[source] box",
            calls(context, |err| ServiceError::Any(err.into())).await,
        ),
        (
            "box in a box",
            calls(context, |err| {
                ServiceError::Any(Box::new(ServiceError::Any(DbErr::from(err).into())))
            })
            .await,
        ),
        (
            "Box<dyn Error + Send + Sync>",
            calls(context, |err| -> Box<dyn StdError + Send + Sync> {
                Box::new(StoreError::from(err))
            })
            .await,
        ),
        (
            "Box<dyn Error>",
            // It cannot cross threads, and neither can a future that has one.
            block_in_place(|| {
                let boxed = |err| -> Box<dyn StdError> { Box::new(StoreError::from(err)) };
                Handle::current().block_on(calls(context, boxed))
            }),
        ),
        (
            "anyhow",
            calls(context, |err| anyhow::Error::from(StoreError::from(err))).await,
        ),
        (
            "anyhow with a context",
            calls(context, |err| anyhow::Error::from(err).context("the order failed")).await,
        ),
        (
            "TransactionError of ours",
            calls(context, TransactionError::Transaction).await,
        ),
        (
            "TransactionError of DbErr",
            calls(context, |err| TransactionError::Transaction(DbErr::from(err))).await,
        ),
        (
            "TransactionError in an error",
            calls(context, |err| {
                ServiceError::Any(Box::new(TransactionError::Transaction(err)))
            })
            .await,
        ),
    ];
    let blind: Vec<_> = all.iter().filter(|(_, calls)| *calls != 3).collect();
    assert!(blind.is_empty(), "not seen for conflicts: {blind:?}");
    // What only says so is none.
    assert_eq!(calls(context, |err| StoreError::Said(err.to_string())).await, 1);
    Ok(())
}

async fn a_transaction_of_seaorm_is_repeated_as_a_whole(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = AtomicUsize::new(2);
    let work = || {
        // The first two attempts go wrong at their second write, after a first one that must not stay.
        let is_stale = stale
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok();
        let db = context.db.clone();
        async move {
            db.transaction::<_, item::Model, Error>(|txn| {
                Box::pin(async move {
                    let one = item::Entity::find_by_id(1).one(txn).await?;
                    let one = one.ok_or_else(|| DbErr::RecordNotFound("1".to_owned()))?;
                    let version = one.version - i64::from(is_stale);
                    let one = one.touch(txn).await?;
                    let two = item::Model { id: 2, version, ..one };
                    two.touch(txn).await
                })
            })
            .await
        }
    };
    let report = Report::new();
    let row = Policy::new().backoff(QUICK).report(&report).retry(work).await?;
    assert_eq!((row.id, row.version, report.attempts()), (2, 2, 3));
    assert_eq!(stored(&context, 1).await?.2, 2, "what failed is undone");
    assert_eq!(stored(&context, 2).await?.2, 2);
    Ok(())
}

async fn a_conflict_with_a_snapshot_is_repeated_from_a_fresh_one(context: Context) -> Outcome {
    item::create(&context).await?;
    let shop = Shop::new(&context, 2);
    // SQLite has one level only.
    let level = (context.backend != Backend::Sqlite).then_some(IsolationLevel::RepeatableRead);
    let report = Report::new();
    let policy = Policy::new().backoff(QUICK).report(&report);
    let row = policy
        .retry(|| async {
            let txn = shop.db.begin_with_config(level, None).await?;
            let row = item::Entity::find_by_id(1).one(&txn).await?;
            let row = row.ok_or_else(|| DbErr::RecordNotFound("1".to_owned()))?;
            shop.interfere().await?;
            let qty = row.qty - 1;
            let mut change = row.into_active_model();
            change.qty = Set(qty);
            let row = change.update(&txn).await?;
            txn.commit().await?;
            Ok::<_, Error>(row)
        })
        .await?;
    assert_eq!((row.qty, row.version, report.attempts()), (209, 4, 3));
    let fault = match context.backend {
        Backend::Sqlite | Backend::Postgres => Fault::Serialization,
        Backend::MariaDb => Fault::Stale,
    };
    assert_eq!(report.fault(), Some(fault));
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 209, 4));
    Ok(())
}

/// Once, and with the error that says so.
async fn is_blocked_once<Fut>(update: impl Fn(item::ActiveModel) -> Fut, context: &Context) -> Outcome
where
    Fut: Future<Output = Result<item::Model, Error>>,
{
    let mut change = load(context, 1).await?.into_active_model();
    change.qty = Set(11);
    let report = Report::new();
    let policy = Policy::new().backoff(QUICK).report(&report);
    let err = policy.retry(|| update(change.clone())).await.unwrap_err();
    assert_eq!(err.conflict().map(Conflict::found), Some(&Found::Blocked));
    assert_eq!((report.attempts(), report.fault()), (1, Some(Fault::Blocked)));
    assert_eq!(report.stop(), Some(Stop::Fault));
    assert_eq!(stored(context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn a_row_that_a_filter_holds_back_is_not_tried_again(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = &context.db;
    let update = |change| async move {
        let update = item::Entity::update(change).filter(item::Column::Qty.gte(11));
        update.exec(db).await
    };
    is_blocked_once(update, &context).await
}

async fn a_row_that_a_trigger_of_sqlite_holds_back_is_not_tried_again(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("CREATE TRIGGER guard BEFORE UPDATE ON item BEGIN SELECT RAISE(IGNORE); END")
        .await?;
    let db = &context.db;
    is_blocked_once(
        |change: item::ActiveModel| async move { change.update(db).await },
        &context,
    )
    .await
}

async fn a_row_that_a_trigger_of_postgres_holds_back_is_not_tried_again(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql(
            "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
             CREATE TRIGGER guard BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION guard()",
        )
        .await?;
    let db = &context.db;
    is_blocked_once(
        |change: item::ActiveModel| async move { change.update(db).await },
        &context,
    )
    .await
}

async fn a_constraint_is_not_tried_again(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut change = load(&context, 1).await?.into_active_model();
    change.name = Set("b".to_owned());
    let report = Report::new();
    let policy = Policy::new().backoff(QUICK).report(&report);
    let err = policy.retry(|| change.clone().update(&context.db)).await.unwrap_err();
    assert!(matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))));
    assert_eq!((report.attempts(), report.fault()), (1, Some(Fault::Unique)));
    Ok(())
}

async fn dropped_in_its_delay_a_call_is_not_repeated(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let shop = Arc::new(Shop {
        db: db.clone(),
        ..Shop::new(&context, usize::MAX)
    });
    let waits = Arc::new(Notify::new());
    let task = tokio::spawn({
        let (shop, waits) = (Arc::clone(&shop), Arc::clone(&waits));
        async move {
            let hook = |_: &Retry| waits.notify_one();
            let policy = Policy::new()
                .without_deadline()
                .backoff(Backoff::constant(Duration::from_hours(1)))
                .on_retry(&hook);
            policy.retry(|| shop.take(1, "a")).await
        }
    });
    waits.notified().await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(shop.calls(), 1);
    assert_eq!(Arc::strong_count(&shop), 1, "nothing is left behind");
    // The only connection is back, and the row is the rival's.
    let row = item::Entity::find_by_id(1).one(&db).await?.ok_or("no row")?;
    assert_eq!((row.qty, row.version), (110, 2));

    // One that is never polled does nothing at all.
    drop(Policy::new().retry(|| shop.take(1, "a")));
    assert_eq!(shop.calls(), 1);
    Ok(())
}

async fn a_call_that_borrows_runs_in_a_spawned_task(context: Context) -> Outcome {
    item::create(&context).await?;
    let shop = Shop::new(&context, 2);
    let row = tokio::spawn(async move {
        let name = String::from("a");
        let policy = Policy::new().backoff(QUICK);
        let row = policy.retry(|| shop.take(1, &name)).await?;
        assert_eq!(shop.calls(), 3);
        Ok::<_, Error>(row)
    })
    .await??;
    assert_eq!((row.qty, row.version), (209, 4));
    Ok(())
}

async fn an_annotated_method_is_repeated(context: Context) -> Outcome {
    item::create(&context).await?;
    let shop = Shop::new(&context, 3);
    let (shop, row) = tokio::spawn(async move {
        let name = String::from("a");
        let row = shop.take_annotated(1, &name).await;
        (shop, row)
    })
    .await?;
    assert_eq!((row?.version, shop.calls()), (5, 4));

    // Its policy has four attempts.
    let shop = Shop::new(&context, usize::MAX);
    assert!(shop.take_annotated(1, "a").await.unwrap_err().is_conflict());
    assert_eq!(shop.calls(), 4);
    let missing = shop.take_annotated(99, "z").await.unwrap_err();
    assert!(matches!(DbErr::from(missing), DbErr::RecordNotFound(name) if name == "z"));
    Ok(())
}
