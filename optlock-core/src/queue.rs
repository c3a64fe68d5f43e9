//! Callers of this process who want the same row, one after another.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use sea_orm::sea_query::ValueTuple;
use tokio::sync::OwnedMutexGuard;

use crate::clock::Clock;
use crate::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering};

/// For how long the queue of a row may stand still before whoever waits in it goes on without: behind a future that nobody polls it would do so for ever.
const STANDSTILL: Duration = Duration::from_secs(5);

/// The maps in which the queues are, so that callers who want different rows seldom meet.
const SHARDS: usize = 32;

tokio::task_local! {
    /// The rows in whose queues this task has the turn.
    static HELD: Vec<RowId>;
}

static QUEUES: LazyLock<[Mutex<Shard>; SHARDS]> = LazyLock::new(|| std::array::from_fn(|_| Mutex::default()));

type Shard = HashMap<RowId, Entry>;

/// A row, among all rows of all databases that this process has a pool for.
#[derive(Clone, PartialEq, Eq, Hash)]
struct RowId {
    pool: usize,
    entity: TypeId,
    key: ValueTuple,
}

struct Entry {
    shared: Arc<Shared>,
    /// The handles to it. With the last one, it is gone: there are never more queues than calls.
    handles: usize,
}

#[derive(Default)]
struct Shared {
    /// First come, first served, and who gives up leaves no gap.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// What whoever had the turn has left for the next one.
    left: Mutex<Option<Box<dyn Any + Send>>>,
    /// The turns that have ended.
    turns: AtomicU64,
    waiting: AtomicUsize,
}

/// A handle to the queue of a row.
pub(crate) struct Queue {
    id: RowId,
    shared: Arc<Shared>,
    standstill: Duration,
}

/// The right to be the only one in this process who changes the row, until it is dropped.
pub(crate) struct Turn {
    // Given up ahead of the handle.
    _turn: OwnedMutexGuard<()>,
    queue: Queue,
}

impl Queue {
    /// The queue of the row with this key. Rows of two pools are two rows: nobody knows whether they are of one database.
    pub(crate) fn of(pool: usize, entity: TypeId, key: &ValueTuple) -> Self {
        let id = RowId {
            pool,
            entity,
            key: key.clone(),
        };
        Self::enter(id, STANDSTILL)
    }

    /// The same queue, for somebody who goes on without a turn if it stands still for this long.
    pub(crate) fn patient_for(mut self, standstill: Duration) -> Self {
        self.standstill = standstill;
        self
    }

    fn enter(id: RowId, standstill: Duration) -> Self {
        let mut queues = id.shard();
        let entry = queues.entry(id.clone()).or_insert_with(|| Entry {
            shared: Arc::default(),
            handles: 0,
        });
        entry.handles += 1;
        let shared = Arc::clone(&entry.shared);
        drop(queues);
        Self { id, shared, standstill }
    }

    /// Waits for the turn. `None` if the queue stands still, if nobody could tell, or if it is this task that has the turn: a hook that wants the row for which
    /// it was called would wait for itself.
    ///
    /// Dropping the future gives the place up.
    pub(crate) async fn turn(&self, clock: &dyn Clock) -> Option<Turn> {
        if let Ok(turn) = Arc::clone(&self.shared.turn).try_lock_owned() {
            return Some(self.begin(turn));
        }
        if HELD.try_with(|held| held.contains(&self.id)).unwrap_or(false) {
            return None;
        }
        Box::pin(self.turn_unless(pin!(std::future::pending::<()>()), clock))
            .await
            .ok()?
    }

    /// The same, unless something else comes first: an error.
    pub(crate) async fn turn_unless<F: Future>(
        &self,
        mut first: Pin<&mut F>,
        clock: &dyn Clock,
    ) -> Result<Option<Turn>, F::Output> {
        let mut turn = pin!(self.next_turn());
        loop {
            let turns = self.shared.turns.load(Ordering::Relaxed);
            let Some(mut standstill) = clock.sleep(self.standstill) else {
                return Ok(None);
            };
            let next = poll_fn(|cx| {
                if let Poll::Ready(first) = first.as_mut().poll(cx) {
                    return Poll::Ready(Err(first));
                }
                match turn.as_mut().poll(cx) {
                    Poll::Ready(turn) => Poll::Ready(Ok(Some(turn))),
                    Poll::Pending => standstill.as_mut().poll(cx).map(|()| Ok(None)),
                }
            });
            if let Some(turn) = next.await? {
                return Ok(Some(turn));
            }
            if turns == self.shared.turns.load(Ordering::Relaxed) {
                tracing::debug!("a queue stands still");
                return Ok(None);
            }
        }
    }

    async fn next_turn(&self) -> Turn {
        let _waiting = Waiting::begin(&self.shared.waiting);
        let turn = Arc::clone(&self.shared.turn).lock_owned().await;
        self.begin(turn)
    }

    fn begin(&self, turn: OwnedMutexGuard<()>) -> Turn {
        Turn {
            _turn: turn,
            queue: self.clone(),
        }
    }

    /// What is done in a turn, so that what it calls does not wait for the same one. In whichever task it runs, that knows the turns of this one.
    pub(crate) fn holding<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        let mut held = HELD.try_with(Vec::clone).unwrap_or_default();
        held.push(self.id.clone());
        HELD.scope(held, work)
    }

    /// How many turns have ended.
    pub(crate) fn turns(&self) -> u64 {
        self.shared.turns.load(Ordering::Relaxed)
    }

    /// What was left, for somebody who has no turn.
    pub(crate) fn take<T: 'static>(&self) -> Option<T> {
        self.shared.take()
    }
}

impl Shared {
    fn left(&self) -> MutexGuard<'_, Option<Box<dyn Any + Send>>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take<T: 'static>(&self) -> Option<T> {
        let left = self.left().take()?;
        left.downcast().ok().map(|left| *left)
    }
}

impl Clone for Queue {
    fn clone(&self) -> Self {
        Self::enter(self.id.clone(), self.standstill)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut shard = self.id.shard();
        if let Some(entry) = shard.get_mut(&self.id) {
            entry.handles -= 1;
            if entry.handles == 0 {
                shard.remove(&self.id);
            }
        }
    }
}

impl Turn {
    /// What was left for this turn.
    pub(crate) fn take<T: 'static>(&self) -> Option<T> {
        self.queue.shared.take()
    }

    /// Leaves something for the next turn.
    pub(crate) fn leave<T: Send + 'static>(&self, left: T) {
        *self.queue.shared.left() = Some(Box::new(left));
    }

    /// Whether anybody waits for the next turn.
    pub(crate) fn has_followers(&self) -> bool {
        self.queue.shared.waiting.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.shared.turns.fetch_add(1, Ordering::Relaxed);
    }
}

impl RowId {
    fn shard(&self) -> MutexGuard<'static, Shard> {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        // The remainder is below the length of the array.
        #[allow(clippy::cast_possible_truncation)]
        let shard = (hasher.finish() % SHARDS as u64) as usize;
        QUEUES[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts somebody who waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::task::Context;
    use std::time::Instant;

    use super::*;
    use crate::clock::{Sleep, TOKIO_CLOCK};

    fn queue(key: i64) -> Queue {
        Queue::of(1, TypeId::of::<()>(), &ValueTuple::One(key.into()))
    }

    fn is_known(queue: &RowId) -> bool {
        queue.shard().contains_key(queue)
    }

    /// A clock at which nobody has waited for long.
    #[derive(Default)]
    struct Still(AtomicUsize);

    impl Still {
        /// How often somebody has begun to wait.
        fn looks(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Clock for Still {
        fn now(&self) -> Instant {
            Instant::now()
        }

        fn sleep(&self, _: Duration) -> Option<Sleep> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Some(Box::pin(std::future::ready(())))
        }
    }

    #[tokio::test]
    async fn turns_are_taken_in_the_order_of_the_calls() {
        let queue = queue(1);
        let first = queue.turn(&TOKIO_CLOCK).await.unwrap();
        assert!(!first.has_followers());
        let mut order = Vec::new();
        let (mut second, mut third) = (Box::pin(queue.next_turn()), Box::pin(queue.next_turn()));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert!(third.as_mut().poll(&mut cx).is_pending());
        assert!(first.has_followers());
        drop(first);
        assert!(
            third.as_mut().poll(&mut cx).is_pending(),
            "it is not the third one's turn"
        );
        let turn = second.await;
        order.push(2);
        drop(turn);
        let turn = third.await;
        order.push(3);
        assert_eq!(order, [2, 3]);
        assert!(!turn.has_followers(), "all of them have had their turns");
        drop(turn);
        assert_eq!(queue.turns(), 3);
    }

    #[tokio::test]
    async fn who_gives_up_leaves_no_gap() {
        let queue = queue(2);
        let first = queue.turn(&TOKIO_CLOCK).await.unwrap();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let (mut second, mut third) = (Box::pin(queue.next_turn()), Box::pin(queue.next_turn()));
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert!(third.as_mut().poll(&mut cx).is_pending());
        drop(first);
        // It has the turn, and does not know yet.
        drop(second);
        drop(third.await);
    }

    #[tokio::test]
    async fn what_is_left_is_for_the_next_turn() {
        let queue = queue(3);
        let turn = queue.turn(&TOKIO_CLOCK).await.unwrap();
        assert_eq!(turn.take::<u8>(), None);
        turn.leave(7_u8);
        drop(turn);
        let turn = queue.turn(&TOKIO_CLOCK).await.unwrap();
        assert_eq!(turn.take::<u8>(), Some(7));
        assert_eq!(turn.take::<u8>(), None);
    }

    #[tokio::test]
    async fn a_queue_that_stands_still_is_left() {
        let (queue, clock) = (queue(4), Still::default());
        let turn = queue.turn(&clock).await.unwrap();
        assert_eq!(clock.looks(), 0, "nobody waits for a turn that is free");
        assert!(queue.turn(&clock).await.is_none());
        drop(turn);
        assert!(queue.turn(&clock).await.is_some());
    }

    #[tokio::test]
    async fn a_queue_that_moves_is_not_left() {
        let (queue, clock) = (queue(8), Still::default());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let turn = queue.turn(&TOKIO_CLOCK).await.unwrap();
        let mut second = Box::pin(queue.next_turn());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        // The turn of the first one ends while the third one looks at its watch.
        let ends = Cell::new(Some(turn));
        let mut never = pin!(poll_fn(|_| {
            drop(ends.take());
            Poll::<()>::Pending
        }));
        let mut third = pin!(queue.turn_unless(never.as_mut(), &clock));
        let Poll::Ready(given_up) = third.as_mut().poll(&mut cx) else {
            panic!("the second one has not moved");
        };
        assert!(
            given_up.unwrap().is_none(),
            "by the second look, nothing has moved any more"
        );
        assert_eq!(clock.looks(), 2);
    }

    #[tokio::test]
    async fn whoever_has_the_turn_does_not_wait_for_it() {
        let queue = queue(7);
        let turn = queue.turn(&TOKIO_CLOCK).await.unwrap();
        assert!(queue.holding(queue.turn(&TOKIO_CLOCK)).await.is_none());
        drop(turn);
        assert!(queue.holding(queue.turn(&TOKIO_CLOCK)).await.is_some());
    }

    #[tokio::test]
    async fn a_queue_is_gone_with_its_last_caller() {
        let (first, second) = (queue(5), queue(5));
        let id = first.id.clone();
        let turn = first.turn(&TOKIO_CLOCK).await.unwrap();
        assert!(Arc::ptr_eq(&first.shared, &second.shared));
        drop((first, second));
        assert!(is_known(&id), "somebody has the turn");
        drop(turn);
        assert!(!is_known(&id));
    }

    #[test]
    fn rows_of_two_pools_are_two_rows() {
        let (here, there) = (
            queue(6),
            Queue::of(2, TypeId::of::<()>(), &ValueTuple::One(6_i64.into())),
        );
        assert!(!Arc::ptr_eq(&here.shared, &there.shared));
    }
}
