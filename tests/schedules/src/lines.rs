//! Several threads in the queue of one row.

use std::any::TypeId;
use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use sea_orm::sea_query::ValueTuple;
use shuttle::future::block_on;
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use shuttle::thread;

use crate::clock::{Clock, Sleep};
use crate::queue::{Queue, Turn};

const THREADS: usize = 3;

fn queue() -> Queue {
    Queue::of(1, TypeId::of::<()>(), &ValueTuple::One(1_i64.into()))
}

/// There is one in its turn at a time, also if the queue is gone with the last one and made anew for the next.
pub fn one_has_the_turn() {
    let row = Arc::new(Row::default());
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let row = Arc::clone(&row);
            thread::spawn(move || {
                let turn = block_on(queue().turn(&Patient)).unwrap();
                row.change(&turn);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(row.changes.load(Ordering::SeqCst), THREADS);
    assert_eq!(queue().turns(), 0, "there is still a queue");
}

/// Each finds what the one before has left, and all turns are counted.
pub fn what_is_left_is_found() {
    let all = queue();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            thread::spawn(|| {
                let turn = block_on(queue().turn(&Patient)).unwrap();
                let left = turn.take::<usize>().unwrap_or_default();
                thread::yield_now();
                turn.leave(left + 1);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(all.take::<usize>(), Some(THREADS));
    assert_eq!(all.turns(), THREADS as u64);
}

/// One who gives up while it waits, or has the turn and does not know yet, keeps nobody waiting.
pub fn who_gives_up_leaves_no_gap() {
    let row = Arc::new(Row::default());
    let impatient = thread::spawn(|| {
        let queue = queue();
        let mut turn = pin!(queue.turn(&Patient));
        let _ = block_on(poll_fn(|cx| Poll::Ready(turn.as_mut().poll(cx).is_ready())));
        thread::yield_now();
    });
    let threads: Vec<_> = (1..THREADS)
        .map(|_| {
            let row = Arc::clone(&row);
            thread::spawn(move || {
                let turn = block_on(queue().turn(&Patient)).unwrap();
                row.change(&turn);
            })
        })
        .collect();
    for thread in threads.into_iter().chain([impatient]) {
        thread.join().unwrap();
    }
    assert_eq!(row.changes.load(Ordering::SeqCst), THREADS - 1);
}

/// Who waits behind somebody that never ends goes on without a turn, and does so only while nobody ends one.
pub fn a_queue_that_stands_still_is_left() {
    let holder = block_on(queue().turn(&Patient)).unwrap();
    let threads: Vec<_> = (1..THREADS)
        .map(|_| thread::spawn(|| block_on(queue().turn(&Impatient)).is_none()))
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap());
    }
    drop(holder);
    assert!(block_on(queue().turn(&Impatient)).is_some());
}

/// What only one may change at a time.
#[derive(Default)]
struct Row {
    is_changed: AtomicBool,
    changes: AtomicUsize,
}

impl Row {
    fn change(&self, _turn: &Turn) {
        assert!(!self.is_changed.swap(true, Ordering::SeqCst), "two have the turn");
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.is_changed.store(false, Ordering::SeqCst);
    }
}

/// Time that does not pass.
struct Patient;

impl Clock for Patient {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, _: Duration) -> Option<Sleep> {
        Some(Box::pin(pending()))
    }
}

/// Time that has passed.
struct Impatient;

impl Clock for Impatient {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, _: Duration) -> Option<Sleep> {
        Some(Box::pin(ready(())))
    }
}
