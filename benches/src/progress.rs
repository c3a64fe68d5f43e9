//! Lines on stderr that say how far a case is.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(crate) struct Progress {
    label: String,
    total: usize,
    done: usize,
    started: Instant,
    said: Instant,
}

impl Progress {
    pub(crate) fn new(label: impl Into<String>, total: usize) -> Self {
        let label = label.into();
        eprintln!("bench: {label}");
        let now = Instant::now();
        Self {
            label,
            total,
            done: 0,
            started: now,
            said: now,
        }
    }

    /// One more step is done; says so if it was quiet for long enough.
    pub(crate) fn step(&mut self) {
        self.done += 1;
        if self.said.elapsed() > PAUSE {
            self.said = Instant::now();
            let seconds = self.started.elapsed().as_secs();
            eprintln!("bench: {}: {} of {}, {seconds} s", self.label, self.done, self.total);
        }
    }
}
