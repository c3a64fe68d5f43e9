//! Virtual time: it passes when the executor says so.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use optlock::{Clock, Sleep};

/// The time of one simulation.
#[derive(Clone)]
pub(crate) struct Time {
    /// What the beginning is called where an `Instant` is needed. Nothing depends on it but differences.
    origin: Instant,
    timeline: Arc<Mutex<Timeline>>,
}

#[derive(Default)]
struct Timeline {
    now: Duration,
    /// In the order in which they are due, and were set.
    timers: BTreeMap<(Duration, u64), Waker>,
    set: u64,
}

impl Time {
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            timeline: Arc::default(),
        }
    }

    /// The time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.timeline.lock().unwrap().now
    }

    /// Goes on to when the next timer is due. False if there is none.
    pub(crate) fn advance(&self) -> bool {
        let mut timeline = self.timeline.lock().unwrap();
        let Some(((due, _), waker)) = timeline.timers.pop_first() else {
            return false;
        };
        timeline.now = timeline.now.max(due);
        drop(timeline);
        waker.wake();
        true
    }

    pub(crate) fn sleep(&self, duration: Duration) -> Timer {
        let mut timeline = self.timeline.lock().unwrap();
        timeline.set += 1;
        Timer {
            key: (timeline.now + duration, timeline.set),
            timeline: Arc::clone(&self.timeline),
        }
    }
}

/// Becomes ready when it is due.
pub(crate) struct Timer {
    key: (Duration, u64),
    timeline: Arc<Mutex<Timeline>>,
}

impl Future for Timer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut timeline = self.timeline.lock().unwrap();
        if timeline.now >= self.key.0 {
            return Poll::Ready(());
        }
        timeline.timers.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.timeline.lock().unwrap().timers.remove(&self.key);
    }
}

/// The clock of one run, which remembers what it was asked for.
pub(crate) struct Watch {
    time: Time,
    has_timer: bool,
    asked: Mutex<Vec<Duration>>,
}

impl Watch {
    pub(crate) fn new(time: &Time, has_timer: bool) -> Self {
        Self {
            time: time.clone(),
            has_timer,
            asked: Mutex::default(),
        }
    }

    /// All sleeps, also those that were not to be had.
    pub(crate) fn asked(&self) -> Vec<Duration> {
        self.asked.lock().unwrap().clone()
    }
}

impl Clock for Watch {
    fn now(&self) -> Instant {
        self.time.origin + self.time.now()
    }

    fn sleep(&self, duration: Duration) -> Option<Sleep> {
        self.asked.lock().unwrap().push(duration);
        self.has_timer.then(|| Box::pin(self.time.sleep(duration)) as Sleep)
    }
}
