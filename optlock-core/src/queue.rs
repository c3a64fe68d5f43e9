//! Callers of this process who want the same row, one after another.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use sea_orm::sea_query::ValueTuple;
use tokio::sync::OwnedMutexGuard;

use crate::clock::Clock;

/// For how long a queue may stand still before whoever waits in it goes on without. A hook that wants a row in whose queue its caller has the turn
/// would wait for itself.
const STANDSTILL: Duration = Duration::from_secs(1);

/// The maps in which the queues are, so that callers who want different rows seldom meet.
const SHARDS: usize = 32;

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
    slot: Arc<tokio::sync::Mutex<Slot>>,
    /// The turns that have ended.
    turns: AtomicU64,
    waiting: AtomicUsize,
}

/// What whoever had the turn has left for the next one.
type Slot = Option<Box<dyn Any + Send>>;

/// A handle to the queue of a row.
pub(crate) struct Queue {
    id: RowId,
    shared: Arc<Shared>,
}

/// The right to be the only one in this process who changes the row, until it is dropped.
pub(crate) struct Turn {
    // Given up ahead of the handle.
    slot: OwnedMutexGuard<Slot>,
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
        Self::enter(id)
    }

    fn enter(id: RowId) -> Self {
        let mut shard = id.shard();
        let entry = shard.entry(id.clone()).or_insert_with(|| Entry {
            shared: Arc::default(),
            handles: 0,
        });
        entry.handles += 1;
        let shared = Arc::clone(&entry.shared);
        drop(shard);
        Self { id, shared }
    }

    /// Waits for the turn. `None` if the queue stands still.
    ///
    /// Dropping the future gives the place up.
    pub(crate) async fn turn(&self, clock: &dyn Clock) -> Option<Turn> {
        if let Ok(slot) = Arc::clone(&self.shared.slot).try_lock_owned() {
            return Some(self.begin(slot));
        }
        let mut turn = pin!(self.turn_in_time());
        loop {
            let turns = self.shared.turns.load(Ordering::Relaxed);
            let Some(mut standstill) = clock.sleep(STANDSTILL) else {
                return Some(turn.await);
            };
            let turn = poll_fn(|cx| match turn.as_mut().poll(cx) {
                Poll::Ready(turn) => Poll::Ready(Some(turn)),
                Poll::Pending => standstill.as_mut().poll(cx).map(|()| None),
            });
            if let Some(turn) = turn.await {
                return Some(turn);
            }
            if turns == self.shared.turns.load(Ordering::Relaxed) {
                tracing::debug!("the queue stands still");
                return None;
            }
        }
    }

    /// Waits for the turn, for as long as it takes.
    ///
    /// Dropping the future gives the place up.
    pub(crate) async fn turn_in_time(&self) -> Turn {
        let _waiting = Waiting::begin(&self.shared.waiting);
        let slot = Arc::clone(&self.shared.slot).lock_owned().await;
        self.begin(slot)
    }

    fn begin(&self, slot: OwnedMutexGuard<Slot>) -> Turn {
        Turn {
            slot,
            queue: Self::enter(self.id.clone()),
        }
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
    pub(crate) fn take<T: 'static>(&mut self) -> Option<T> {
        self.slot.take()?.downcast().ok().map(|left| *left)
    }

    /// Leaves something for the next turn.
    pub(crate) fn leave<T: Send + 'static>(&mut self, left: T) {
        *self.slot = Some(Box::new(left));
    }

    /// Whether anybody waits for the next turn.
    pub(crate) fn has_followers(&self) -> bool {
        self.queue.shared.waiting.load(Ordering::Relaxed) > 0
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
    use std::sync::atomic::AtomicBool;
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
    struct Still(AtomicBool);

    impl Clock for Still {
        fn now(&self) -> Instant {
            Instant::now()
        }

        fn sleep(&self, _: Duration) -> Option<Sleep> {
            self.0.store(true, Ordering::Relaxed);
            Some(Box::pin(std::future::ready(())))
        }
    }

    #[tokio::test]
    async fn turns_are_taken_in_the_order_of_the_calls() {
        let queue = queue(1);
        let first = queue.turn(&TOKIO_CLOCK).await.unwrap();
        assert!(!first.has_followers());
        let mut order = Vec::new();
        let (mut second, mut third) = (Box::pin(queue.turn_in_time()), Box::pin(queue.turn_in_time()));
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
        drop(third.await);
        order.push(3);
        assert_eq!(order, [2, 3]);
    }

    #[tokio::test]
    async fn who_gives_up_leaves_no_gap() {
        let queue = queue(2);
        let first = queue.turn(&TOKIO_CLOCK).await.unwrap();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let (mut second, mut third) = (Box::pin(queue.turn_in_time()), Box::pin(queue.turn_in_time()));
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
        let mut turn = queue.turn(&TOKIO_CLOCK).await.unwrap();
        assert_eq!(turn.take::<u8>(), None);
        turn.leave(7_u8);
        drop(turn);
        let mut turn = queue.turn(&TOKIO_CLOCK).await.unwrap();
        assert_eq!(turn.take::<u8>(), Some(7));
        assert_eq!(turn.take::<u8>(), None);
    }

    #[tokio::test]
    async fn a_queue_that_stands_still_is_left() {
        let (queue, clock) = (queue(4), Still(AtomicBool::new(false)));
        let turn = queue.turn(&clock).await.unwrap();
        assert!(!clock.0.load(Ordering::Relaxed), "nobody waits for a turn that is free");
        assert!(queue.turn(&clock).await.is_none());
        drop(turn);
        assert!(queue.turn(&clock).await.is_some());
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
