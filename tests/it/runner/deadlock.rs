//! Deadlocks: the server ends one of the two.

use std::sync::Mutex;

use optlock::prelude::*;
use optlock::{Fault, Report, Savepoint, Txn, fault};
use sea_orm::{DatabaseTransaction, TransactionTrait};
use tokio::task::JoinHandle;

use super::{Calls, Failure, POLICY, is_usable, quantities};
use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::wait::until_blocked;

cases![
    ;
    SERVERS:
    a_victim_is_redone,
    a_victim_that_goes_on_stores_nothing,
    a_victim_in_a_savepoint_is_redone,
    a_victim_of_a_lock_in_a_savepoint_reports_the_deadlock;
    MARIADB:
    a_victim_in_a_savepoint_that_goes_on_stores_nothing;
];

const MINE: &str = "UPDATE item SET qty = qty + 1 WHERE id = 1";
const THEIRS: &str = "UPDATE item SET qty = qty + 1 WHERE id = 2";
const NEXT: &str = "UPDATE item SET qty = 77 WHERE id = 3";

/// Holds item 2 and wants item 1.
#[derive(Default)]
struct Rival(Mutex<Option<JoinHandle<Result<(), Failure>>>>);

impl Rival {
    /// Writes item 1 through the transaction, so that to write item 2 is a deadlock, of which it is the victim.
    async fn meet(&self, context: &Context, txn: &Txn) -> Result<(), Failure> {
        async fn then_wait(rival: DatabaseTransaction) -> Result<(), Failure> {
            let statement = "UPDATE item SET qty = qty + 100 WHERE id = 1";
            rival.execute_unprepared(statement).await?;
            Ok(rival.commit().await?)
        }
        let rival = context.other.begin().await?;
        if context.backend == Backend::Postgres {
            // Whoever looks first is the victim.
            rival.execute_unprepared("SET LOCAL deadlock_timeout = '60s'").await?;
            txn.execute_unprepared("SET LOCAL deadlock_timeout = '10ms'").await?;
        }
        // The server spares who has written more.
        let values: Vec<_> = (100..150).map(|id| format!("({id}, 'n{id}', 0, 1)")).collect();
        rival.execute_unprepared("DELETE FROM item WHERE id >= 100").await?;
        let insert = format!("INSERT INTO item (id, name, qty, version) VALUES {}", values.join(", "));
        rival.execute_unprepared(&insert).await?;
        rival.execute_unprepared("DELETE FROM item WHERE id >= 100").await?;
        rival
            .execute_unprepared("UPDATE item SET qty = qty + 100 WHERE id = 2")
            .await?;
        txn.execute_unprepared(MINE).await?;
        *self.0.lock().unwrap() = Some(tokio::spawn(then_wait(rival)));
        until_blocked(context).await
    }

    /// Has committed.
    async fn join(&self) -> Result<(), Failure> {
        let rival = self.0.lock().unwrap().take();
        rival.ok_or("nobody has met")?.await?
    }
}

async fn a_victim_is_redone(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let (calls, report, rival) = (Calls::default(), Report::new(), Rival::default());
    let (context, rival) = (&context, &rival);
    POLICY
        .report(&report)
        .transaction(&db, |txn| {
            let call = calls.next();
            async move {
                if call == 1 {
                    rival.meet(context, &txn).await?;
                } else {
                    rival.join().await?;
                    txn.execute_unprepared(MINE).await?;
                }
                txn.execute_unprepared(THEIRS).await?;
                Ok::<_, Failure>(())
            }
        })
        .await?;
    assert_eq!((calls.count(), report.fault()), (2, Some(Fault::Deadlock)));
    assert_eq!(quantities(context).await?, [111, 121, 30]);
    is_usable(context, &db).await
}

async fn a_victim_that_goes_on_stores_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let (calls, rival) = (Calls::default(), Rival::default());
    let (context, rival) = (&context, &rival);
    let err = POLICY
        .attempts(1)
        .transaction(&db, |txn| {
            calls.next();
            async move {
                rival.meet(context, &txn).await?;
                assert_eq!(
                    fault(&txn.execute_unprepared(THEIRS).await.unwrap_err()),
                    Fault::Deadlock
                );
                let next = txn.execute_unprepared(NEXT).await;
                assert_eq!(fault(&next.unwrap_err()), Fault::Deadlock, "the first error counts");
                Ok::<_, Failure>(())
            }
        })
        .await
        .unwrap_err();
    assert_eq!((calls.count(), fault(&*err)), (1, Fault::Deadlock));
    rival.join().await?;
    assert_eq!(quantities(context).await?, [110, 120, 30]);
    is_usable(context, &db).await
}

async fn a_victim_in_a_savepoint_is_redone(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let (calls, report, rival) = (Calls::default(), Report::new(), Rival::default());
    let (context, rival) = (&context, &rival);
    POLICY
        .report(&report)
        .transaction(&db, |txn| {
            let call = calls.next();
            async move {
                if call == 1 {
                    rival.meet(context, &txn).await?;
                } else {
                    rival.join().await?;
                    txn.execute_unprepared(MINE).await?;
                }
                let savepoint = txn.begin().await?;
                savepoint.execute_unprepared(NEXT).await?;
                savepoint.execute_unprepared(THEIRS).await?;
                savepoint.commit().await?;
                Ok::<_, Failure>(())
            }
        })
        .await?;
    assert_eq!((calls.count(), report.fault()), (2, Some(Fault::Deadlock)));
    assert_eq!(quantities(context).await?, [111, 121, 77]);
    is_usable(context, &db).await
}

/// There, the savepoint is gone with the transaction: to roll it back is no way to go on, as it is on PostgreSQL.
///
/// Goes on through both handles, whatever they say. Returns what they said.
async fn go_on(txn: &Txn, savepoint: Savepoint) -> Result<Vec<Fault>, Failure> {
    let mut seen = Vec::new();
    let mut note = |outcome: Result<(), DbErr>| seen.push(outcome.map_or_else(|err| fault(&err), |()| Fault::Other));
    note(savepoint.execute_unprepared(NEXT).await.map(drop));
    note(txn.execute_unprepared(NEXT).await.map(drop));
    savepoint.rollback().await?;
    note(txn.execute_unprepared(NEXT).await.map(drop));
    note(txn.begin().await.map(drop));
    note(txn.execute_unprepared(NEXT).await.map(drop));
    Ok(seen)
}

async fn a_victim_in_a_savepoint_that_goes_on_stores_nothing(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    for attempts in [1, 2] {
        context.sql("UPDATE item SET qty = id * 10").await?;
        let (calls, report, rival) = (Calls::default(), Report::new(), Rival::default());
        let (context, rival) = (&context, &rival);
        let outcome = POLICY
            .attempts(attempts)
            .report(&report)
            .transaction(&db, |txn| {
                let call = calls.next();
                async move {
                    if call > 1 {
                        return Ok(());
                    }
                    rival.meet(context, &txn).await?;
                    let savepoint = txn.begin().await?;
                    assert_eq!(
                        fault(&savepoint.execute_unprepared(THEIRS).await.unwrap_err()),
                        Fault::Deadlock
                    );
                    for seen in go_on(&txn, savepoint).await? {
                        assert_eq!(seen, Fault::Deadlock, "the first error counts");
                    }
                    Ok::<_, Failure>(())
                }
            })
            .await;
        rival.join().await?;
        assert_eq!(quantities(context).await?, [110, 120, 30], "{outcome:?}");
        assert_eq!(calls.count(), attempts);
        assert_eq!(report.fault(), Some(Fault::Deadlock), "{outcome:?}");
        assert_eq!(outcome.is_err(), attempts == 1, "{outcome:?}");
        if let Err(err) = outcome {
            assert_eq!(fault(&*err), Fault::Deadlock, "{err:?}");
        }
        is_usable(context, &db).await?;
    }
    Ok(())
}

/// By SeaORM's closure, whose own rollback fails on MariaDB: its savepoint is gone.
async fn a_victim_of_a_lock_in_a_savepoint_reports_the_deadlock(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let rival = Rival::default();
    let (context, rival) = (&context, &rival);
    let err = POLICY
        .attempts(1)
        .transaction(&db, |txn| async move {
            rival.meet(context, &txn).await?;
            let qty = txn
                .transaction::<_, _, optlock::Error>(|savepoint| {
                    Box::pin(async move {
                        let row = item::Entity::find_by_id(2).for_update().one(savepoint).await?;
                        Ok(row.map(|row| row.qty))
                    })
                })
                .await?;
            Ok::<_, Failure>(qty)
        })
        .await
        .unwrap_err();
    assert_eq!(fault(&*err), Fault::Deadlock, "{err:?}");
    rival.join().await?;
    assert_eq!(quantities(context).await?, [110, 120, 30]);
    is_usable(context, &db).await
}
