//! What a subscriber of `tracing` is told.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use optlock::prelude::*;
use optlock::{Backoff, Error, Fault, Policy};
use sea_orm::ConnAcquireErr;
use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    a_retried_change_is_told_in_spans_and_events,
    a_retried_transaction_is_told_with_its_attempts,
    what_succeeds_at_once_has_no_events,
    who_gives_up_is_told_unless_the_work_refuses_at_once,
];

/// Keeps what optlock tells, one line for each span and event.
#[derive(Clone, Default)]
struct Ear {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<AtomicU64>,
}

impl Ear {
    fn note(&self, kind: &str, metadata: &Metadata<'_>, fields: impl FnOnce(&mut Line)) {
        let mut line = Line(format!(
            "{kind} {}",
            if metadata.is_span() { metadata.name() } else { "" }
        ));
        fields(&mut line);
        self.lines.lock().unwrap().push(line.0);
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Times differ from run to run.
        if !["delay", "elapsed"].contains(&field.name()) {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("optlock")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note("span", span.metadata(), |line| span.record(line));
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn event(&self, event: &Event<'_>) {
        self.note("event", event.metadata(), |line| event.record(line));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

const QUICK: Policy<'static> = Policy::new().backoff(Backoff::none()).never_lock();

async fn a_retried_change_is_told_in_spans_and_events(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = item::load(&context, 1).await?;
    context
        .sql("UPDATE item SET qty = 424242, version = 2 WHERE id = 1")
        .await?;
    let ear = Ear::default();
    let change = |row: &mut item::Model| {
        row.qty += 1;
        Ok::<_, Error>(())
    };
    QUICK
        .try_modify_model(stale, &context.db, change)
        .with_subscriber(ear.clone())
        .await?;
    assert_eq!(
        ear.lines(),
        [
            "span optlock.modify table=\"item\" key=1",
            "span optlock.attempt attempt=1",
            "event  message=conflict table=\"item\" key=1 operation=update found=the row is at version 2",
            "event  message=retries attempt=1 fault=stale",
            "span optlock.attempt attempt=2",
            "event  message=succeeded in the end attempts=2",
        ],
        "and no value of another column than the key and the version"
    );
    Ok(())
}

async fn a_retried_transaction_is_told_with_its_attempts(context: Context) -> Outcome {
    item::create(&context).await?;
    let ear = Ear::default();
    let stale = item::load(&context, 1).await?;
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    let work = |txn| {
        let stale = stale.clone();
        async move { stale.touch(&txn).await }
    };
    let outcome = QUICK
        .attempts(2)
        .transaction(&context.db, work)
        .with_subscriber(ear.clone())
        .await;
    assert!(outcome.is_err_and(|err| err.is_conflict()));
    let conflict = "event  message=conflict table=\"item\" key=1 operation=touch found=the row is at version 2";
    assert_eq!(
        ear.lines(),
        [
            "span optlock.transaction",
            "span optlock.attempt attempt=1",
            conflict,
            "event  message=retries attempt=1 fault=stale",
            "span optlock.attempt attempt=2",
            conflict,
            "event  message=gave up attempts=2 fault=stale stop=Attempts",
        ]
    );
    Ok(())
}

async fn what_succeeds_at_once_has_no_events(context: Context) -> Outcome {
    item::create(&context).await?;
    let ear = Ear::default();
    async {
        QUICK.retry(|| item::load(&context, 1)).await?;
        QUICK.transaction(&context.db, |_| async { Ok::<_, DbErr>(()) }).await?;
        item::Entity::modify(&context.db, 1, |row| row.qty = 1).await?;
        Outcome::Ok(())
    }
    .with_subscriber(ear.clone())
    .await?;
    assert!(
        ear.lines().iter().all(|line| line.starts_with("span")),
        "{:?}",
        ear.lines()
    );
    Ok(())
}

async fn who_gives_up_is_told_unless_the_work_refuses_at_once(_: Context) -> Outcome {
    type Fails = fn(u32) -> Error;

    let refused = |_| Error::from(DbErr::Custom("no".to_owned()));
    let times_out = |_| Error::from(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
    let retries = "event  message=retries attempt=1 fault=pool_timeout";
    let cases: [(Fails, u32, &[&str]); 4] = [
        (refused, 2, &[]),
        (
            times_out,
            1,
            &["event  message=gave up attempts=1 fault=pool_timeout stop=Attempts"],
        ),
        (
            |attempt| {
                let err = if attempt == 1 {
                    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
                } else {
                    DbErr::Custom("no".to_owned())
                };
                err.into()
            },
            3,
            &[retries, "event  message=gave up attempts=2 fault=other stop=Fault"],
        ),
        (
            times_out,
            2,
            &[
                retries,
                "event  message=gave up attempts=2 fault=pool_timeout stop=Attempts",
            ],
        ),
    ];
    for (fails, attempts, told) in cases {
        let ear = Ear::default();
        let mut attempt = 0;
        let work = || {
            attempt += 1;
            std::future::ready(Err::<(), _>(fails(attempt)))
        };
        let policy = QUICK.attempts(attempts).retry_on(Fault::PoolTimeout);
        let outcome = policy.retry(work).with_subscriber(ear.clone()).await;
        assert!(outcome.is_err());
        let lines = ear.lines();
        let events: Vec<_> = lines.iter().filter(|line| line.starts_with("event")).collect();
        assert_eq!(events, told);
    }
    Ok(())
}
