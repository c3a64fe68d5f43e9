//! All that the clients of one simulation share.

use std::fmt::Display;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use optlock::Budget;
use optlock_history::{Attempt, Id};

use crate::executor::Spawner;
use crate::ledger::Ledger;
use crate::outcome::Outcome;
use crate::store::Store;
use crate::time::Time;
use crate::weather::Weather;

pub(crate) struct World {
    pub(crate) time: Time,
    pub(crate) spawner: Spawner,
    pub(crate) store: Mutex<Store>,
    pub(crate) weather: Mutex<Weather>,
    pub(crate) budgets: Vec<Budget>,
    pub(crate) ledgers: Vec<Mutex<Ledger>>,
    pub(crate) attempts: Mutex<Vec<Attempt>>,
    pub(crate) outcome: Mutex<Outcome>,
    ids: AtomicU64,
    is_verbose: bool,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            time: setup.time,
            spawner: setup.spawner,
            store: Mutex::new(setup.store),
            weather: Mutex::new(Weather::new(setup.random)),
            budgets: setup.ledgers.iter().map(Ledger::budget).collect(),
            ledgers: setup.ledgers.into_iter().map(Mutex::new).collect(),
            attempts: Mutex::default(),
            outcome: Mutex::default(),
            ids: AtomicU64::new(0),
            is_verbose: setup.is_verbose,
        }
    }

    pub(crate) fn new_id(&self) -> Id {
        Id(self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// The time, as histories have it.
    pub(crate) fn nanos(&self) -> u64 {
        u64::try_from(self.time.now().as_nanos()).unwrap()
    }

    /// Whether nothing fails any more.
    pub(crate) fn is_calm(&self) -> bool {
        self.time.now() >= self.weather.lock().unwrap().ends
    }

    pub(crate) fn violated(&self, what: impl Into<String>) {
        let what = what.into();
        self.tell(&what);
        self.outcome.lock().unwrap().violations.push(what);
    }

    pub(crate) fn tell(&self, what: impl Display) {
        if self.is_verbose {
            println!("{:>12.6} {what}", self.time.now().as_secs_f64());
        }
    }
}

pub(crate) struct Setup {
    pub(crate) time: Time,
    pub(crate) spawner: Spawner,
    pub(crate) store: Store,
    pub(crate) ledgers: Vec<Ledger>,
    pub(crate) random: Rng,
    pub(crate) is_verbose: bool,
}
