//! Callers of one process who want the same row come one after another.

pub(crate) mod dropped;
pub(crate) mod generated;
pub(crate) mod rivals;
pub(crate) mod writers;

use std::pin::Pin;
use std::sync::Arc;

use optlock::prelude::*;
use optlock::{Error, Policy, Report};
use tokio::sync::Barrier;

use super::line::{Call, PATIENT, calls, ends, go, in_time, is_pending, line_up, own_row, pair};
use super::{ShopError, block_on, reads, writes};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};

cases![
    callers_are_served_in_the_order_they_came_and_read_the_row_once,
    thirty_two_tasks_lose_no_round,
    sixteen_tasks_share_a_pool_of_one,
    a_model_in_hand_waits_in_line_and_begins_with_what_was_left,
    whoever_never_queues_does_not_wait,
    the_turn_is_for_a_row_of_a_pool_and_an_entity,
    a_hook_that_changes_the_row_its_caller_has_the_turn_for_does_not_wait_for_it,
    a_wait_ahead_of_the_first_attempt_does_not_count_against_the_deadline,
];

async fn callers_are_served_in_the_order_they_came_and_read_the_row_once(context: Context) -> Outcome {
    let id = own_row(&context, 700, 0).await?;
    context.take_statements();
    let mut lined_up = calls(32, |_| {
        let db = context.db.clone();
        async move {
            let report = Report::new();
            let policy = PATIENT.report(&report);
            let row = policy.modify(item::Entity, &db, id, |row| row.qty += 1).await;
            (pair(row), report.attempts())
        }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    for (place, (row, attempts)) in (1..).zip(ends(go(lined_up)).await?) {
        assert_eq!((row?, attempts), ((place, place + 1), 1));
    }
    let sent = context.take_statements();
    // It is whoever had the turn first that has read it.
    assert_eq!((reads(&sent), writes(&sent).len()), (1, 32), "{sent:?}");
    assert_eq!(sent.len(), 33, "{sent:?}");
    Ok(())
}

async fn race(context: &Context, number: i64, tasks: usize, connections: u32) -> Outcome {
    const ROUNDS: usize = 5;

    let id = own_row(context, number, 0).await?;
    let db = context.connect(connections).await?;
    let start = Arc::new(Barrier::new(tasks));
    let racing = calls(tasks, |_| {
        let (db, start) = (db.clone(), Arc::clone(&start));
        async move {
            let report = Report::new();
            start.wait().await;
            let mut rows = Vec::new();
            for _ in 0..ROUNDS {
                let policy = PATIENT.report(&report);
                rows.push(policy.modify(item::Entity, &db, id, |row| row.qty += 1).await?);
                assert_eq!((report.attempts(), report.fault()), (1, None), "a round was lost");
            }
            Ok::<_, Error>(rows)
        }
    });
    let mut versions = Vec::new();
    for rows in ends(go(racing)).await? {
        for row in rows? {
            assert_eq!(row.qty + 1, row.version, "what is returned is the caller's own");
            versions.push(row.version);
        }
    }
    versions.sort_unstable();
    let total = i64::try_from(tasks * ROUNDS)?;
    assert!(versions.into_iter().eq(2..=total + 1), "the versions have a gap");
    let row = stored(context, id).await?;
    assert_eq!((row.1, row.2), (total, total + 1));
    Ok(())
}

async fn thirty_two_tasks_lose_no_round(context: Context) -> Outcome {
    race(&context, 703, 32, 8).await
}

async fn sixteen_tasks_share_a_pool_of_one(context: Context) -> Outcome {
    race(&context, 706, 16, 1).await
}

async fn a_model_in_hand_waits_in_line_and_begins_with_what_was_left(context: Context) -> Outcome {
    let id = own_row(&context, 709, 0).await?;
    let in_hand = item::load(&context, id).await?;
    context.take_statements();
    let mut lined_up = calls(8, |_| {
        let (db, in_hand) = (context.db.clone(), in_hand.clone());
        async move {
            let report = Report::new();
            let policy = PATIENT.report(&report);
            let row = policy.modify_model(in_hand, &db, |row| row.qty += 1).await;
            (pair(row), report.attempts())
        }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    for (place, (row, attempts)) in (1..).zip(ends(go(lined_up)).await?) {
        assert_eq!((row?, attempts), ((place, place + 1), 1));
    }
    let sent = context.take_statements();
    assert_eq!((reads(&sent), writes(&sent).len()), (1, 8), "{sent:?}");
    Ok(())
}

/// Runs something to its end while the turn for a row is taken, by somebody who changes nothing.
fn meanwhile<'a, T: Send + 'a>(
    context: &'a Context,
    id: i64,
    work: impl Future<Output = T> + Send + 'a,
) -> Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>> {
    Box::pin(async move {
        let (mut work, mut output) = (Some(work), None);
        let hold = |_: &mut item::Model| {
            if let Some(work) = work.take() {
                output = Some(block_on(in_time(work)));
            }
        };
        PATIENT.modify(item::Entity, &context.db, id, hold).await?;
        Ok(output.unwrap().expect("it waits for the turn"))
    })
}

async fn whoever_never_queues_does_not_wait(context: Context) -> Outcome {
    let id = own_row(&context, 712, 0).await?;
    let policy = PATIENT.never_queue();
    let row = meanwhile(
        &context,
        id,
        policy.modify(item::Entity, &context.db, id, |row| row.qty += 1),
    );
    assert_eq!(pair(row.await?)?, (1, 2));
    for policy in [PATIENT, PATIENT.combine(), PATIENT.lock_after(0)] {
        let db = context.db.clone();
        let work = async move { policy.modify(item::Entity, &db, id, |row| row.qty += 1).await };
        let mut waits: Call<_> = Box::pin(work);
        line_up(item::Entity, &context.db, id, std::slice::from_mut(&mut waits)).await?;
        in_time(waits).await??;
    }
    assert_eq!(stored(&context, id).await?.1, 4);
    Ok(())
}

/// The same table, seen by another entity.
mod twin {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "item")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i64,
        pub(super) qty: i64,
        #[version]
        pub(super) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

async fn the_turn_is_for_a_row_of_a_pool_and_an_entity(context: Context) -> Outcome {
    let id = own_row(&context, 715, 0).await?;
    super::insert_item(&context, id + 1_000, 0).await?;
    let elsewhere = Context::open(context.backend).await?;
    assert_eq!(own_row(&elsewhere, 715, 70).await?, id);

    let there = PATIENT.modify(item::Entity, &elsewhere.db, id, |row| row.qty += 1);
    assert_eq!(pair(meanwhile(&context, id, there).await?)?, (71, 2));
    assert_eq!(stored(&context, id).await?.1, 0);

    let another = PATIENT.modify(item::Entity, &context.db, id + 1_000, |row| row.qty += 5);
    assert_eq!(pair(meanwhile(&context, id, another).await?)?, (5, 2));

    // Those of another pool are as those of another process.
    let pool = context.connect(1).await?;
    let by_pool = PATIENT.modify(item::Entity, &pool, id, |row| row.qty += 1);
    assert_eq!(pair(meanwhile(&context, id, by_pool).await?)?, (1, 2));

    let by_twin = PATIENT.modify(twin::Entity, &context.db, id, |row| row.qty += 1);
    assert_eq!(meanwhile(&context, id, by_twin).await??.qty, 2);

    // A clone is the same pool.
    let clone = context.db.clone();
    let work = async move { PATIENT.modify(item::Entity, &clone, id, |row| row.qty += 1).await };
    let mut waits: Call<_> = Box::pin(work);
    line_up(item::Entity, &context.db, id, std::slice::from_mut(&mut waits)).await?;
    assert_eq!(pair(in_time(waits).await?)?, (3, 4));
    Ok(())
}

/// Rows whose hook changes them once more, on a connection of its own.
mod selfish {
    use std::sync::Mutex;

    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "selfish")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i64,
        pub(super) qty: i64,
        #[version]
        pub(super) version: i64,
    }

    /// Once for each.
    pub(super) static CONNECTIONS: Mutex<Vec<(i64, DatabaseConnection)>> = Mutex::new(Vec::new());

    #[async_trait::async_trait]
    impl ActiveModelBehavior for ActiveModel {
        async fn before_save<C>(self, _: &C, _: bool) -> Result<Self, DbErr>
        where
            C: ConnectionTrait,
        {
            let id = *self.id.as_ref();
            let connection = {
                let mut connections = CONNECTIONS.lock().unwrap();
                let at = connections.iter().position(|(of, _)| *of == id);
                at.map(|at| connections.swap_remove(at))
            };
            if let Some((_, db)) = connection {
                Entity::modify(&db, id, |row| row.qty += 100).await?;
            }
            Ok(self)
        }
    }
}

async fn a_hook_that_changes_the_row_its_caller_has_the_turn_for_does_not_wait_for_it(context: Context) -> Outcome {
    context.create(selfish::Entity).await?;
    let first = 718 + context.backend.pick(0, 10, 20);
    for (id, policy) in [(first, Policy::new()), (first + 1, Policy::new().combine())] {
        context
            .sql(&format!("INSERT INTO selfish VALUES ({id}, 10, 1)"))
            .await?;
        selfish::CONNECTIONS.lock().unwrap().push((id, context.db.clone()));
        let report = Report::new();
        let policy = policy.without_deadline().report(&report);
        let row = in_time(policy.modify(selfish::Entity, &context.db, id, |row| row.qty += 1)).await??;
        assert_eq!((row.qty, row.version, report.attempts()), (111, 3, 2));
        assert!(report.elapsed().as_secs() < 5, "it waited until the queue stood still");
    }
    Ok(())
}

async fn a_wait_ahead_of_the_first_attempt_does_not_count_against_the_deadline(context: Context) -> Outcome {
    use std::time::Duration;

    const LATE: Duration = Duration::from_secs(1);

    let id = own_row(&context, 750, 0).await?;
    let report = Arc::new(Report::new());
    let (db, other, told) = (context.db.clone(), context.other.clone(), Arc::clone(&report));
    let mut waits: Call<_> = Box::pin(async move {
        let policy = Policy::new().deadline(LATE).report(&told);
        let mut has_lost = false;
        let lose = |row: &mut item::Model| {
            if !std::mem::replace(&mut has_lost, true) {
                let sql = format!("UPDATE item SET version = version + 1 WHERE id = {id}");
                block_on(other.execute_unprepared(&sql)).unwrap();
            }
            row.qty += 1;
        };
        policy.modify(item::Entity, &db, id, lose).await
    });
    let mut hold = |_: &mut item::Model| {
        assert!(is_pending(&mut waits));
        std::thread::sleep(LATE);
    };
    let refused = PATIENT.try_modify(item::Entity, &context.db, id, |row| {
        hold(row);
        Err(ShopError::SoldOut(row.qty))
    });
    assert!(refused.await.is_err());
    // The row was read after the wait, and the first attempt was lost within the time.
    assert_eq!(pair(waits.await)?, (1, 3));
    assert_eq!(report.attempts(), 2);
    Ok(())
}
