//! What a simulation showed, and what it has met.

use std::collections::BTreeMap;

use optlock_history::{History, Verdict};

use crate::plan::Plan;
use crate::run::{End, Run};
use crate::table::{Shape, is_unknown, kind};

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) violations: Vec<String>,
    /// How often each thing was met: a check of what never happens shows nothing.
    pub(crate) met: BTreeMap<String, u64>,
    pub(crate) runs: Vec<Run>,
    /// In the order of the runs.
    pub(crate) operations: Vec<u64>,
    pub(crate) history: History,
}

impl Outcome {
    pub(crate) fn ran(&mut self, plan: &Plan, run: Run, operation: u64) {
        self.meet("operations", 1);
        self.meet("attempts", run.calls.len() as u64);
        match (run.stop, run.end) {
            (Some(stop), _) => self.meet(&format!("stop: {stop:?}"), 1),
            (None, End::Dropped) => self.meet("dropped", 1),
            (None, _) if run.told.is_empty() => self.meet("succeeded at once", 1),
            (None, _) => self.meet("succeeded in the end", 1),
        }
        for fault in run.calls.iter().filter_map(|call| call.fault) {
            self.meet(&format!("fault: {fault}"), 1);
        }
        for told in run.told.iter().filter(|told| is_unknown(told.retry.fault())) {
            self.meet(&format!("redone after {}", told.retry.fault()), 1);
        }
        for told in &run.told {
            let pace = plan.pace(kind(told.retry.fault()));
            // The first one is bounded by the base alone.
            let is_first = run.told[0] == *told;
            if let (Shape::Full(base, _), true, false) = (pace.shape, is_first, pace.first_at_once) {
                let delay = told.retry.delay();
                self.meet("jitter: below a tenth", u64::from(delay < base / 10));
                self.meet("jitter: above nine tenths", u64::from(delay > base * 9 / 10));
            }
        }
        self.runs.push(run);
        self.operations.push(operation);
    }

    pub(crate) fn judged(&mut self, verdict: &Verdict) {
        self.violations
            .extend(verdict.violations.iter().map(ToString::to_string));
        self.meet("unknown, and done", verdict.unknown_that_happened as u64);
        self.meet(
            "unknown, and not done",
            (verdict.unknown - verdict.unknown_that_happened) as u64,
        );
    }

    pub(crate) fn meet(&mut self, what: &str, times: u64) {
        *self.met.entry(what.to_owned()).or_default() += times;
    }
}
