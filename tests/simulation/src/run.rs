//! What one run of a policy did, as those around it saw it.

use std::sync::Mutex;
use std::time::Duration;

use optlock::{Fault, Report, Retry, Stop};

/// One call of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) began: Duration,
    pub(crate) ended: Option<Duration>,
    /// What it failed with.
    pub(crate) fault: Option<Fault>,
}

/// What the hook was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) at: Duration,
    pub(crate) retry: Retry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    Failed(Fault),
    /// Its caller did not wait for the end.
    Dropped,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) calls: Vec<Call>,
    pub(crate) told: Vec<Told>,
    /// The sleeps that the clock was asked for.
    pub(crate) asked: Vec<Duration>,
    pub(crate) end: End,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) fault: Option<Fault>,
    pub(crate) stop: Option<Stop>,
}

/// A run that goes on.
#[derive(Default)]
pub(crate) struct Recorder {
    seen: Mutex<(Vec<Call>, Vec<Told>)>,
}

impl Recorder {
    /// The work was called. Whether it is for the first time.
    pub(crate) fn began(&self, now: Duration) -> bool {
        let (calls, _) = &mut *self.seen.lock().unwrap();
        calls.push(Call {
            began: now,
            ended: None,
            fault: None,
        });
        calls.len() == 1
    }

    pub(crate) fn ended(&self, now: Duration, fault: Option<Fault>) {
        let (calls, _) = &mut *self.seen.lock().unwrap();
        let last = calls.last_mut().unwrap();
        (last.ended, last.fault) = (Some(now), fault);
    }

    pub(crate) fn told(&self, now: Duration, retry: &Retry) {
        let (_, told) = &mut *self.seen.lock().unwrap();
        told.push(Told { at: now, retry: *retry });
    }

    pub(crate) fn finish(self, end: End, asked: Vec<Duration>, report: &Report) -> Run {
        let (calls, told) = self.seen.into_inner().unwrap();
        Run {
            calls,
            told,
            asked,
            end,
            attempts: report.attempts(),
            elapsed: report.elapsed(),
            fault: report.fault(),
            stop: report.stop(),
        }
    }
}
