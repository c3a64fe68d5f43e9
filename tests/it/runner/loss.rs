//! Connections that are lost on the way: before the commit is sent, and after.

use std::sync::atomic::{AtomicBool, Ordering};

use optlock::prelude::*;
use optlock::{Backoff, Error, Fault, Policy, Report, fault};
use sea_orm::{ConnectOptions, Database};

use super::{Calls, Failure, POLICY, add, conflict, duplicate, is_usable, quantities, session};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::proxy::{Cut, Proxy};

cases![
    ;
    SERVERS:
    a_connection_that_is_lost_before_the_commit_is_sent_is_redone,
    a_swallowed_loss_is_redone,
    a_lost_answer_to_the_commit_is_an_unknown_outcome,
    a_lost_answer_is_redone_if_that_does_no_harm,
    a_lost_answer_is_found_out_by_asking,
    an_attempt_that_meets_the_row_of_a_lost_one_asks_again,
    a_question_that_keeps_failing_leaves_the_outcome_unknown,
    a_question_that_is_never_answered_yes_ends_with_the_attempts,
    a_loss_after_a_lost_answer_leaves_the_outcome_unknown,
    circumstances_after_a_lost_answer_leave_the_outcome_unknown,
    a_rollback_that_fails_does_not_hide_the_error;
    POSTGRES:
    a_loss_after_a_swallowed_error_is_what_counts;
];

/// Attempts enough for a few cuts.
const PATIENT: Policy<'static> = POLICY.backoff_on(Fault::ConnectionLost, Backoff::none(), 10);

/// A pool whose connections go through the proxy.
pub(super) async fn connect(context: &Context, proxy: &Proxy, connections: u32) -> Result<DatabaseConnection, Failure> {
    let mut options = ConnectOptions::new(proxy.url());
    options.max_connections(connections).sqlx_logging(false);
    if let (_, Some(schema)) = context.address() {
        options.set_schema_search_path(schema);
    }
    Ok(Database::connect(options).await?)
}

async fn through_proxy(context: &Context) -> Result<(Proxy, DatabaseConnection), Failure> {
    item::create(context).await?;
    let proxy = Proxy::start(context.address().0).await?;
    let db = connect(context, &proxy, 1).await?;
    Ok((proxy, db))
}

async fn a_connection_that_is_lost_before_the_commit_is_sent_is_redone(context: Context) -> Outcome {
    let (proxy, _) = through_proxy(&context).await?;
    for text in ["BEGIN", "UPDATE", "SELECT"] {
        let db = connect(&context, &proxy, 1).await?;
        context.sql("UPDATE item SET qty = id * 10").await?;
        let before = session(&context, &db).await?;
        let (calls, report) = (Calls::default(), Report::new());
        let cuts = proxy.cuts();
        proxy.cut(Cut::OnStatement(text));
        let row = PATIENT
            .report(&report)
            .transaction(&db, |txn| {
                calls.next();
                async move { add(&txn, 1, 1).await }
            })
            .await?;
        assert_eq!(proxy.cuts(), cuts + 1, "{text}");
        assert_eq!(row.qty, 11);
        assert_eq!(calls.count(), if text == "BEGIN" { 1 } else { 2 }, "{text}");
        assert_eq!(
            (report.attempts(), report.fault()),
            (2, Some(Fault::ConnectionLost)),
            "{text}"
        );
        assert_eq!(quantities(&context).await?, [11, 20, 30], "{text}");
        assert_ne!(session(&context, &db).await?, before);
    }
    Ok(())
}

/// The closure has seen the error and gone on, and so has sent nothing more.
async fn a_swallowed_loss_is_redone(context: Context) -> Outcome {
    let (proxy, db) = through_proxy(&context).await?;
    let (calls, report) = (Calls::default(), Report::new());
    proxy.cut(Cut::OnStatement("qty = 77"));
    PATIENT
        .report(&report)
        .transaction(&db, |txn| {
            let call = calls.next();
            async move {
                add(&txn, 1, 1).await?;
                let outcome = txn.execute_unprepared("UPDATE item SET qty = 77 WHERE id = 2").await;
                assert_eq!(outcome.is_err(), call == 1);
                Ok::<_, Error>(())
            }
        })
        .await?;
    assert_eq!((calls.count(), report.fault()), (2, Some(Fault::ConnectionLost)));
    assert_eq!(quantities(&context).await?, [11, 77, 30]);
    Ok(())
}

async fn a_lost_answer_to_the_commit_is_an_unknown_outcome(context: Context) -> Outcome {
    let (proxy, db) = through_proxy(&context).await?;
    for (cut, stored) in [(Cut::BeforeCommit, [10, 20, 30]), (Cut::AfterCommit, [11, 20, 30])] {
        let (calls, report) = (Calls::default(), Report::new());
        proxy.cut(cut);
        let err = PATIENT
            .report(&report)
            .transaction(&db, |txn| {
                calls.next();
                async move { add(&txn, 1, 1).await }
            })
            .await
            .unwrap_err();
        assert!(matches!(err, Error::OutcomeUnknown(_)), "{cut:?}: {err:?}");
        assert_eq!((fault(&err), calls.count()), (Fault::OutcomeUnknown, 1), "{cut:?}");
        assert_eq!(report.fault(), Some(Fault::OutcomeUnknown));
        assert_eq!(quantities(&context).await?, stored, "{cut:?}");
        is_usable(&context, &db).await?;
    }
    Ok(())
}

async fn a_lost_answer_is_redone_if_that_does_no_harm(context: Context) -> Outcome {
    let (proxy, db) = through_proxy(&context).await?;
    for cut in [Cut::BeforeCommit, Cut::AfterCommit] {
        context.sql("UPDATE item SET qty = id * 10").await?;
        let calls = Calls::default();
        proxy.cut(cut);
        PATIENT
            .idempotent()
            .transaction(&db, |txn| {
                calls.next();
                async move {
                    txn.execute_unprepared("UPDATE item SET qty = 77 WHERE id = 1").await?;
                    Ok::<_, Error>(())
                }
            })
            .await?;
        assert_eq!(calls.count(), 2, "{cut:?}");
        assert_eq!(quantities(&context).await?, [77, 20, 30], "{cut:?}");
    }
    Ok(())
}

async fn has_order(db: DatabaseConnection) -> Result<bool, Failure> {
    Ok(item::Entity::find_by_id(7).one(&db).await?.is_some())
}

/// The order is the row with the unique key, and what it does is to add one.
async fn order<C: ConnectionTrait>(db: &C) -> Result<i64, Failure> {
    db.execute_unprepared("INSERT INTO item (id, name, qty, version) VALUES (7, 'order', 0, 1)")
        .await?;
    Ok(add(db, 1, 1).await?.qty)
}

async fn a_lost_answer_is_found_out_by_asking(context: Context) -> Outcome {
    let (proxy, db) = through_proxy(&context).await?;
    for (cut, expected) in [(Cut::BeforeCommit, 2), (Cut::AfterCommit, 1)] {
        context.sql("DELETE FROM item WHERE id = 7").await?;
        context.sql("UPDATE item SET qty = id * 10").await?;
        let (calls, asked, told) = (
            Calls::default(),
            Calls::default(),
            std::sync::Arc::new(Calls::default()),
        );
        proxy.cut(cut);
        let qty = PATIENT
            .transaction_verified(
                &db,
                |db| {
                    asked.next();
                    has_order(db)
                },
                |txn| {
                    calls.next();
                    let told = std::sync::Arc::clone(&told);
                    async move {
                        txn.after_commit(move || {
                            told.next();
                        });
                        order(&txn).await
                    }
                },
            )
            .await?;
        assert_eq!((qty, calls.count(), asked.count()), (11, expected, 1), "{cut:?}");
        assert_eq!(told.count(), 1, "{cut:?}");
        assert_eq!(quantities(&context).await?, [11, 20, 30, 0], "{cut:?}");
    }
    Ok(())
}

/// The commit of the first attempt arrives after the question whether it has.
async fn an_attempt_that_meets_the_row_of_a_lost_one_asks_again(context: Context) -> Outcome {
    let (proxy, db) = through_proxy(&context).await?;
    let (calls, asked) = (Calls::default(), Calls::default());
    proxy.cut(Cut::AfterCommit);
    let qty = PATIENT
        .transaction_verified(
            &db,
            |db| {
                let asked = asked.next();
                // As it is seen too early.
                async move { Ok(asked > 1 && has_order(db).await?) }
            },
            |txn| {
                calls.next();
                async move { order(&txn).await }
            },
        )
        .await?;
    assert_eq!((qty, calls.count(), asked.count()), (11, 2, 2));
    assert_eq!(quantities(&context).await?, [11, 20, 30, 0]);
    Ok(())
}

async fn a_question_that_keeps_failing_leaves_the_outcome_unknown(context: Context) -> Outcome {
    let (proxy, db) = through_proxy(&context).await?;
    for (cut, stored) in [
        (Cut::BeforeCommit, vec![10, 20, 30]),
        (Cut::AfterCommit, vec![11, 20, 30, 0]),
    ] {
        let (calls, asked, report) = (Calls::default(), Calls::default(), Report::new());
        proxy.cut(cut);
        let proxy_in = &proxy;
        let err = PATIENT
            .attempts(4)
            .report(&report)
            .transaction_verified(
                &db,
                |db| {
                    asked.next();
                    proxy_in.interrupt();
                    has_order(db)
                },
                |txn| {
                    calls.next();
                    async move { order(&txn).await }
                },
            )
            .await
            .unwrap_err();
        proxy.restore();
        assert!(
            matches!(err.downcast_ref(), Some(Error::OutcomeUnknown(_))),
            "{cut:?}: {err:?}"
        );
        assert_eq!(calls.count(), 1, "{cut:?}");
        assert_eq!((report.attempts(), asked.count()), (4, 4), "{cut:?}");
        assert_eq!(quantities(&context).await?, stored, "{cut:?}");
    }
    Ok(())
}

async fn a_question_that_is_never_answered_yes_ends_with_the_attempts(context: Context) -> Outcome {
    let (proxy, db) = through_proxy(&context).await?;
    let (calls, asked) = (Calls::default(), Calls::default());
    for _ in 0..3 {
        proxy.cut(Cut::BeforeCommit);
    }
    let err = PATIENT
        .attempts(3)
        .transaction_verified(
            &db,
            |db| {
                asked.next();
                has_order(db)
            },
            |txn| {
                calls.next();
                async move { order(&txn).await }
            },
        )
        .await
        .unwrap_err();
    assert!(matches!(err.downcast_ref(), Some(Error::OutcomeUnknown(_))), "{err:?}");
    assert_eq!((calls.count(), asked.count(), proxy.cuts()), (3, 3, 3));
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    Ok(())
}

/// The lost commit may still arrive, and what the last attempt has met says nothing of it.
async fn a_loss_after_a_lost_answer_leaves_the_outcome_unknown(context: Context) -> Outcome {
    let (proxy, db) = through_proxy(&context).await?;
    proxy.cut(Cut::BeforeCommit);
    let calls = Calls::default();
    let err = PATIENT
        .attempts(2)
        .transaction_verified(&db, has_order, |txn| {
            if calls.next() == 2 {
                proxy.cut(Cut::OnStatement("INSERT"));
            }
            async move { order(&txn).await }
        })
        .await
        .unwrap_err();
    assert!(matches!(err.downcast_ref(), Some(Error::OutcomeUnknown(_))), "{err:?}");
    assert_eq!(proxy.cuts(), 2);
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    Ok(())
}

/// So has what the last attempt meets of the circumstances; what the server says of the work itself is the answer.
async fn circumstances_after_a_lost_answer_leave_the_outcome_unknown(context: Context) -> Outcome {
    for (met, fails, is_unknown) in [
        (Fault::Cancelled, raise(&context, "57014", 1969), true),
        (Fault::ReadOnly, raise(&context, "25006", 1290), true),
        (Fault::Unavailable, raise(&context, "53300", 1040), true),
        (Fault::Raised, raise(&context, "P0001", 1644), false),
        (Fault::Unique, raise(&context, "23505", 1062), false),
    ] {
        let (proxy, db) = through_proxy(&context).await?;
        proxy.cut(Cut::BeforeCommit);
        let (calls, fails) = (Calls::default(), &fails);
        let err = PATIENT
            .attempts(2)
            .transaction_verified(&db, has_order, |txn| {
                let is_first = calls.next() == 1;
                async move {
                    if !is_first {
                        txn.execute_unprepared(fails).await?;
                    }
                    order(&txn).await
                }
            })
            .await
            .unwrap_err();
        let expected = if is_unknown { Fault::OutcomeUnknown } else { met };
        assert_eq!((fault(&*err), calls.count()), (expected, 2), "{met:?}: {err:?}");
        assert_eq!(quantities(&context).await?, [10, 20, 30], "{met:?}");
        context.sql("DROP TABLE item").await?;
    }
    Ok(())
}

/// What fails with this code: PostgreSQL's, or MariaDB's.
fn raise(context: &Context, state: &str, number: u16) -> String {
    context.backend.pick(
        String::new(),
        format!("DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = '{state}'; END $$"),
        format!("SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'raised'"),
    )
}

async fn a_rollback_that_fails_does_not_hide_the_error(context: Context) -> Outcome {
    let (proxy, db) = through_proxy(&context).await?;
    let before = session(&context, &db).await?;
    proxy.cut(Cut::OnStatement("ROLLBACK"));
    let err = PATIENT
        .transaction(&db, |txn| async move {
            add(&txn, 1, 1).await?;
            Ok::<_, Failure>(duplicate(&txn).await?)
        })
        .await
        .unwrap_err();
    assert_eq!((fault(&*err), proxy.cuts()), (Fault::Unique, 1));
    is_usable(&context, &db).await?;
    assert_ne!(
        session(&context, &db).await?,
        before,
        "the lost connection is used again"
    );

    // One that is redone is redone all the same.
    let is_first = AtomicBool::new(true);
    proxy.cut(Cut::OnStatement("ROLLBACK"));
    let row = PATIENT
        .transaction(&db, |txn| {
            let is_first = is_first.swap(false, Ordering::SeqCst);
            async move {
                let row = add(&txn, 1, 1).await?;
                if is_first {
                    conflict(&txn).await?;
                }
                Ok::<_, Error>(row)
            }
        })
        .await?;
    assert_eq!((row.qty, proxy.cuts()), (11, 2));
    assert_eq!(quantities(&context).await?, [11, 20, 30]);
    Ok(())
}

async fn a_loss_after_a_swallowed_error_is_what_counts(context: Context) -> Outcome {
    let (proxy, db) = through_proxy(&context).await?;
    let calls = Calls::default();
    PATIENT
        .transaction(&db, |txn| {
            let is_first = calls.next() == 1;
            if is_first {
                proxy.cut(Cut::OnStatement("qty = 77"));
            }
            async move {
                if is_first {
                    assert_eq!(fault(&duplicate(&txn).await.unwrap_err()), Fault::Unique);
                    let outcome = txn.execute_unprepared("UPDATE item SET qty = 77").await;
                    assert_eq!(fault(&outcome.unwrap_err()), Fault::ConnectionLost);
                }
                add(&txn, 1, 1).await
            }
        })
        .await?;
    assert_eq!((calls.count(), proxy.cuts()), (2, 1));
    assert_eq!(quantities(&context).await?, [11, 20, 30]);
    Ok(())
}
