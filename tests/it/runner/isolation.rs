//! Isolation levels and access modes of the transactions that are redone.

use optlock::prelude::*;
use optlock::{Error, Fault, Policy, Report, Txn, fault};
use sea_orm::{AccessMode, IsolationLevel, TransactionTrait};

use super::{Calls, Failure, POLICY, add, ask, conflict, is_usable, quantities};
use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};

cases![
    ;
    SERVERS:
    level_and_access_mode_are_the_same_in_every_attempt,
    a_lost_update_at_repeatable_read_is_redone;
    POSTGRES:
    a_write_skew_fails_at_the_commit_and_is_redone,
    two_who_look_and_then_insert_are_serialized;
    MARIADB: a_version_that_never_was_is_a_conflict;
    SQLITE:
    a_transaction_that_may_not_write_is_refused_before_any_sql,
    a_transaction_holds_the_write_lock_from_its_beginning,
    every_level_is_the_only_one;
];

/// Whether a transaction is serializable, and whether it may write.
async fn mode(context: &Context, txn: &Txn) -> Result<(bool, bool), Failure> {
    if context.backend == Backend::Postgres {
        let level: String = ask(txn, "SHOW transaction_isolation").await?;
        let read_only: String = ask(txn, "SHOW transaction_read_only").await?;
        return Ok((level == "serializable", read_only == "off"));
    }
    // There a plain read shares a lock, if it is serializable. The server does not say.
    item::Entity::find_by_id(2).one(txn).await?;
    let free = "SELECT COUNT(*) FROM (SELECT id FROM item WHERE id = 2 FOR UPDATE SKIP LOCKED) AS free";
    let is_serializable = context.number(free).await? == 0;
    let may_write = match txn.execute_unprepared("UPDATE item SET qty = 21 WHERE id = 2").await {
        Ok(_) => true,
        Err(err) if fault(&err) == Fault::ReadOnly => false,
        Err(err) => return Err(err.into()),
    };
    Ok((is_serializable, may_write))
}

/// The mode in the first attempt, which meets a conflict, and in the second.
async fn modes(context: &Context, policy: &Policy<'_>) -> Result<Vec<(bool, bool)>, Failure> {
    let db = context.connect(1).await?;
    let seen = std::sync::Mutex::new(Vec::new());
    policy
        .transaction(&db, |txn| {
            let seen = &seen;
            async move {
                let mode = mode(context, &txn).await?;
                let attempts = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(mode);
                    seen.len()
                };
                if attempts == 1 {
                    // Not through the transaction, which may not be allowed to write.
                    conflict(&context.other).await?;
                }
                Ok::<_, Failure>(())
            }
        })
        .await?;
    // What was asked for is not the session's.
    is_usable(context, &db).await?;
    Ok(seen.into_inner()?)
}

async fn level_and_access_mode_are_the_same_in_every_attempt(context: Context) -> Outcome {
    use AccessMode::{ReadOnly, ReadWrite};
    use IsolationLevel::{ReadCommitted, Serializable};

    item::create(&context).await?;
    for (level, access, expected) in [
        (Serializable, ReadWrite, (true, true)),
        (ReadCommitted, ReadWrite, (false, true)),
        (ReadCommitted, ReadOnly, (false, false)),
    ] {
        let policy = POLICY.isolation(level).access_mode(access);
        assert_eq!(modes(&context, &policy).await?, [expected; 2], "{level:?} {access:?}");
    }
    assert_eq!(
        modes(&context, &POLICY).await?,
        [(false, true); 2],
        "what the session has"
    );
    Ok(())
}

async fn a_lost_update_at_repeatable_read_is_redone(context: Context) -> Outcome {
    item::create(&context).await?;
    let (calls, report) = (Calls::default(), Report::new());
    let context = &context;
    let row = POLICY
        .isolation(IsolationLevel::RepeatableRead)
        .report(&report)
        .transaction(&context.db, |txn| {
            let call = calls.next();
            async move {
                let row = item::Entity::find_by_id(1).one(&txn).await?.ok_or("no row")?;
                if call == 1 {
                    add(&context.other, 1, 5).await?;
                }
                let qty = row.qty + 1;
                let mut change = row.into_active_model();
                change.qty = Set(qty);
                Ok::<_, Failure>(change.update(&txn).await?)
            }
        })
        .await?;
    assert_eq!(calls.count(), 2);
    let expected = context.backend.pick(Fault::Other, Fault::Serialization, Fault::Stale);
    assert_eq!(report.fault(), Some(expected));
    assert_eq!((row.qty, row.version), (16, 3));
    assert_eq!(stored(context, 1).await?, ("a".to_owned(), 16, 3), "both are applied");
    Ok(())
}

/// Two move from the other item what both of them leave there: together they would take too much.
async fn a_write_skew_fails_at_the_commit_and_is_redone(context: Context) -> Outcome {
    async fn take<C: ConnectionTrait>(db: &C, id: i64) -> Result<bool, Failure> {
        let both: i64 = ask(db, "SELECT SUM(qty)::bigint FROM item WHERE id IN (1, 2)").await?;
        if both < 30 {
            return Ok(false);
        }
        db.execute_unprepared(&format!("UPDATE item SET qty = qty - 10 WHERE id = {id}"))
            .await?;
        Ok(true)
    }
    item::create(&context).await?;
    let (calls, returned, report) = (Calls::default(), Calls::default(), Report::new());
    let (context, returned) = (&context, &returned);
    let taken = POLICY
        .isolation(IsolationLevel::Serializable)
        .report(&report)
        .transaction(&context.db, |txn| {
            let call = calls.next();
            async move {
                let taken = take(&txn, 1).await?;
                if call == 1 {
                    let rival = context
                        .other
                        .begin_with_config(Some(IsolationLevel::Serializable), None)
                        .await?;
                    assert!(take(&rival, 2).await?);
                    rival.commit().await?;
                }
                returned.next();
                Ok::<_, Failure>(taken)
            }
        })
        .await?;
    assert!(!taken, "the second attempt has seen that there is too little");
    assert_eq!(
        (calls.count(), returned.count()),
        (2, 2),
        "it is the commit that failed"
    );
    assert_eq!(report.fault(), Some(Fault::Serialization));
    assert_eq!(quantities(context).await?, [10, 10, 30]);
    Ok(())
}

async fn two_who_look_and_then_insert_are_serialized(context: Context) -> Outcome {
    async fn insert<C: ConnectionTrait>(db: &C, looks: bool) -> Result<bool, Failure> {
        if looks && item::Entity::find_by_id(42).one(db).await?.is_some() {
            return Ok(false);
        }
        db.execute_unprepared("INSERT INTO item (id, name, qty, version) VALUES (42, 'x', 0, 1)")
            .await?;
        Ok(true)
    }
    item::create(&context).await?;
    let context = &context;
    for (looks, expected_calls) in [(true, 2), (false, 1)] {
        context.sql("DELETE FROM item WHERE id = 42").await?;
        let (calls, report) = (Calls::default(), Report::new());
        let outcome = POLICY
            .isolation(IsolationLevel::Serializable)
            .report(&report)
            .transaction(&context.db, |txn| {
                let call = calls.next();
                async move {
                    if call == 1 {
                        if looks {
                            assert!(item::Entity::find_by_id(42).one(&txn).await?.is_none());
                        }
                        let rival = context
                            .other
                            .begin_with_config(Some(IsolationLevel::Serializable), None)
                            .await?;
                        assert!(insert(&rival, looks).await?);
                        rival.commit().await?;
                        return insert(&txn, false).await;
                    }
                    insert(&txn, looks).await
                }
            })
            .await;
        assert_eq!(calls.count(), expected_calls, "looks: {looks}");
        if looks {
            assert!(!outcome?, "the second attempt has found the rival's");
            assert_eq!(report.fault(), Some(Fault::Serialization));
        } else {
            assert_eq!(outcome.map_err(|err| fault(&*err)), Err(Fault::Unique));
        }
    }
    assert_eq!(quantities(context).await?, [10, 20, 30, 0]);
    Ok(())
}

async fn a_transaction_that_may_not_write_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    // Whoever asks this pool for its connection waits in vain.
    let db = context.connect_impatiently(1).await?;
    let _held = db.begin().await?;
    let calls = Calls::default();
    let outcome = POLICY
        .access_mode(AccessMode::ReadOnly)
        .transaction(&db, |_| {
            calls.next();
            async { Ok::<_, Error>(()) }
        })
        .await;
    let Err(Error::Unsupported(err)) = outcome else {
        panic!("SQLite would let it write: {outcome:?}");
    };
    assert_eq!(
        err.to_string(),
        "SQLite does not support a transaction that may not write"
    );
    assert_eq!(calls.count(), 0);
    Ok(())
}

async fn a_transaction_holds_the_write_lock_from_its_beginning(context: Context) -> Outcome {
    item::create(&context).await?;
    let rival = context.connect(1).await?;
    rival.execute_unprepared("PRAGMA busy_timeout = 0").await?;
    let rival = &rival;
    POLICY
        .transaction(&context.db, |txn| async move {
            let err = rival.execute_unprepared("UPDATE item SET qty = 0").await.unwrap_err();
            assert_eq!(fault(&err), Fault::Busy);
            add(&txn, 1, 1).await
        })
        .await?;
    rival.execute_unprepared("UPDATE item SET qty = qty + 1").await?;
    assert_eq!(quantities(&context).await?, [12, 21, 31]);
    Ok(())
}

async fn every_level_is_the_only_one(context: Context) -> Outcome {
    item::create(&context).await?;
    for level in [
        IsolationLevel::ReadUncommitted,
        IsolationLevel::ReadCommitted,
        IsolationLevel::RepeatableRead,
        IsolationLevel::Serializable,
    ] {
        POLICY
            .isolation(level)
            .access_mode(AccessMode::ReadWrite)
            .transaction(&context.db, |txn| async move { add(&txn, 1, 1).await })
            .await?;
    }
    assert_eq!(quantities(&context).await?, [14, 20, 30]);
    Ok(())
}

/// Read uncommitted, and rolled back by whoever wrote it.
async fn a_version_that_never_was_is_a_conflict(context: Context) -> Outcome {
    item::create(&context).await?;
    let rival = context.other.begin().await?;
    item::load(&context, 1).await?.touch(&rival).await?;
    let rival = std::sync::Mutex::new(Some(rival));
    let calls = Calls::default();
    let row = POLICY
        .isolation(IsolationLevel::ReadUncommitted)
        .transaction(&context.db, |txn| {
            let (rival, first) = (rival.lock().unwrap().take(), calls.next() == 1);
            async move {
                let row = item::Entity::find_by_id(1).one(&txn).await?.ok_or("no row")?;
                assert_eq!(row.version, if first { 2 } else { 1 });
                if let Some(rival) = rival {
                    rival.rollback().await?;
                }
                Ok::<_, Failure>(row.touch(&txn).await?)
            }
        })
        .await?;
    assert_eq!((calls.count(), row.version), (2, 2));
    assert_eq!(stored(&context, 1).await?.2, 2);
    Ok(())
}
