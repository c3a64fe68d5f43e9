//! Connections that are lost where nobody knows whether the work was done: outside of a transaction, and on a connection that is not the
//! transaction's.

use optlock::prelude::*;
use optlock::{Fault, Report, fault};

use super::loss::connect;
use super::{Calls, POLICY, quantities};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::proxy::{Cut, Proxy};

cases![
    ;
    SERVERS:
    a_write_of_modify_is_not_repeated,
    a_read_of_modify_is_repeated,
    a_call_is_not_repeated,
    a_connection_beside_the_transaction_is_not_its_own;
    POSTGRES:
    a_statement_with_too_many_parameters_is_no_lost_connection;
];

const UPDATE: Cut = Cut::OnStatement("UPDATE");

async fn a_write_of_modify_is_not_repeated(context: Context) -> Outcome {
    item::create(&context).await?;
    let proxy = Proxy::start(context.address().0).await?;
    let db = connect(&context, &proxy, 1).await?;
    proxy.cut(UPDATE);
    let report = Report::new();
    let err = POLICY
        .report(&report)
        .modify(item::Entity, &db, 1, |row| row.qty += 1)
        .await
        .unwrap_err();
    assert_eq!((fault(&err), report.attempts()), (Fault::ConnectionLost, 1));

    // Unless that does no harm.
    proxy.cut(UPDATE);
    let policy = POLICY.idempotent().report(&report);
    let row = policy.modify(item::Entity, &db, 1, |row| row.qty = 99).await?;
    assert_eq!((row.qty, report.attempts(), proxy.cuts()), (99, 2, 2));
    assert_eq!(quantities(&context).await?, [99, 20, 30]);
    Ok(())
}

async fn a_read_of_modify_is_repeated(context: Context) -> Outcome {
    item::create(&context).await?;
    let proxy = Proxy::start(context.address().0).await?;
    let db = connect(&context, &proxy, 1).await?;
    proxy.cut(Cut::OnStatement("SELECT"));
    let report = Report::new();
    let row = POLICY
        .report(&report)
        .modify(item::Entity, &db, 1, |row| row.qty += 1)
        .await?;
    assert_eq!((row.qty, report.attempts(), proxy.cuts()), (11, 2, 1));
    Ok(())
}

async fn a_call_is_not_repeated(context: Context) -> Outcome {
    item::create(&context).await?;
    let proxy = Proxy::start(context.address().0).await?;
    let db = connect(&context, &proxy, 1).await?;
    let calls = Calls::default();
    let work = || {
        calls.next();
        let db = db.clone();
        async move { super::add(&db, 1, 1).await }
    };
    proxy.cut(UPDATE);
    let err = POLICY.retry(work).await.unwrap_err();
    assert_eq!((fault(&err), calls.count()), (Fault::ConnectionLost, 1));
    proxy.cut(UPDATE);
    let row = POLICY.idempotent().retry(work).await?;
    assert_eq!((row.qty, calls.count()), (11, 3));
    Ok(())
}

async fn a_connection_beside_the_transaction_is_not_its_own(context: Context) -> Outcome {
    item::create(&context).await?;
    let proxy = Proxy::start(context.address().0).await?;
    let beside = connect(&context, &proxy, 1).await?;
    proxy.cut(UPDATE);
    let calls = Calls::default();
    let outcome = POLICY
        .transaction(&context.db, |txn| {
            calls.next();
            let beside = beside.clone();
            async move {
                super::add(&txn, 1, 1).await?;
                super::add(&beside, 2, 1).await
            }
        })
        .await;
    assert_eq!(
        (fault(&outcome.unwrap_err()), calls.count()),
        (Fault::ConnectionLost, 1)
    );
    assert_eq!(quantities(&context).await?, [10, 20, 30]);
    Ok(())
}

/// sqlx refuses it before it sends anything, and calls it an error of the protocol.
async fn a_statement_with_too_many_parameters_is_no_lost_connection(context: Context) -> Outcome {
    item::create(&context).await?;
    let calls = Calls::default();
    let outcome = POLICY
        .transaction(&context.db, |txn| {
            calls.next();
            async move {
                let rows = (10..20_000).map(|id| item::ActiveModel {
                    id: Set(id),
                    name: Set(id.to_string()),
                    qty: Set(1),
                    version: NotSet,
                });
                item::Entity::insert_many(rows).exec_without_returning(&txn).await
            }
        })
        .await;
    assert_eq!((fault(&outcome.unwrap_err()), calls.count()), (Fault::Other, 1));
    Ok(())
}
