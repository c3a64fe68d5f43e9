//! What is committed, what is rolled back, and what comes of an error at the beginning or at the end.

use std::sync::Mutex;

use optlock::prelude::*;
use optlock::{Error, Fault, Report, Stop, fault};
use sea_orm::TransactionTrait;

use super::{Calls, Failure, POLICY, add, conflict, is_usable, quantities};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::proxy::Proxy;

cases![
    what_the_closure_returns_is_returned_once_it_is_committed,
    an_error_rolls_back_and_is_returned_as_it_was,
    an_error_of_the_closure_is_classified_as_its_owner_says,
    every_attempt_has_a_transaction_of_its_own,
    the_last_error_is_returned_once_the_attempts_are_used_up,
    a_beginning_that_fails_is_tried_again_if_the_policy_says_so,
    a_beginning_that_fails_is_reported;
    SERVERS:
    a_beginning_without_a_server_is_tried_again,
    an_insert_that_lost_its_race_is_an_error_of_its_own;
    POSTGRES:
    a_foreign_key_that_is_checked_at_the_commit_is_reported_once,
    a_unique_key_that_is_checked_at_the_commit_is_reported_once;
    SQLITE:
    a_foreign_key_that_is_checked_at_the_commit_is_reported_once;
];

async fn what_the_closure_returns_is_returned_once_it_is_committed(context: Context) -> Outcome {
    item::create(&context).await?;
    let (calls, report) = (Calls::default(), Report::new());
    let row = POLICY
        .report(&report)
        .transaction(&context.db, |txn| {
            calls.next();
            async move {
                add(&txn, 1, 1).await?;
                add(&txn, 1, 1).await
            }
        })
        .await?;
    assert_eq!((row.qty, row.version), (12, 3));
    assert_eq!(quantities(&context).await?, [12, 20, 30]);
    assert_eq!((calls.count(), report.attempts(), report.stop()), (1, 1, None));

    let qty = optlock::transaction(
        &context.db,
        |txn| async move { Ok::<_, Error>(add(&txn, 2, 5).await?.qty) },
    )
    .await?;
    assert_eq!((qty, quantities(&context).await?), (25, vec![12, 25, 30]));
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum ShopError {
    #[error("{0} is too much")]
    TooMuch(i64),
    #[error(transparent)]
    Store(#[from] Error),
}

async fn an_error_rolls_back_and_is_returned_as_it_was(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let (calls, report) = (Calls::default(), Report::new());
    let outcome: Result<(), ShopError> = POLICY
        .report(&report)
        .transaction(&db, |txn| {
            calls.next();
            async move {
                let row = add(&txn, 1, 1).await?;
                Err(ShopError::TooMuch(row.qty))
            }
        })
        .await;
    assert!(matches!(outcome, Err(ShopError::TooMuch(11))), "{outcome:?}");
    assert_eq!((calls.count(), report.stop()), (1, Some(Stop::Fault)));
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    is_usable(&context, &db).await
}

async fn an_error_of_the_closure_is_classified_as_its_owner_says(context: Context) -> Outcome {
    item::create(&context).await?;
    let calls = Calls::default();
    let classify = |err: &ShopError| match err {
        ShopError::TooMuch(_) => Fault::Stale,
        ShopError::Store(_) => Fault::Other,
    };
    let outcome = POLICY
        .transaction_with(&context.db, classify, |txn| {
            let call = calls.next();
            async move {
                let row = add(&txn, 1, 1).await?;
                if call < 3 {
                    return Err(ShopError::TooMuch(row.qty));
                }
                conflict(&txn).await?;
                Ok(row.qty)
            }
        })
        .await;
    assert!(
        matches!(outcome, Err(ShopError::Store(Error::Conflict(_)))),
        "{outcome:?}"
    );
    assert_eq!(calls.count(), 3, "its own error was redone, and the conflict was not");
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    Ok(())
}

async fn every_attempt_has_a_transaction_of_its_own(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let calls = Calls::default();
    let seen = POLICY
        .transaction(&db, |txn| {
            let call = calls.next();
            async move {
                let row = add(&txn, 1, 1).await?;
                if call < 4 {
                    conflict(&txn).await?;
                }
                Ok::<_, Error>(row)
            }
        })
        .await?;
    assert_eq!(calls.count(), 4);
    assert_eq!(
        (seen.qty, seen.version),
        (11, 2),
        "no attempt has seen what another one wrote"
    );
    assert_eq!(quantities(&context).await?, [11, 20, 30]);
    is_usable(&context, &db).await
}

async fn the_last_error_is_returned_once_the_attempts_are_used_up(context: Context) -> Outcome {
    item::create(&context).await?;
    let (calls, report) = (Calls::default(), Report::new());
    let err = POLICY
        .attempts(3)
        .report(&report)
        .transaction(&context.db, |txn| {
            calls.next();
            async move {
                add(&txn, 1, 1).await?;
                conflict(&txn).await
            }
        })
        .await
        .unwrap_err();
    let Error::Conflict(found) = err else {
        panic!("not the conflict: {err:?}")
    };
    assert_eq!(found.current::<item::Model>().map(|row| row.qty), Some(30));
    assert_eq!((calls.count(), report.attempts()), (3, 3));
    assert_eq!(
        (report.fault(), report.stop()),
        (Some(Fault::Stale), Some(Stop::Attempts))
    );
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    Ok(())
}

async fn a_beginning_that_fails_is_tried_again_if_the_policy_says_so(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect_impatiently(1).await?;
    let held = Mutex::new(Some(db.begin().await?));
    let (calls, report) = (Calls::default(), Report::new());
    let row = POLICY
        .report(&report)
        .retry_on(Fault::PoolTimeout)
        .on_retry(&|retry| {
            assert_eq!((retry.attempt(), retry.fault()), (1, Fault::PoolTimeout));
            drop(held.lock().unwrap().take());
        })
        .transaction(&db, |txn| {
            calls.next();
            async move { add(&txn, 1, 1).await }
        })
        .await?;
    assert_eq!(row.qty, 11);
    assert_eq!((calls.count(), report.attempts()), (1, 2));
    is_usable(&context, &db).await
}

async fn a_beginning_that_fails_is_reported(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect_impatiently(1).await?;
    let held = db.begin().await?;
    let calls = Calls::default();
    let err = POLICY
        .transaction(&db, |txn| {
            calls.next();
            async move { add(&txn, 1, 1).await }
        })
        .await
        .unwrap_err();
    assert!(matches!(err, Error::Database(_)), "{err:?}");
    assert_eq!((fault(&err), calls.count()), (Fault::PoolTimeout, 0));
    held.rollback().await?;
    is_usable(&context, &db).await
}

async fn a_beginning_without_a_server_is_tried_again(context: Context) -> Outcome {
    item::create(&context).await?;
    let proxy = Proxy::start(context.address().0).await?;
    let db = super::loss::connect(&context, &proxy, 1).await?;
    let (calls, report) = (Calls::default(), Report::new());
    proxy.interrupt();
    let row = POLICY
        .report(&report)
        .on_retry(&|_| proxy.restore())
        .transaction(&db, |txn| {
            calls.next();
            async move { add(&txn, 1, 1).await }
        })
        .await?;
    assert_eq!(row.qty, 11);
    assert_eq!((calls.count(), report.attempts()), (1, 2));
    assert_eq!(report.fault(), Some(Fault::ConnectionLost));
    assert_eq!(quantities(&context).await?, [11, 20, 30]);
    Ok(())
}

/// A plain unique violation is no conflict: the same insert would meet it again.
async fn an_insert_that_lost_its_race_is_an_error_of_its_own(context: Context) -> Outcome {
    item::create(&context).await?;
    let calls = Calls::default();
    let context = &context;
    let err = POLICY
        .transaction(&context.db, |txn| {
            calls.next();
            async move {
                add(&txn, 1, 1).await?;
                context
                    .sql("INSERT INTO item (id, name, qty, version) VALUES (9, 'nine', 0, 1)")
                    .await?;
                txn.execute_unprepared("INSERT INTO item (id, name, qty, version) VALUES (9, 'other', 0, 1)")
                    .await?;
                Ok::<_, Failure>(())
            }
        })
        .await
        .unwrap_err();
    assert_eq!((fault(&*err), calls.count()), (Fault::Unique, 1));
    assert_eq!(quantities(context).await?, [10, 20, 30, 0]);
    Ok(())
}

/// Reported once by a commit that fails, with nothing stored and a connection that is as good as new.
async fn refused_at_the_commit(context: &Context, statement: &str, expected: Fault) -> Outcome {
    let db = context.connect(1).await?;
    let (calls, returned) = (Calls::default(), Calls::default());
    let err = POLICY
        .transaction(&db, |txn| {
            calls.next();
            let returned = &returned;
            async move {
                add(&txn, 1, 1).await?;
                txn.execute_unprepared(statement).await?;
                returned.next();
                Ok::<_, Error>(())
            }
        })
        .await
        .unwrap_err();
    assert_eq!(
        (calls.count(), returned.count()),
        (1, 1),
        "it is the commit that failed, once"
    );
    assert!(matches!(err, Error::Database(_)), "{err:?}");
    assert_eq!(fault(&err), expected);
    assert_eq!(quantities(context).await?, [10, 20, 30]);
    is_usable(context, &db).await
}

async fn a_foreign_key_that_is_checked_at_the_commit_is_reported_once(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql(
            "CREATE TABLE note (id BIGINT NOT NULL PRIMARY KEY, item_id BIGINT NOT NULL, \
             FOREIGN KEY (item_id) REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        .await?;
    let statement = "INSERT INTO note (id, item_id) VALUES (1, 404)";
    refused_at_the_commit(&context, statement, Fault::ForeignKey).await?;
    assert_eq!(context.number("SELECT COUNT(*) FROM note").await?, 0);
    Ok(())
}

async fn a_unique_key_that_is_checked_at_the_commit_is_reported_once(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("ALTER TABLE item ADD CONSTRAINT of_qty UNIQUE (qty) DEFERRABLE INITIALLY DEFERRED")
        .await?;
    refused_at_the_commit(&context, "UPDATE item SET qty = 20 WHERE id = 3", Fault::Unique).await
}
