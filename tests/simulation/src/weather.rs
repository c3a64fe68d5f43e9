//! What goes wrong, until it does not any more.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use optlock::Fault;

/// Faults that leave nothing behind, as a server reports them.
pub(crate) const REFUSALS: [Fault; 9] = [
    Fault::Serialization,
    Fault::Deadlock,
    Fault::Busy,
    Fault::LockTimeout,
    Fault::LockNotAvailable,
    Fault::ReadOnly,
    Fault::PoolTimeout,
    Fault::Unique,
    Fault::Other,
];

pub(crate) struct Weather {
    random: Rng,
    /// Of a hundred statements, how many are refused, and how many lose their connection.
    refused: u32,
    lost: u32,
    /// Of a hundred transactions, how many lose their answer, or arrive late or never.
    unknown: u32,
    outages: Vec<Range<Duration>>,
    /// The longest time on the way.
    latency: Duration,
    pub(crate) ends: Duration,
}

/// What becomes of a transaction that is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    /// How long it is on the way; `None` if it never arrives.
    pub(crate) there: Option<Duration>,
    /// What is said of it without its being looked at.
    pub(crate) refused: Option<Fault>,
    pub(crate) answer: Answer,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// This long after it has arrived.
    Comes(Duration),
    /// The client knows after this long, from when it has sent it, that none will come.
    Lost { after: Duration, fault: Fault },
}

impl Answer {
    /// Whether the client has given up by then.
    pub(crate) fn is_known_lost(self, by: Duration) -> bool {
        matches!(self, Self::Lost { after, .. } if after < by)
    }
}

impl Weather {
    pub(crate) fn new(mut random: Rng) -> Self {
        let most = if random.bool() { 8_000 } else { 40_000 };
        let ends = Duration::from_millis(random.u64(500..most));
        // Many seeds have one kind of trouble only.
        let share = |random: &mut Rng, most: u32| if random.bool() { random.u32(1..=most) } else { 0 };
        let outages = (0..random.usize(..3)).map(|_| {
            let from = Duration::from_millis(random.u64(..500)).mul_f64(random.f64() * 20.0);
            let to = from + Duration::from_millis(random.u64(1..2_000));
            from.min(ends)..to.min(ends)
        });
        let outages = outages.collect();
        Self {
            refused: share(&mut random, 20),
            lost: share(&mut random, 8),
            unknown: share(&mut random, 40),
            outages,
            latency: Duration::from_micros(random.u64(1..20_000)),
            ends,
            random,
        }
    }

    pub(crate) fn latency(&mut self) -> Duration {
        self.random_time(self.latency)
    }

    /// What a statement meets that is sent now, if it meets anything.
    pub(crate) fn statement(&mut self, now: Duration) -> Option<Fault> {
        if now >= self.ends {
            return None;
        }
        if self.is_out(now) {
            return Some(Fault::Unavailable);
        }
        if self.random.u32(..100) < self.lost {
            return Some(Fault::ConnectionLost);
        }
        self.refusal()
    }

    /// What a transaction meets that arrives now.
    pub(crate) fn is_out(&self, now: Duration) -> bool {
        self.outages.iter().any(|outage| outage.contains(&now))
    }

    /// What becomes of a transaction that is sent now.
    pub(crate) fn passage(&mut self, now: Duration) -> Passage {
        let mut passage = Passage {
            there: Some(self.latency()),
            refused: None,
            answer: Answer::Comes(self.latency()),
        };
        if now >= self.ends {
            return passage;
        }
        if self.random.u32(..100) < self.unknown {
            passage.answer = Answer::Lost {
                after: self.latency(),
                fault: if self.random.bool() {
                    Fault::ConnectionLost
                } else {
                    Fault::OutcomeUnknown
                },
            };
            passage.there = match self.random.u32(..3) {
                0 => None,
                1 => passage.there,
                _ => Some(self.random_time(Duration::from_secs(2))),
            };
        } else {
            passage.refused = self.refusal();
        }
        passage
    }

    fn refusal(&mut self) -> Option<Fault> {
        (self.random.u32(..100) < self.refused).then(|| REFUSALS[self.random.usize(..REFUSALS.len())])
    }

    fn random_time(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.f64())
    }
}
