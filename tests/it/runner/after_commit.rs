//! What is called once a transaction is committed.

use std::sync::{Arc, Mutex};

use optlock::prelude::*;
use optlock::{Error, Fault, fault};

use super::{Calls, Failure, POLICY, add, conflict, duplicate, is_usable, quantities};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::proxy::{Cut, Proxy};

cases![
    a_call_that_panics_keeps_no_other_from_being_made,
    calls_are_made_once_and_in_order_after_the_commit,
    a_failed_attempt_makes_no_calls,
    a_transaction_that_is_rolled_back_makes_no_calls,
    a_handle_that_is_kept_makes_no_calls,
    a_savepoint_that_is_rolled_back_does_not_take_calls_along;
    SERVERS:
    an_unknown_outcome_makes_no_calls;
    POSTGRES:
    a_commit_that_fails_makes_no_calls,
    a_transaction_that_has_failed_makes_no_calls;
    SQLITE:
    a_commit_that_fails_makes_no_calls;
];

/// What has been called.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn call(&self, text: impl Into<String>) -> impl FnOnce() + Send + 'static {
        let (log, text) = (Arc::clone(&self.0), text.into());
        move || log.lock().unwrap().push(text)
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

async fn calls_are_made_once_and_in_order_after_the_commit(context: Context) -> Outcome {
    item::create(&context).await?;
    let log = Log::default();
    let (sender, receiver) = std::sync::mpsc::channel();
    let runtime = tokio::runtime::Handle::current();
    let other = context.other.clone();
    let log_in = &log;
    POLICY
        .transaction(&context.db, |txn| {
            let (sender, runtime, other) = (sender.clone(), runtime.clone(), other.clone());
            async move {
                txn.after_commit(log_in.call("first"));
                add(&txn, 1, 1).await?;
                txn.after_commit(move || {
                    // Others can see it by now.
                    let seen = std::thread::spawn(move || {
                        runtime.block_on(async move { item::Entity::find_by_id(1).one(&other).await })
                    });
                    let _ = sender.send(seen.join().unwrap());
                });
                txn.after_commit(log_in.call("third"));
                assert_eq!(log_in.take(), <Vec<String>>::new());
                Ok::<_, Error>(())
            }
        })
        .await?;
    assert_eq!(log.take(), ["first", "third"]);
    assert_eq!(receiver.try_recv()??.map(|row| row.qty), Some(11));
    assert!(receiver.try_recv().is_err(), "called once");
    Ok(())
}

async fn a_failed_attempt_makes_no_calls(context: Context) -> Outcome {
    item::create(&context).await?;
    let (log, calls) = (Log::default(), Calls::default());
    let log_in = &log;
    POLICY
        .transaction(&context.db, |txn| {
            let call = calls.next();
            async move {
                txn.after_commit(log_in.call(format!("attempt {call}")));
                if call < 3 {
                    conflict(&txn).await?;
                }
                Ok::<_, Error>(())
            }
        })
        .await?;
    assert_eq!(log.take(), ["attempt 3"]);
    Ok(())
}

async fn a_transaction_that_is_rolled_back_makes_no_calls(context: Context) -> Outcome {
    item::create(&context).await?;
    let log = Log::default();
    let log_in = &log;
    let outcome = POLICY
        .transaction(&context.db, |txn| async move {
            txn.after_commit(log_in.call("never"));
            add(&txn, 1, 1).await?;
            Err::<(), Failure>("changed my mind".into())
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(log.take(), <Vec<String>>::new());
    Ok(())
}

async fn a_handle_that_is_kept_makes_no_calls(context: Context) -> Outcome {
    item::create(&context).await?;
    let (log, kept) = (Log::default(), Mutex::new(Vec::new()));
    let (log_in, kept_in) = (&log, &kept);
    let outcome = POLICY
        .transaction(&context.db, |txn| async move {
            txn.after_commit(log_in.call("never"));
            kept_in.lock().unwrap().push(txn);
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(outcome, Err(Error::Escaped(_))), "{outcome:?}");
    for txn in kept.into_inner()? {
        txn.after_commit(log.call("never"));
    }
    assert_eq!(log.take(), <Vec<String>>::new());
    Ok(())
}

/// It is the transaction that is committed, and the call is the transaction's.
async fn a_savepoint_that_is_rolled_back_does_not_take_calls_along(context: Context) -> Outcome {
    item::create(&context).await?;
    let log = Log::default();
    let log_in = &log;
    POLICY
        .transaction(&context.db, |txn| async move {
            let savepoint = txn.begin().await?;
            txn.after_commit(log_in.call("the transaction's"));
            savepoint.rollback().await?;
            Ok::<_, Failure>(())
        })
        .await?;
    assert_eq!(log.take(), ["the transaction's"]);
    Ok(())
}

async fn an_unknown_outcome_makes_no_calls(context: Context) -> Outcome {
    item::create(&context).await?;
    let proxy = Proxy::start(context.address().0).await?;
    let db = super::loss::connect(&context, &proxy, 1).await?;
    for cut in [Cut::BeforeCommit, Cut::AfterCommit] {
        let log = Log::default();
        let log_in = &log;
        proxy.cut(cut);
        let outcome = POLICY
            .transaction(&db, |txn| async move {
                txn.after_commit(log_in.call("never"));
                add(&txn, 1, 1).await
            })
            .await;
        assert!(matches!(outcome, Err(Error::OutcomeUnknown(_))), "{cut:?}: {outcome:?}");
        assert_eq!(log.take(), <Vec<String>>::new(), "{cut:?}");
    }
    assert_eq!(quantities(&context).await?, [11, 20, 30]);
    Ok(())
}

async fn a_commit_that_fails_makes_no_calls(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql(
            "CREATE TABLE note (id BIGINT NOT NULL PRIMARY KEY, item_id BIGINT NOT NULL, \
             FOREIGN KEY (item_id) REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        .await?;
    let log = Log::default();
    let log_in = &log;
    let outcome = POLICY
        .transaction(&context.db, |txn| async move {
            txn.after_commit(log_in.call("never"));
            txn.execute_unprepared("INSERT INTO note (id, item_id) VALUES (1, 404)")
                .await?;
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(fault(&outcome.unwrap_err()), Fault::ForeignKey);
    assert_eq!(log.take(), <Vec<String>>::new());
    Ok(())
}

async fn a_transaction_that_has_failed_makes_no_calls(context: Context) -> Outcome {
    item::create(&context).await?;
    let log = Log::default();
    let log_in = &log;
    let outcome = POLICY
        .transaction(&context.db, |txn| async move {
            txn.after_commit(log_in.call("never"));
            assert!(duplicate(&txn).await.is_err());
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(outcome, Err(Error::TransactionFailed(_))), "{outcome:?}");
    assert_eq!(log.take(), <Vec<String>>::new());
    Ok(())
}

async fn a_call_that_panics_keeps_no_other_from_being_made(context: Context) -> Outcome {
    item::create(&context).await?;
    let (sender, receiver) = std::sync::mpsc::channel();
    let db = context.connect(1).await?;
    let task = tokio::spawn({
        let db = db.clone();
        async move {
            let work = |txn: optlock::Txn| {
                let sender = sender.clone();
                async move {
                    add(&txn, 1, 1).await?;
                    txn.after_commit(|| panic!("on purpose"));
                    txn.after_commit(move || {
                        let _ = sender.send("made");
                    });
                    Ok::<_, Error>(())
                }
            };
            POLICY.transaction(&db, work).await
        }
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(receiver.recv()?, "made");
    assert_eq!(quantities(&context).await?, [11, 20, 30]);
    is_usable(&context, &db).await
}
