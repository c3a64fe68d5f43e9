//! Triggers of SQLite that roll back the whole transaction: `RAISE(ROLLBACK)`.

use optlock::prelude::*;
use optlock::{Error, Fault, TransactionFailed, fault};
use sea_orm::ConnAcquireErr;

use super::{Calls, Failure, POLICY, add, is_usable, quantities};
use crate::cancel::poll_times;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    ;
    SQLITE:
    a_trigger_that_rolls_back_ends_the_transaction,
    a_trigger_that_rolls_back_in_a_savepoint_ends_the_transaction,
    a_trigger_that_rolls_back_a_dropped_statement_ends_the_transaction,
    a_loss_elsewhere_is_none_of_a_transaction_that_a_trigger_has_ended;
];

fn failed(err: Failure) -> TransactionFailed {
    match err.downcast::<Error>().map(|err| *err) {
        Ok(Error::TransactionFailed(failed)) => failed,
        other => panic!("not a failed transaction: {other:?}"),
    }
}

async fn create_with_trigger(context: &Context) -> Outcome {
    item::create(context).await?;
    context
        .sql(
            "CREATE TRIGGER t BEFORE UPDATE ON item WHEN NEW.qty = 13 \
             BEGIN SELECT RAISE(ROLLBACK, 'unlucky'); END",
        )
        .await
}

const UNLUCKY: &str = "UPDATE item SET qty = 13 WHERE id = 1";
const NEXT: &str = "UPDATE item SET qty = 77 WHERE id = 2";

async fn a_trigger_that_rolls_back_ends_the_transaction(context: Context) -> Outcome {
    create_with_trigger(&context).await?;
    let db = context.connect(1).await?;
    for writes_on in [false, true] {
        let outcome = POLICY
            .transaction(&db, |txn| async move {
                add(&txn, 3, 1).await?;
                assert!(txn.execute_unprepared(UNLUCKY).await.is_err());
                if writes_on {
                    assert!(txn.execute_unprepared(NEXT).await.is_err());
                }
                Ok::<_, Failure>(())
            })
            .await;
        assert_eq!(quantities(&context).await?, [10, 20, 30]);
        assert_eq!(failed(outcome.unwrap_err()).fault(), Fault::Raised);
        is_usable(&context, &db).await?;
    }
    Ok(())
}

async fn a_trigger_that_rolls_back_in_a_savepoint_ends_the_transaction(context: Context) -> Outcome {
    create_with_trigger(&context).await?;
    let db = context.connect(1).await?;
    let outcome = POLICY
        .transaction(&db, |txn| async move {
            add(&txn, 3, 1).await?;
            let savepoint = txn.begin().await?;
            assert!(savepoint.execute_unprepared(UNLUCKY).await.is_err());
            assert!(savepoint.execute_unprepared(NEXT).await.is_err());
            savepoint.rollback().await?;
            assert!(txn.execute_unprepared(NEXT).await.is_err());
            Ok::<_, Failure>(())
        })
        .await;
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    assert_eq!(failed(outcome.unwrap_err()).fault(), Fault::Raised);
    is_usable(&context, &db).await
}

async fn a_trigger_that_rolls_back_a_dropped_statement_ends_the_transaction(context: Context) -> Outcome {
    create_with_trigger(&context).await?;
    let db = context.connect(1).await?;
    // What a poll gets done depends on the machine.
    for times in (0..20).flat_map(|_| 1..8) {
        let outcome = POLICY
            .transaction(&db, |txn| async move {
                add(&txn, 3, 1).await?;
                let _ = poll_times(txn.execute_unprepared(UNLUCKY), times).await;
                let _ = txn.execute_unprepared(NEXT).await;
                Ok::<_, Failure>(())
            })
            .await;
        // The trigger may have come or not; what there is of the transaction is whole.
        let expected = if outcome.is_ok() { [10, 77, 31] } else { [10, 20, 30] };
        assert_eq!(
            quantities(&context).await?,
            expected,
            "dropped after {times} polls: {outcome:?}"
        );
        is_usable(&context, &db).await?;
        context.sql("UPDATE item SET qty = id * 10").await?;
    }
    Ok(())
}

/// What was done on the other connection may be there.
async fn a_loss_elsewhere_is_none_of_a_transaction_that_a_trigger_has_ended(context: Context) -> Outcome {
    create_with_trigger(&context).await?;
    let db = context.connect(1).await?;
    let calls = Calls::default();
    let lost = || DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed);
    let outcome = POLICY
        .transaction(&db, |txn| {
            calls.next();
            async move {
                assert!(txn.execute_unprepared(UNLUCKY).await.is_err());
                Err::<(), Failure>(lost().into())
            }
        })
        .await;
    assert_eq!(fault(&*outcome.unwrap_err()), Fault::ConnectionLost);
    assert_eq!(calls.count(), 1);
    is_usable(&context, &db).await
}
