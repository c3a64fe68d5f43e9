//! Transactions whose future is dropped, or whose closure panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use optlock::prelude::*;
use optlock::{Backoff, Clock, Error, Policy, Sleep};
use sea_orm::{IsolationLevel, TransactionTrait};
use tokio::sync::Notify;

use super::{Calls, Failure, POLICY, add, conflict, is_free, is_usable, quantities, session};
use crate::backend::Backend;
use crate::cancel::poll_times;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::wait::until_blocked;

cases![
    dropped_at_any_point_it_is_done_or_not_done,
    dropped_with_a_savepoint_and_the_other_handle_in_use_it_is_done_or_not_done,
    dropped_between_two_attempts_it_is_not_begun_again,
    a_panic_rolls_back_and_reaches_the_caller;
    SERVERS:
    dropped_while_it_waits_for_a_row_it_leaves_the_connection_usable;
    SQLITE:
    dropped_while_it_waits_for_the_database_it_leaves_the_connection_usable;
];

/// Drops what `run` returns after every number of polls, until it is ready before that. Several times over: how much is done in
/// one poll depends on how fast the server is.
async fn drop_everywhere<F, Fut>(context: Context, changed: [i64; 3], run: F) -> Outcome
where
    F: Fn(DatabaseConnection) -> Fut,
    Fut: Future<Output = Result<(), Failure>>,
{
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let before_all = session(&context, &db).await?;
    let mut half_way = 0;
    for times in (0..5).flat_map(|_| 1..60) {
        let before = quantities(&context).await?;
        let outcome = poll_times(run(db.clone()), times).await;
        let explained = |err| format!("dropped after {times} polls: {err}");
        is_usable(&context, &db).await.map_err(explained)?;
        is_free(&context).await.map_err(explained)?;
        let after = quantities(&context).await?;
        let done: Vec<_> = before.iter().zip(changed).map(|(before, by)| before + by).collect();
        assert!(
            after == done || (after == before && outcome.is_none()),
            "dropped after {times} polls: {before:?} became {after:?}"
        );
        if context.backend == Backend::MariaDb {
            let now = session(&context, &db).await?;
            assert_eq!(now, before_all, "dropped after {times} polls, the connection was lost");
        }
        match outcome {
            Some(outcome) => outcome?,
            None => half_way += 1,
        }
    }
    assert!(half_way > 5, "dropped half-way {half_way} times only");
    Ok(())
}

async fn dropped_at_any_point_it_is_done_or_not_done(context: Context) -> Outcome {
    let case = drop_everywhere(context, [1, 1, 1], |db| async move {
        POLICY
            .transaction(&db, |txn| async move {
                add(&txn, 1, 1).await?;
                // The diagnosis of a conflict is dropped half-way, too.
                assert!(conflict(&txn).await.unwrap_err().is_conflict());
                let savepoint = txn.begin().await?;
                add(&savepoint, 2, 1).await?;
                savepoint.commit().await?;
                let savepoint = txn.begin().await?;
                add(&savepoint, 1, 1).await?;
                savepoint.rollback().await?;
                add(&txn, 3, 1).await?;
                Ok(())
            })
            .await
    });
    Box::pin(case).await
}

async fn dropped_with_a_savepoint_and_the_other_handle_in_use_it_is_done_or_not_done(context: Context) -> Outcome {
    let case = drop_everywhere(context, [1, 1, 0], |db| async move {
        POLICY
            .transaction(&db, |txn| async move {
                let savepoint = txn.begin().await?;
                add(&savepoint, 1, 1).await?;
                add(&txn, 2, 1).await?;
                savepoint.commit().await?;
                Ok(())
            })
            .await
    });
    Box::pin(case).await
}

/// A clock that stands still: whoever sleeps by it does so for ever.
#[derive(Default)]
struct Frozen {
    asleep: Arc<Notify>,
    is_awake: Arc<AtomicBool>,
    now: Option<Instant>,
}

/// Says when it is dropped.
struct Sleeper(Arc<AtomicBool>);

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Clock for Frozen {
    fn now(&self) -> Instant {
        self.now.unwrap_or_else(Instant::now)
    }

    fn sleep(&self, _: Duration) -> Option<Sleep> {
        let (asleep, sleeper) = (Arc::clone(&self.asleep), Sleeper(Arc::clone(&self.is_awake)));
        Some(Box::pin(async move {
            let _sleeper = sleeper;
            asleep.notify_one();
            std::future::pending::<()>().await;
        }))
    }
}

async fn dropped_between_two_attempts_it_is_not_begun_again(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let clock = Arc::new(Frozen {
        now: Some(Instant::now()),
        ..Frozen::default()
    });
    let calls = Arc::new(Calls::default());
    let task = tokio::spawn({
        let (db, clock, calls) = (db.clone(), Arc::clone(&clock), Arc::clone(&calls));
        async move {
            Policy::new()
                .backoff(Backoff::constant(Duration::from_millis(1)))
                .clock(&*clock)
                .transaction(&db, |txn| {
                    calls.next();
                    async move {
                        add(&txn, 1, 1).await?;
                        conflict(&txn).await
                    }
                })
                .await
        }
    });
    clock.asleep.notified().await;
    // The attempt is over: while it waits, nobody else has to.
    is_free(&context).await?;
    is_usable(&context, &db).await?;
    assert!(!clock.is_awake.load(Ordering::SeqCst));
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(clock.is_awake.load(Ordering::SeqCst), "the sleep is left behind");
    assert_eq!(calls.count(), 1);
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    is_usable(&context, &db).await
}

async fn a_panic_rolls_back_and_reaches_the_caller(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let calls = Arc::new(Calls::default());
    for in_savepoint in [false, true] {
        let task = tokio::spawn({
            let (db, calls) = (db.clone(), Arc::clone(&calls));
            async move {
                POLICY
                    .transaction(&db, |txn| {
                        calls.next();
                        async move {
                            add(&txn, 1, 1).await?;
                            let savepoint = txn.begin().await?;
                            if in_savepoint {
                                add(&savepoint, 2, 1).await?;
                            } else {
                                savepoint.commit().await?;
                            }
                            // A panic that the hook does not print.
                            std::panic::resume_unwind(Box::new("on purpose"));
                            #[expect(unreachable_code, reason = "says what the closure returns")]
                            Ok::<(), Error>(())
                        }
                    })
                    .await
            }
        });
        let panic = task.await.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
        is_usable(&context, &db).await?;
        is_free(&context).await?;
        assert_eq!(quantities(&context).await?, [10, 20, 30]);
    }
    assert_eq!(calls.count(), 2);
    Ok(())
}

async fn dropped_while_it_waits_for_a_row_it_leaves_the_connection_usable(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let before = session(&context, &db).await?;
    for in_savepoint in [false, true] {
        context.sql("UPDATE item SET qty = id * 10").await?;
        let rival = context
            .other
            .begin_with_config(Some(IsolationLevel::ReadCommitted), None)
            .await?;
        add(&rival, 1, 100).await?;
        let waiting = tokio::spawn({
            let db = db.clone();
            async move {
                POLICY
                    .transaction(&db, |txn| async move {
                        add(&txn, 2, 1).await?;
                        if in_savepoint {
                            let savepoint = txn.begin().await?;
                            item::Entity::modify(&savepoint, 1, |row| row.qty += 1).await?;
                            savepoint.commit().await?;
                        } else {
                            item::Entity::modify(&txn, 1, |row| row.qty += 1).await?;
                        }
                        Ok::<_, Failure>(())
                    })
                    .await
            }
        });
        until_blocked(&context).await?;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        rival.commit().await?;
        POLICY
            .transaction(&db, |txn| async move { add(&txn, 3, 1).await })
            .await?;
        assert_eq!(quantities(&context).await?, [110, 20, 31]);
        is_usable(&context, &db).await?;
        is_free(&context).await?;
        if context.backend == Backend::MariaDb {
            assert_eq!(session(&context, &db).await?, before, "the connection was lost");
        }
    }
    Ok(())
}

async fn dropped_while_it_waits_for_the_database_it_leaves_the_connection_usable(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    for times in 1..6 {
        context.sql("UPDATE item SET qty = id * 10").await?;
        let rival = context.other.begin().await?;
        add(&rival, 1, 100).await?;
        let work = POLICY.transaction(&db, |txn| async move { add(&txn, 2, 1).await });
        let work = Box::pin(poll_times(work, times));
        let dropped = tokio::time::timeout(Duration::from_millis(20), work).await;
        assert!(!matches!(dropped, Ok(Some(_))), "nobody can begin");
        rival.commit().await?;
        POLICY
            .transaction(&db, |txn| async move { add(&txn, 3, 1).await })
            .await?;
        assert_eq!(quantities(&context).await?, [110, 20, 31]);
        is_usable(&context, &db).await?;
    }
    Ok(())
}
