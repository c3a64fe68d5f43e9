//! What a lock keeps others from, what it refuses, and what an error leaves of the transaction.

use optlock::prelude::*;
use optlock::{Error, Fault, TransactionState};
use sea_orm::sea_query::{Func, SimpleExpr};
use sea_orm::{AccessMode, IsolationLevel, QueryOrder, QuerySelect, QueryTrait, TransactionTrait};
use tokio::sync::Barrier;

use super::{begin, fault, is_locked};
use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::account;
use crate::entity::item::{self, load, stored};
use crate::wait::until_blocked;

cases![
    an_entity_without_a_version_can_be_locked,
    generic_code_locks_in_any_transaction,
    filter_order_and_limit_go_before_and_after,
    a_lock_in_a_nested_transaction_is_a_lock,
    what_returns_no_rows_of_a_table_is_refused_before_any_sql,
    a_read_only_transaction_cannot_lock,
    a_lock_of_a_row_that_is_not_there_is_none,
    a_lock_is_held_until_commit_or_rollback,
    a_row_that_may_be_there_is_inserted_first_and_then_locked,
    a_change_after_the_snapshot_is_a_serialization_failure;
    SERVERS:
    one_locks_one,
    a_locked_row_can_be_read_and_its_neighbour_written,
    a_shared_lock_is_shared_and_keeps_writers_out,
    two_who_share_a_lock_and_write_end_in_a_deadlock,
    a_deadlock_has_one_victim_and_both_connections_go_on,
    an_insert_waits_for_the_row_that_it_refers_to,
    a_statement_limit_is_no_lock_timeout;
    MARIADB:
    a_filter_without_an_index_locks_other_rows_too,
    after_a_deadlock_nothing_is_committed_by_the_same_handle,
    a_deadlock_in_a_nested_transaction_is_not_mended_by_its_rollback,
    locks_of_missing_rows_end_in_a_deadlock_that_a_second_try_heals,
    a_change_after_the_snapshot_seals_the_session;
    SQLITE:
    a_reader_who_meets_a_writer_is_told_at_once,
];

async fn an_entity_without_a_version_can_be_locked(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    let txn = begin(&context.db).await?;
    let row = account::Entity::find_by_id(1)
        .for_update()
        .one(&txn)
        .await?
        .ok_or("no row")?;
    assert_eq!(row.balance, 100);
    let mut change = row.into_model().into_active_model();
    change.balance = Set(90);
    change.update(&txn).await?;
    txn.commit().await?;
    assert_eq!(context.number("SELECT balance FROM account WHERE id = 1").await?, 90);
    Ok(())
}

async fn generic_code_locks_in_any_transaction(context: Context) -> Outcome {
    async fn locked<C: TransactionTrait>(db: &C) -> Result<Option<i64>, Error> {
        let txn = db.begin().await?;
        let row = item::Entity::find_by_id(1).for_update().one(&txn).await?;
        Ok(row.map(|row| row.version))
    }
    item::create(&context).await?;
    assert_eq!(locked(&context.db).await?, Some(1));
    let txn = context.db.begin().await?;
    assert_eq!(locked(&txn).await?, Some(1));
    Ok(())
}

async fn filter_order_and_limit_go_before_and_after(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let ids = |rows: Vec<optlock::Locked<'_, item::Model>>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    let before = item::Entity::find()
        .filter(item::Column::Qty.gt(10))
        .order_by_desc(item::Column::Id)
        .limit(1);
    assert_eq!(ids(before.for_update().all(&txn).await?), [3]);
    let after = item::Entity::find()
        .for_update()
        .filter(item::Column::Qty.lt(30))
        .order_by_desc(item::Column::Id);
    assert_eq!(ids(after.clone().limit(1).all(&txn).await?), [2]);
    assert_eq!(ids(after.limit(1).offset(1).all(&txn).await?), [1]);
    // A clause that was set in SeaORM's way gives way.
    assert_eq!(
        ids(item::Entity::find_by_id(2).lock_shared().for_update().all(&txn).await?),
        [2]
    );
    Ok(())
}

async fn a_lock_in_a_nested_transaction_is_a_lock(context: Context) -> Outcome {
    item::create(&context).await?;
    let outer = begin(&context.db).await?;
    let inner = outer.begin().await?;
    let row = item::Entity::find_by_id(1)
        .for_update()
        .one(&inner)
        .await?
        .ok_or("no row")?;
    assert_eq!(row.update(|row| row.qty += 1).await?.version, 2);
    inner.commit().await?;
    if context.backend.expected().has_row_locks {
        assert!(is_locked(&context, 1).await?);
    }
    outer.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 2));
    Ok(())
}

async fn what_returns_no_rows_of_a_table_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    let union = {
        let mut select = item::Entity::find();
        QuerySelect::query(&mut select).union(sea_orm::sea_query::UnionType::All, item::Entity::find().into_query());
        select
    };
    context.take_statements();
    for (select, clause) in [
        (item::Entity::find().distinct(), "DISTINCT"),
        (item::Entity::find().group_by(item::Column::Id), "GROUP BY"),
        (item::Entity::find().having(item::Column::Id.gt(1)), "HAVING"),
        (union, "UNION"),
        (
            item::Entity::find()
                .select_only()
                .column_as(item::Column::Id.count(), "id"),
            "an aggregate",
        ),
        (
            item::Entity::find().column_as(
                SimpleExpr::from(Func::coalesce([item::Column::Qty.sum(), 0.into()])),
                "total",
            ),
            "an aggregate",
        ),
    ] {
        let Err(Error::NotLockable(err)) = select.clone().for_update().all(&txn).await else {
            panic!("{clause} was not refused");
        };
        assert_eq!((err.table(), err.clause()), ("item", clause));
        assert!(matches!(
            select.for_share().nowait().one(&txn).await,
            Err(Error::NotLockable(_))
        ));
    }
    assert_eq!(context.take_statements(), <Vec<String>>::new());
    Ok(())
}

async fn a_read_only_transaction_cannot_lock(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let txn = if context.backend == Backend::Sqlite {
        db.execute_unprepared("PRAGMA query_only = ON").await?;
        db.begin().await?
    } else {
        db.begin_with_config(None, Some(AccessMode::ReadOnly)).await?
    };
    let err = item::Entity::find_by_id(1).for_update().one(&txn).await.unwrap_err();
    assert_eq!((err.fault(), err.is_lock_unavailable()), (Some(Fault::ReadOnly), false));
    Ok(())
}

async fn a_lock_of_a_row_that_is_not_there_is_none(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    assert!(item::Entity::find_by_id(9).for_update().one(&txn).await?.is_none());
    Ok(())
}

/// SeaORM's closure commits on `Ok` and rolls back on `Err`; either way the lock is gone.
async fn a_lock_is_held_until_commit_or_rollback(context: Context) -> Outcome {
    item::create(&context).await?;
    for fails in [false, true] {
        let outcome = context
            .db
            .transaction::<_, (), Error>(move |txn| {
                Box::pin(async move {
                    let row = item::Entity::find_by_id(1).for_update().one(txn).await?;
                    let row = row.ok_or(DbErr::RecordNotFound("1".to_owned()))?;
                    row.update(|row| row.qty += 1).await?;
                    if fails {
                        return Err(DbErr::Custom("changed my mind".to_owned()).into());
                    }
                    Ok(())
                })
            })
            .await;
        assert_eq!(outcome.is_err(), fails);
        assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 2));
        let txn = begin(&context.other).await?;
        assert!(
            item::Entity::find_by_id(1)
                .for_update()
                .nowait()
                .one(&txn)
                .await?
                .is_some()
        );
        txn.rollback().await?;
    }
    Ok(())
}

/// What the guide says of rows that may be there: eight callers, one row, and nobody fails.
async fn a_row_that_may_be_there_is_inserted_first_and_then_locked(context: Context) -> Outcome {
    async fn add(db: DatabaseConnection) -> Result<(), Error> {
        let row = item::ActiveModel {
            id: Set(9),
            name: Set("nine".to_owned()),
            qty: Set(0),
            version: NotSet,
        };
        item::Entity::insert(row)
            .on_conflict_do_nothing()
            .exec_without_returning(&db)
            .await?;
        let txn = db.begin().await?;
        if let Some(row) = item::Entity::find_by_id(9).for_update().one(&txn).await? {
            row.update(|row| row.qty += 1).await?;
        }
        Ok(txn.commit().await?)
    }
    item::create(&context).await?;
    let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(add(context.db.clone()))).collect();
    for task in tasks {
        task.await??;
    }
    assert_eq!(stored(&context, 9).await?, ("nine".to_owned(), 8, 9));
    Ok(())
}

async fn a_change_after_the_snapshot_is_a_serialization_failure(context: Context) -> Outcome {
    item::create(&context).await?;
    let level = (context.backend != Backend::Sqlite).then_some(IsolationLevel::RepeatableRead);
    let txn = context.db.begin_with_config(level, None).await?;
    assert_eq!(item::Entity::find_by_id(1).one(&txn).await?.ok_or("no row")?.version, 1);
    context
        .sql("UPDATE item SET qty = 99, version = 2 WHERE id = 1")
        .await?;
    let read = item::Entity::find_by_id(1).for_update().one(&txn).await;
    if context.backend == Backend::MariaDb {
        // A locking read shows the newest row, whatever the snapshot.
        let row = read?.ok_or("no row")?;
        assert_eq!((row.qty, row.version), (99, 2));
        assert_eq!(row.update(|row| row.qty += 1).await?.version, 3);
        return Ok(());
    }
    let Err(Error::Lock(err)) = read else {
        panic!("the snapshot is out of date: {read:?}");
    };
    assert_eq!(
        (err.fault(), err.transaction()),
        (Fault::Serialization, TransactionState::MustRollBack)
    );
    assert!(Error::from(err).is_conflict());
    Ok(())
}

async fn one_locks_one(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let first = item::Entity::find()
        .order_by_asc(item::Column::Id)
        .for_update()
        .one(&txn)
        .await?;
    assert_eq!(first.map(|row| row.id), Some(1));
    assert!(is_locked(&context, 1).await? && !is_locked(&context, 2).await?);
    Ok(())
}

async fn a_locked_row_can_be_read_and_its_neighbour_written(context: Context) -> Outcome {
    item::create(&context).await?;
    let rival = begin(&context.other).await?;
    let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
    assert_eq!(load(&context, 1).await?.version, 1, "a plain read does not wait");
    assert_eq!(load(&context, 2).await?.touch(&context.db).await?.version, 2);

    let row = load(&context, 1).await?;
    let db = context.db.clone();
    let waiting = tokio::spawn(async move { row.touch(&db).await });
    until_blocked(&context).await?;
    rival.rollback().await?;
    assert_eq!(waiting.await??.version, 2);
    Ok(())
}

async fn a_shared_lock_is_shared_and_keeps_writers_out(context: Context) -> Outcome {
    item::create(&context).await?;
    let (first, second) = (begin(&context.other).await?, begin(&context.other).await?);
    for txn in [&first, &second] {
        assert!(
            item::Entity::find_by_id(1)
                .for_share()
                .nowait()
                .one(txn)
                .await?
                .is_some()
        );
    }
    let row = load(&context, 1).await?;
    let db = context.db.clone();
    let waiting = tokio::spawn(async move { row.touch(&db).await });
    until_blocked(&context).await?;
    first.rollback().await?;
    until_blocked(&context).await?;
    assert!(!waiting.is_finished(), "the second still holds its share");
    second.rollback().await?;
    assert_eq!(waiting.await??.version, 2);
    Ok(())
}

/// Both hold a row, and then want to write what the other one holds.
async fn cross(
    context: &Context,
    share: bool,
) -> Result<Vec<Result<i64, (Fault, TransactionState)>>, Box<dyn std::error::Error + Send + Sync>> {
    let met = std::sync::Arc::new(Barrier::new(2));
    let mut tasks = tokio::task::JoinSet::new();
    for (mine, theirs) in [(1, 2), (2, 1)] {
        let txn = begin(&context.db).await?;
        let met = std::sync::Arc::clone(&met);
        tasks.spawn(async move {
            let outcome = async {
                let mine = if share { 1 } else { mine };
                let select = item::Entity::find_by_id(mine);
                let lock = if share { select.for_share() } else { select.for_update() };
                let row = lock.one(&txn).await?.ok_or(DbErr::RecordNotFound(String::new()))?;
                met.wait().await;
                let row = if share {
                    row
                } else {
                    let other = item::Entity::find_by_id(theirs).for_update().one(&txn).await?;
                    other.ok_or(DbErr::RecordNotFound(String::new()))?
                };
                Ok::<_, Error>(row.update(|row| row.qty += 1).await?.version)
            }
            .await;
            match outcome {
                Ok(version) => txn.commit().await.map(|()| Ok(version)),
                Err(Error::Lock(err)) => {
                    let facts = (err.fault(), err.transaction());
                    txn.rollback().await.map(|()| Err(facts))
                }
                Err(err) => panic!("{err:?}"),
            }
        });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = tasks.join_next().await {
        outcomes.push(outcome??);
    }
    outcomes.sort_by_key(Result::is_ok);
    Ok(outcomes)
}

fn deadlock(backend: Backend) -> (Fault, TransactionState) {
    let state = backend.pick(
        TransactionState::MustRollBack,
        TransactionState::MustRollBack,
        TransactionState::RolledBack,
    );
    (Fault::Deadlock, state)
}

async fn two_who_share_a_lock_and_write_end_in_a_deadlock(context: Context) -> Outcome {
    item::create(&context).await?;
    assert_eq!(cross(&context, true).await?, [Err(deadlock(context.backend)), Ok(2)]);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 11, 2));
    Ok(())
}

async fn a_deadlock_has_one_victim_and_both_connections_go_on(context: Context) -> Outcome {
    item::create(&context).await?;
    assert_eq!(cross(&context, false).await?, [Err(deadlock(context.backend)), Ok(2)]);
    for id in [1, 2] {
        let (txn, second) = (begin(&context.db).await?, begin(&context.db).await?);
        assert!(
            item::Entity::find_by_id(id)
                .for_update()
                .nowait()
                .one(&txn)
                .await?
                .is_some()
        );
        assert_eq!(
            fault(item::Entity::find_by_id(id).for_update().nowait().one(&second).await),
            Fault::LockNotAvailable
        );
    }
    Ok(())
}

/// A foreign key is checked with a share of the parent's key, which `for_no_key_update` leaves to others.
async fn an_insert_waits_for_the_row_that_it_refers_to(context: Context) -> Outcome {
    item::create(&context).await?;
    context
        .sql("CREATE TABLE note (id BIGINT NOT NULL PRIMARY KEY, item_id BIGINT NOT NULL, FOREIGN KEY (item_id) REFERENCES item (id))")
        .await?;
    let holder = begin(&context.db).await?;
    if context.backend.expected().has_key_locks {
        let _held = item::Entity::find_by_id(1).for_no_key_update().one(&holder).await?;
        context.sql("INSERT INTO note (id, item_id) VALUES (1, 1)").await?;
    }
    let _held = item::Entity::find_by_id(1).for_update().one(&holder).await?;
    let other = context.connect(1).await?;
    let inserting = tokio::spawn(async move {
        let sql = "INSERT INTO note /* item */ (id, item_id) VALUES (2, 1)";
        other.execute_unprepared(sql).await
    });
    until_blocked(&context).await?;
    holder.rollback().await?;
    assert_eq!(inserting.await??.rows_affected(), 1);
    Ok(())
}

/// Whichever limit ends the statement is the one that is reported.
async fn a_statement_limit_is_no_lock_timeout(context: Context) -> Outcome {
    item::create(&context).await?;
    let rival = begin(&context.other).await?;
    let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
    let db = context.connect(1).await?;
    let limit = |millis: u32| {
        context.backend.pick(
            String::new(),
            format!("SET statement_timeout = {millis}"),
            format!("SET SESSION max_statement_time = {}", f64::from(millis) / 1000.0),
        )
    };
    for (statement, lock, expected) in [(200, 5_000, Fault::Cancelled), (10_000, 200, Fault::LockTimeout)] {
        let txn = begin(&db).await?;
        txn.execute_unprepared(&limit(statement)).await?;
        let lock = item::Entity::find_by_id(1)
            .for_update()
            .wait(std::time::Duration::from_millis(lock));
        assert_eq!(
            lock.one(&txn).await.unwrap_err().fault(),
            Some(expected),
            "{statement} ms"
        );
        txn.rollback().await?;
    }
    rival.rollback().await?;
    Ok(())
}

/// What is looked at is locked: the reason to lock by key.
async fn a_filter_without_an_index_locks_other_rows_too(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let by_quantity = item::Entity::find().filter(item::Column::Qty.eq(10)).for_update();
    assert_eq!(by_quantity.all(&txn).await?.len(), 1);
    assert!(is_locked(&context, 2).await?);
    Ok(())
}

/// The server has ended the transaction, and what follows would be committed one by one.
async fn after_a_deadlock_nothing_is_committed_by_the_same_handle(context: Context) -> Outcome {
    item::create(&context).await?;
    let (rival, victim) = (begin(&context.other).await?, begin(&context.db).await?);
    // The server spares who has written more.
    context.take_statements();
    let two = item::Entity::find_by_id(2)
        .for_update()
        .one(&rival)
        .await?
        .ok_or("no row")?;
    two.update(|row| row.qty = 0).await?;
    let three = item::Entity::find_by_id(3)
        .for_update()
        .one(&rival)
        .await?
        .ok_or("no row")?;
    three.update(|row| row.qty = 0).await?;
    let held = item::Entity::find_by_id(1)
        .for_update()
        .one(&victim)
        .await?
        .ok_or("no row")?;
    let waiting = tokio::spawn(async move {
        let row = item::Entity::find_by_id(1).for_update().one(&rival).await?;
        assert!(row.is_some());
        rival.commit().await?;
        Ok::<_, Error>(())
    });
    until_blocked(&context).await?;
    assert_eq!(
        fault(item::Entity::find_by_id(2).for_update().one(&victim).await),
        Fault::Deadlock
    );

    let after = [
        held.update(|row| row.qty = 77).await.map(drop),
        load(&context, 1).await?.touch(&victim).await.map(drop),
        item::Entity::find_by_id(3).for_update().one(&victim).await.map(drop),
        victim
            .execute_unprepared("UPDATE item SET qty = 77")
            .await
            .map(drop)
            .map_err(Error::from),
    ];
    for (number, outcome) in after.into_iter().enumerate() {
        assert_eq!(
            outcome.unwrap_err().fault(),
            Some(Fault::ReadOnly),
            "statement {number}"
        );
    }
    waiting.await??;
    // With nothing left to store, this is no error.
    victim.commit().await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    assert_eq!(stored(&context, 2).await?.1, 0);

    let db = context.db.clone();
    assert_eq!(
        load(&context, 1).await?.touch(&db).await?.version,
        2,
        "the connection is as good as new"
    );
    Ok(())
}

/// Its savepoint is gone with everything else, so rolling it back fails, and nobody goes on with the outer transaction
/// as if only the nested one were lost.
async fn a_deadlock_in_a_nested_transaction_is_not_mended_by_its_rollback(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let (rival, outer) = (begin(&context.other).await?, begin(&db).await?);
    for id in [2, 3] {
        let row = item::Entity::find_by_id(id)
            .for_update()
            .one(&rival)
            .await?
            .ok_or("no row")?;
        row.update(|row| row.qty = 0).await?;
    }
    let held = item::Entity::find_by_id(1)
        .for_update()
        .one(&outer)
        .await?
        .ok_or("no row")?;
    held.update(|row| row.qty = 77).await?;
    let inner = outer.begin().await?;
    let waiting = tokio::spawn(async move {
        let row = item::Entity::find_by_id(1).for_update().one(&rival).await?;
        assert!(row.is_some());
        Ok::<_, Error>(rival.commit().await?)
    });
    until_blocked(&context).await?;
    assert_eq!(
        fault(item::Entity::find_by_id(2).for_update().one(&inner).await),
        Fault::Deadlock
    );
    assert_eq!(
        Error::from(inner.rollback().await.unwrap_err()).fault(),
        Some(Fault::Aborted)
    );
    waiting.await??;
    // What the pool gets back is as good as new.
    drop(outer);
    assert_eq!(load(&context, 2).await?.touch(&db).await?.version, 3);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

/// Two gap locks do not exclude each other, but each keeps the other's insert out.
async fn locks_of_missing_rows_end_in_a_deadlock_that_a_second_try_heals(context: Context) -> Outcome {
    async fn get_or_create(db: DatabaseConnection, id: i64, met: Option<std::sync::Arc<Barrier>>) -> Result<(), Error> {
        let txn = db.begin().await?;
        assert!(item::Entity::find_by_id(id).for_update().one(&txn).await?.is_none());
        if let Some(met) = met {
            met.wait().await;
        }
        let row = item::ActiveModel {
            id: Set(id),
            name: Set(format!("number {id}")),
            qty: Set(0),
            version: NotSet,
        };
        row.insert(&txn).await?;
        Ok(txn.commit().await?)
    }
    item::create(&context).await?;
    let met = std::sync::Arc::new(Barrier::new(2));
    let tasks = [50, 60].map(|id| {
        let task = get_or_create(context.db.clone(), id, Some(std::sync::Arc::clone(&met)));
        (id, tokio::spawn(task))
    });
    let mut victims = Vec::new();
    for (id, task) in tasks {
        if let Err(err) = task.await? {
            assert_eq!(err.fault(), Some(Fault::Deadlock));
            victims.push(id);
        }
    }
    assert_eq!(victims.len(), 1);
    get_or_create(context.db.clone(), victims[0], None).await?;
    assert_eq!(
        context.number("SELECT COUNT(*) FROM item WHERE id IN (50, 60)").await?,
        2
    );
    Ok(())
}

/// The error ends the transaction, as a deadlock does.
async fn a_change_after_the_snapshot_seals_the_session(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    db.execute_unprepared("SET SESSION innodb_snapshot_isolation = ON")
        .await?;
    let txn = db.begin().await?;
    assert_eq!(
        item::Entity::find_by_id(1).one(&txn).await?.map(|row| row.version),
        Some(1)
    );
    context
        .sql("UPDATE item SET qty = 99, version = 2 WHERE id = 1")
        .await?;
    let Err(Error::Lock(err)) = item::Entity::find_by_id(1).for_update().one(&txn).await else {
        panic!("the snapshot is out of date");
    };
    assert_eq!(
        (err.fault(), err.transaction()),
        (Fault::Serialization, TransactionState::RolledBack)
    );
    let after = load(&context, 2).await?.touch(&txn).await;
    assert_eq!(after.unwrap_err().fault(), Some(Fault::ReadOnly));
    txn.rollback().await?;
    assert_eq!(load(&context, 2).await?.touch(&db).await?.version, 2);
    Ok(())
}

/// Who has read already waits for no writer: each would wait for the other.
async fn a_reader_who_meets_a_writer_is_told_at_once(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = context.db.begin().await?;
    assert!(item::Entity::find_by_id(1).one(&txn).await?.is_some());
    let rival = begin(&context.other).await?;
    let Err(Error::Lock(err)) = item::Entity::find_by_id(1).for_update().one(&txn).await else {
        panic!("two hold the database");
    };
    assert_eq!(
        (err.fault(), err.transaction()),
        (Fault::Deadlock, TransactionState::MustRollBack)
    );
    rival.rollback().await?;
    Ok(())
}
