//! Tasks of which one runs at a time, until it waits: chance decides which is next.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use fastrand::Rng;

use crate::time::Time;

/// Time passes though somebody could run, once in so many steps: tasks are slow at times.
const SLOW: u32 = 8;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct Executor {
    time: Time,
    random: Rng,
    tasks: Vec<Option<Task>>,
    ready: Arc<Mutex<Vec<usize>>>,
    spawner: Spawner,
}

/// Begins tasks, also from within others.
#[derive(Clone, Default)]
pub(crate) struct Spawner(Arc<Mutex<Vec<Task>>>);

/// The executor was out of steps, or nobody could run any more, with so many tasks left.
pub(crate) struct Stuck {
    tasks: usize,
    steps: u64,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tasks are left after {} steps", self.tasks, self.steps)
    }
}

impl Executor {
    pub(crate) fn new(time: &Time, seed: u64) -> Self {
        Self {
            time: time.clone(),
            random: Rng::with_seed(seed),
            tasks: Vec::new(),
            ready: Arc::default(),
            spawner: Spawner::default(),
        }
    }

    pub(crate) fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Runs all tasks to their ends.
    pub(crate) fn run(&mut self, most_steps: u64) -> Result<(), Stuck> {
        for steps in 0..most_steps {
            self.begin_spawned();
            if self.tasks.iter().all(Option::is_none) {
                return Ok(());
            }
            let is_ready = !self.ready.lock().unwrap().is_empty();
            if is_ready && self.random.u32(..SLOW) != 0 {
                self.step();
            } else if !self.time.advance() && !is_ready {
                return Err(self.stuck(steps));
            }
        }
        Err(self.stuck(most_steps))
    }

    fn begin_spawned(&mut self) {
        for task in self.spawner.0.lock().unwrap().drain(..) {
            self.ready.lock().unwrap().push(self.tasks.len());
            self.tasks.push(Some(task));
        }
    }

    fn step(&mut self) {
        let number = {
            let mut ready = self.ready.lock().unwrap();
            let place = self.random.usize(..ready.len());
            ready.swap_remove(place)
        };
        let Some(task) = &mut self.tasks[number] else {
            return;
        };
        let waker = Waker::from(Arc::new(Alarm {
            number,
            ready: Arc::clone(&self.ready),
        }));
        if let Poll::Ready(()) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.tasks[number] = None;
        }
    }

    fn stuck(&self, steps: u64) -> Stuck {
        let tasks = self.tasks.iter().flatten().count();
        Stuck { tasks, steps }
    }
}

impl Spawner {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap().push(Box::pin(task));
    }
}

struct Alarm {
    number: usize,
    ready: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap();
        if !ready.contains(&self.number) {
            ready.push(self.number);
        }
    }
}
