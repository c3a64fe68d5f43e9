//! Callers who wait for the same row, in an order that is known.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use optlock::prelude::*;
use optlock::{Clock, Error, Policy, Sleep};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::ShopError;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// What a caller does, from its place in the line on.
pub(super) type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A clock without a timer: whoever waits in line waits until it is its turn, and does not find that nothing moves.
pub(super) struct NoTimer;

impl Clock for NoTimer {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, _: Duration) -> Option<Sleep> {
        None
    }
}

pub(super) static NO_TIMER: NoTimer = NoTimer;

/// Goes on when it is its turn, and for no other reason.
pub(super) const PATIENT: Policy<'static> = Policy::new().without_deadline().clock(&NO_TIMER);

/// The same, and stores with others.
pub(super) const COMBINED: Policy<'static> = PATIENT.combine();

/// Polls a future once, within a closure or not.
pub(super) fn poll_once<T>(call: &mut Call<T>) -> Poll<T> {
    // Without the budget of the task, which would hold back the last ones of many.
    tokio::task::block_in_place(|| call.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())))
}

/// Polls a future once. Whether it is still pending.
pub(super) fn is_pending<T>(call: &mut Call<T>) -> bool {
    poll_once(call).is_pending()
}

/// Has calls line up for a row, in this order, while somebody has the turn who changes nothing and leaves the row as it has read it.
pub(super) async fn line_up<E, T>(entity: E, db: &DatabaseConnection, id: i64, calls: &mut [Call<T>]) -> Result<()>
where
    E: Versioned,
    E::PrimaryKey: PrimaryKeyTrait<ValueType = i64>,
{
    let lined_up = |_: &mut E::Model| assert!(calls.iter_mut().all(is_pending), "nobody has the turn");
    PATIENT.modify(entity, db, id, lined_up).await?;
    Ok(())
}

/// The same while somebody has the turn who refuses and leaves nothing.
pub(super) async fn line_up_for_nothing<T>(db: &DatabaseConnection, id: i64, calls: &mut [Call<T>]) -> Result<()> {
    let refuse = |row: &mut crate::entity::item::Model| {
        assert!(calls.iter_mut().all(is_pending), "nobody has the turn");
        Err(ShopError::SoldOut(row.qty))
    };
    let refused = PATIENT.try_modify(crate::entity::item::Entity, db, id, refuse).await;
    assert!(matches!(refused, Err(ShopError::SoldOut(_))));
    Ok(())
}

/// Lets them go on, each in a task of its own.
pub(super) fn go<T: Send + 'static>(calls: Vec<Call<T>>) -> Vec<JoinHandle<T>> {
    calls.into_iter().map(tokio::spawn).collect()
}

/// What becomes of them, in the order of the line.
pub(super) async fn ends<T>(tasks: Vec<JoinHandle<T>>) -> Result<Vec<T>> {
    let all = async {
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await?);
        }
        Ok(outcomes)
    };
    in_time(all).await?
}

/// What takes longer than this hangs.
pub(super) fn in_time<F: Future>(future: F) -> Pin<Box<impl Future<Output = Result<F::Output>>>> {
    Box::pin(async {
        tokio::time::timeout(Duration::from_secs(30), future)
            .await
            .map_err(|_| "it hangs".into())
    })
}

/// A row of this case's on this backend: what it is known for is no other one's.
pub(super) async fn own_row(context: &crate::context::Context, number: i64, qty: i64) -> Result<i64> {
    crate::entity::item::create(context).await?;
    let id = number + context.backend.pick(0, 1, 2);
    super::insert_item(context, id, qty).await?;
    Ok(id)
}

/// A number of calls.
pub(super) fn calls<T, F>(count: usize, call: impl FnMut(usize) -> F) -> Vec<Call<T>>
where
    F: Future<Output = T> + Send + 'static,
{
    let boxed = |future| Box::pin(future) as Call<T>;
    (0..count).map(call).map(boxed).collect()
}

/// Quantity and version.
pub(super) fn pair(
    row: std::result::Result<crate::entity::item::Model, Error>,
) -> std::result::Result<(i64, i64), Error> {
    row.map(|row| (row.qty, row.version))
}

/// A gate at which writes stop.
#[derive(Debug)]
pub(super) struct Gate {
    reached: Semaphore,
    open: Semaphore,
}

static GATES: LazyLock<Mutex<HashMap<i64, Arc<Gate>>>> = LazyLock::new(Mutex::default);

impl Gate {
    /// A gate ahead of the writes to a row of [`gated`]; for the negative key, behind them.
    pub(super) fn at(id: i64) -> Arc<Self> {
        let gate = Arc::new(Self {
            reached: Semaphore::new(0),
            open: Semaphore::new(0),
        });
        GATES.lock().unwrap().insert(id, Arc::clone(&gate));
        gate
    }

    /// Waits until somebody is there.
    pub(super) async fn reached(&self) -> Result<()> {
        in_time(self.reached.acquire()).await??.forget();
        Ok(())
    }

    /// Lets one pass.
    pub(super) fn open(&self) {
        self.open.add_permits(1);
    }

    async fn pass(id: i64) {
        let gate = GATES.lock().unwrap().get(&id).cloned();
        if let Some(gate) = gate {
            gate.reached.add_permits(1);
            gate.open.acquire().await.unwrap().forget();
        }
    }
}

/// Rows whose writes stop at a [`Gate`], if there is one. Some quantities are no good.
pub(super) mod gated {
    use optlock::prelude::*;

    use super::Gate;

    /// `before_save` refuses it.
    pub(in crate::modify) const REFUSED: i64 = 666;
    /// `before_save` panics.
    pub(in crate::modify) const PANICS: i64 = 777;
    /// `before_save` takes the change back.
    pub(in crate::modify) const TAKEN_BACK: i64 = 555;
    /// `after_save` refuses it.
    pub(in crate::modify) const REFUSED_LATE: i64 = 999;
    /// `after_save` inserts the row once more.
    pub(in crate::modify) const INSERTED_TWICE: i64 = 888;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "gated")]
    pub(in crate::modify) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::modify) id: i64,
        pub(in crate::modify) qty: i64,
        #[version]
        pub(in crate::modify) version: i64,
    }

    #[async_trait::async_trait]
    impl ActiveModelBehavior for ActiveModel {
        async fn before_save<C>(self, _: &C, _: bool) -> Result<Self, DbErr>
        where
            C: ConnectionTrait,
        {
            Gate::pass(*self.id.as_ref()).await;
            match *self.qty.as_ref() {
                REFUSED => Err(DbErr::Custom("refused by a hook".to_owned())),
                PANICS => panic!("a mistake in a hook"),
                TAKEN_BACK => Ok(Self {
                    qty: Unchanged(TAKEN_BACK),
                    ..self
                }),
                _ => Ok(self),
            }
        }

        async fn after_save<C>(model: Model, db: &C, _: bool) -> Result<Model, DbErr>
        where
            C: ConnectionTrait,
        {
            Gate::pass(-model.id).await;
            match model.qty {
                REFUSED_LATE => Err(DbErr::Custom("refused by a hook".to_owned())),
                INSERTED_TWICE => {
                    let again = format!("INSERT INTO gated VALUES ({}, 0, 1)", model.id);
                    db.execute_unprepared(&again).await?;
                    Ok(model)
                }
                _ => Ok(model),
            }
        }
    }

    /// Creates the table with one row at version 1.
    pub(in crate::modify) async fn create(
        context: &crate::context::Context,
        number: i64,
        qty: i64,
    ) -> super::Result<i64> {
        context.create(Entity).await?;
        let id = number + context.backend.pick(0, 1, 2);
        context
            .sql(&format!("INSERT INTO gated VALUES ({id}, {qty}, 1)"))
            .await?;
        Ok(id)
    }

    /// Quantity and version, as stored.
    pub(in crate::modify) async fn stored(context: &crate::context::Context, id: i64) -> super::Result<(i64, i64)> {
        let row = context
            .row(&format!("SELECT qty, version FROM gated WHERE id = {id}"))
            .await?;
        Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))
    }
}
