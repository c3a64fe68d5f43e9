//! Rows that are locked first, because too many rounds were lost.

use std::time::{Duration, Instant};

use optlock::prelude::*;
use optlock::{Clock, Fault, Policy, Report, Sleep};
use sea_orm::IsolationLevel;

use super::{QUICK, insert_item, is_held, meanwhile, reads, writes};
use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load, stored};

cases![
    after_three_lost_rounds_the_row_is_locked,
    a_row_can_be_locked_after_one_lost_round_or_at_once,
    a_model_in_hand_is_read_again_under_the_lock,
    a_row_that_is_not_there_is_named_under_the_lock_too,
    a_locked_round_that_changes_nothing_writes_nothing,
    a_refusal_under_the_lock_lets_go_of_it,
    a_row_with_many_writers_is_locked_from_the_start_for_a_while,
    an_error_that_is_no_conflict_is_no_lost_round;
    POSTGRES: an_error_that_is_no_conflict_leaves_the_level_as_it_is;
    SERVERS:
    a_wait_for_the_lock_can_be_bounded, whoever_waits_for_the_lock_changes_the_row_that_won;
];

/// Whether the last of these statements, or on SQLite any, is what locks a row.
fn locks(context: &Context, sent: &[String]) -> bool {
    match context.backend {
        // A transaction with the write lock of the database shows as the write to no row that makes sure of it.
        Backend::Sqlite => sent.iter().any(|sql| sql.ends_with("WHERE FALSE")),
        Backend::Postgres => sent.last().is_some_and(|sql| sql.contains(" FOR NO KEY UPDATE")),
        Backend::MariaDb => sent.last().is_some_and(|sql| sql.contains(" FOR UPDATE")),
    }
}

fn win(context: &Context, id: i64) {
    meanwhile(
        context,
        &format!("UPDATE item SET qty = qty + 100, version = version + 1 WHERE id = {id}"),
    );
}

async fn after_three_lost_rounds_the_row_is_locked(context: Context) -> Outcome {
    item::create(&context).await?;
    let id = context.backend.pick(320, 321, 322);
    insert_item(&context, id, 10).await?;
    context.take_statements();
    let report = Report::new();
    let mut seen = Vec::new();
    let row = Policy::new()
        .report(&report)
        .modify(item::Entity, &context.db, id, |row| {
            let sent = context.take_statements();
            let is_held = is_held(&context, id);
            seen.push((row.qty, is_held));
            // The diagnosis of the last round, which locks the row for a moment on MariaDB, and the read of this one.
            assert_eq!(reads(&sent), 1 + usize::from(is_held), "{sent:?}");
            assert!(!is_held || locks(&context, &sent), "{sent:?}");
            if !is_held {
                win(&context, id);
            }
            row.qty += 1;
        })
        .await?;
    assert_eq!(seen, [(10, false), (110, false), (210, false), (310, true)]);
    assert_eq!((row.qty, row.version, report.attempts()), (311, 5, 4));
    assert_eq!(stored(&context, id).await?.1, 311);
    Ok(())
}

async fn a_row_can_be_locked_after_one_lost_round_or_at_once(context: Context) -> Outcome {
    item::create(&context).await?;
    for (lock_after, id) in [(1, context.backend.pick(330, 331, 332)), (0, 2)] {
        insert_item(&context, id + 1_000, 10).await?;
        let id = id + 1_000;
        let mut seen = Vec::new();
        let row = QUICK
            .lock_after(lock_after)
            .modify(item::Entity, &context.db, id, |row| {
                let is_held = is_held(&context, id);
                seen.push(is_held);
                if !is_held {
                    win(&context, id);
                }
                row.qty += 1;
            })
            .await?;
        let expected: &[bool] = if lock_after == 0 { &[true] } else { &[false, true] };
        assert_eq!(seen, expected, "lock_after({lock_after})");
        assert_eq!(row.version, 2 + i64::from(lock_after));
    }
    Ok(())
}

async fn a_model_in_hand_is_read_again_under_the_lock(context: Context) -> Outcome {
    item::create(&context).await?;
    let stale = load(&context, 2).await?;
    context
        .sql("UPDATE item SET qty = 99, version = 2 WHERE id = 2")
        .await?;
    let mut seen = Vec::new();
    let row = QUICK
        .lock_after(0)
        .try_modify_model(stale, &context.db, |row| {
            seen.push(row.qty);
            row.qty += 1;
            Ok::<_, optlock::Error>(())
        })
        .await?;
    assert_eq!((row.qty, row.version, seen), (100, 3, vec![99]));
    Ok(())
}

async fn a_row_that_is_not_there_is_named_under_the_lock_too(context: Context) -> Outcome {
    item::create(&context).await?;
    let policy = QUICK.lock_after(0);
    let missing = policy.modify(item::Entity, &context.db, 98, |_| ()).await.unwrap_err();
    assert!(matches!(missing, optlock::Error::MissingRows(_)), "{missing:?}");
    Ok(())
}

async fn a_locked_round_that_changes_nothing_writes_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let row = QUICK.lock_after(0).modify(item::Entity, &context.db, 2, |_| ()).await?;
    let sent = context.take_statements();
    assert_eq!((reads(&sent), writes(&sent)), (1, Vec::new()), "{sent:?}");
    assert_eq!((row.qty, row.version), (20, 1));
    Ok(())
}

async fn a_refusal_under_the_lock_lets_go_of_it(context: Context) -> Outcome {
    item::create(&context).await?;
    let policy = QUICK.lock_after(0);
    let refused = policy.try_modify(item::Entity, &context.db, 2, |row| {
        assert!(is_held(&context, 2));
        Err(super::ShopError::SoldOut(row.qty))
    });
    let refused = refused.await;
    assert!(matches!(refused, Err(super::ShopError::SoldOut(20))), "{refused:?}");
    assert!(!is_held(&context, 2));
    assert_eq!(stored(&context, 2).await?, ("b".to_owned(), 20, 1));
    Ok(())
}

/// Time that stands still until it is told to pass.
struct Still(std::sync::Mutex<Instant>);

impl Clock for Still {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, _: Duration) -> Option<Sleep> {
        Some(Box::pin(tokio::task::yield_now()))
    }
}

async fn a_row_with_many_writers_is_locked_from_the_start_for_a_while(context: Context) -> Outcome {
    item::create(&context).await?;
    let id = context.backend.pick(340, 341, 342);
    insert_item(&context, id, 10).await?;
    let clock = Still(std::sync::Mutex::new(Instant::now()));
    let policy = QUICK.clock(&clock);
    let rounds = |rivals: usize| {
        let context = &context;
        async move {
            let mut seen = Vec::new();
            let change = |row: &mut item::Model| {
                let is_held = is_held(context, id);
                if !is_held && seen.len() < rivals {
                    win(context, id);
                }
                seen.push(is_held);
                row.qty += 1;
            };
            policy.modify(item::Entity, &context.db, id, change).await?;
            Ok::<_, optlock::Error>(seen)
        }
    };
    assert_eq!(rounds(2).await?, [false; 3], "two conflicts are nothing");
    assert_eq!(rounds(0).await?, [false]);
    assert_eq!(rounds(3).await?, [false, false, false, true]);
    assert_eq!(rounds(3).await?, [true], "the next one queues up at once");
    *clock.0.lock().unwrap() += Duration::from_secs(1);
    assert_eq!(rounds(0).await?, [false], "a second later it is as any other row");
    Ok(())
}

async fn whoever_waits_for_the_lock_changes_the_row_that_won(context: Context) -> Outcome {
    use sea_orm::TransactionTrait;

    item::create(&context).await?;
    let rival = context.other.begin().await?;
    rival
        .execute_unprepared("UPDATE item SET qty = 99, version = 2 WHERE id = 2")
        .await?;
    let waiting = tokio::spawn({
        let db = context.db.clone();
        async move {
            let mut seen = Vec::new();
            let policy = QUICK.lock_after(0);
            let row = policy.modify(item::Entity, &db, 2, |row| {
                seen.push(row.qty);
                row.qty += 1;
            });
            let row = row.await?;
            Ok::<_, optlock::Error>((row, seen))
        }
    });
    crate::wait::until_blocked(&context).await?;
    rival.commit().await?;
    let (row, seen) = waiting.await??;
    assert_eq!((row.qty, row.version, seen), (100, 3, vec![99]));
    Ok(())
}

async fn a_wait_for_the_lock_can_be_bounded(context: Context) -> Outcome {
    use sea_orm::TransactionTrait;

    item::create(&context).await?;
    let rival = context.other.begin().await?;
    rival
        .execute_unprepared("UPDATE item SET qty = 99 WHERE id = 2")
        .await?;
    let policy = QUICK.lock_after(0).lock_wait(Duration::from_millis(100));
    let one = policy.modify(item::Entity, &context.db, 2, |row| row.qty += 1).await;
    let many = policy
        .modify_all(item::Entity, &context.db, [1, 2], |row| row.qty += 1)
        .await;
    for err in [one.unwrap_err(), many.unwrap_err()] {
        assert_eq!(optlock::fault(&err), Fault::LockTimeout, "{err:?}");
    }
    rival.rollback().await?;
    assert_eq!(
        policy
            .modify(item::Entity, &context.db, 2, |row| row.qty += 1)
            .await?
            .qty,
        21
    );
    Ok(())
}

async fn an_error_that_is_no_conflict_is_no_lost_round(context: Context) -> Outcome {
    item::create(&context).await?;
    let id = context.backend.pick(350, 351, 352);
    insert_item(&context, id, 10).await?;
    let mut held = Vec::new();
    let row = QUICK
        .lock_after(1)
        .retry_on(Fault::Unique)
        .modify(item::Entity, &context.db, id, |row| {
            held.push(is_held(&context, id));
            let name = if held.len() == 1 { "b" } else { "new" };
            name.clone_into(&mut row.name);
        })
        .await?;
    assert_eq!((row.name.as_str(), row.version), ("new", 2));
    assert_eq!(held, [false, false], "nobody else was there");
    Ok(())
}

/// Only a serialization failure under the lock is a reason for another level, and only where the policy names none.
async fn an_error_that_is_no_conflict_leaves_the_level_as_it_is(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql(
            "ALTER TABLE item ADD CHECK (qty < 1000); \
             CREATE FUNCTION level() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NEW.name := current_setting('transaction_isolation'); RETURN NEW; END $$; \
             CREATE TRIGGER level BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION level()",
        )
        .await?;
    let db = context.connect(1).await?;
    db.execute_unprepared("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .await?;
    let of_session = QUICK.lock_after(0).retry_on(Fault::Check);
    let of_policy = of_session.isolation(IsolationLevel::Serializable);
    for (policy, level) in [(of_session, "repeatable read"), (of_policy, "serializable")] {
        let mut calls = 0;
        let row = policy
            .modify(item::Entity, &db, 1, |row| {
                calls += 1;
                row.qty = if calls == 1 { 5_000 } else { row.qty + 1 };
            })
            .await?;
        assert_eq!((row.name.as_str(), calls), (level, 2));
    }
    Ok(())
}
