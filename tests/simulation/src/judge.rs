//! Whether a run is what its policy says.

use std::time::Duration;

use optlock::{Fault, Stop};

use crate::bounds::Bounds;
use crate::plan::Plan;
use crate::run::{Call, End, Run, Told};
use crate::table::{KINDS, is_unknown, kind};

type Verdict<T = ()> = Result<T, String>;

/// Says what is wrong. Whether the budget was right is not seen in one run: see [`Ledger`](crate::ledger::Ledger).
pub(crate) fn judge(plan: &Plan, run: &Run) -> Verdict {
    counts(run)?;
    report(run)?;
    let mut judge = Judge {
        plan,
        run,
        bounds: std::array::from_fn(|kind| Bounds::of(plan.pace(kind))),
        started: run.calls[0].began,
    };
    for (number, call) in (1..).zip(&run.calls) {
        let (Some(ended), Some(fault)) = (call.ended, call.fault) else {
            continue;
        };
        let failure = Failure { number, ended, fault };
        match run.told.get(number - 1) {
            Some(told) => judge.went_on(&failure, told, run.calls.get(number))?,
            None => judge.stopped(&failure)?,
        }
    }
    Ok(())
}

struct Judge<'a> {
    plan: &'a Plan,
    run: &'a Run,
    bounds: [Bounds; KINDS],
    started: Duration,
}

struct Failure {
    number: usize,
    ended: Duration,
    fault: Fault,
}

/// What may be, of several things, as far as chance decides.
#[derive(Clone, Copy)]
struct Chance {
    may: bool,
    must: bool,
}

impl Judge<'_> {
    fn went_on(&mut self, failure: &Failure, told: &Told, next: Option<&Call>) -> Verdict {
        let Failure { number, ended, fault } = *failure;
        let retry = told.retry;
        let elapsed = ended - self.started;
        require(told.at == ended, || {
            format!("attempt {number} failed at {ended:?}, and the hook was called later")
        })?;
        require(
            (retry.attempt() as usize, retry.fault(), retry.elapsed()) == (number, fault, elapsed),
            || format!("attempt {number} failed with {fault} after {elapsed:?}, and the hook was told {retry:?}"),
        )?;
        require(self.may_repeat(fault), || {
            format!("attempt {number} was repeated after {fault}")
        })?;
        require(!self.is_out_of_attempts(failure), || {
            format!("an attempt was made after the {number}. one, which had failed with {fault}")
        })?;
        let delay = retry.delay();
        let (least, most) = self.bounds[kind(fault)]
            .next()
            .ok_or_else(|| format!("there was no delay left after attempt {number}"))?;
        require((least..=most).contains(&delay), || {
            format!("the delay after attempt {number} was {delay:?}, and not within {least:?} to {most:?}")
        })?;
        if let Some(deadline) = self.plan.deadline {
            require(elapsed + delay < deadline, || {
                format!("a delay of {delay:?} was begun {elapsed:?} after the start, with a deadline of {deadline:?}")
            })?;
        }
        require(self.plan.has_timer || delay.is_zero(), || {
            "there was a delay without a timer".to_owned()
        })?;
        if let Some(next) = next {
            require(next.began >= ended + delay, || {
                format!(
                    "attempt {} began {:?} after the one before, and not {delay:?}",
                    number + 1,
                    next.began - ended
                )
            })?;
        }
        self.bounds[kind(fault)].used(delay);
        Ok(())
    }

    fn stopped(&self, failure: &Failure) -> Verdict {
        let Failure { number, fault, .. } = *failure;
        let stop = self
            .run
            .stop
            .ok_or_else(|| format!("nobody says why attempt {number} was the last"))?;
        let (mut possible, mut is_certain) = (Vec::new(), false);
        let mut reasons = vec![
            (Stop::Fault, Chance::of(!self.may_repeat(fault))),
            (Stop::Attempts, Chance::of(self.is_out_of_attempts(failure))),
        ];
        if let Some((least, most)) = self.bounds[kind(fault)].next() {
            let elapsed = failure.ended - self.started;
            let is_late = |delay| self.plan.deadline.is_some_and(|deadline| elapsed + delay >= deadline);
            let lacks_timer = |delay: Duration| !self.plan.has_timer && !delay.is_zero();
            let chance = |is: &dyn Fn(Duration) -> bool| Chance {
                may: is(most),
                must: is(least),
            };
            reasons.push((Stop::Deadline, chance(&is_late)));
            reasons.push((Stop::NoTimer, chance(&lacks_timer)));
            let has_budget = self.plan.budget.is_some();
            reasons.push((
                Stop::Budget,
                Chance {
                    may: has_budget,
                    must: false,
                },
            ));
        } else {
            reasons.push((Stop::Delays, Chance::of(true)));
        }
        for (reason, chance) in reasons {
            if chance.may && !is_certain {
                possible.push(reason);
            }
            is_certain |= chance.must;
        }
        require(possible.contains(&stop), || {
            format!("attempt {number} failed with {fault}, and was the last because of {stop:?}, not of {possible:?}")
        })
    }

    fn may_repeat(&self, fault: Fault) -> bool {
        self.plan.retries(fault) && (!is_unknown(fault) || self.plan.is_idempotent)
    }

    fn is_out_of_attempts(&self, failure: &Failure) -> bool {
        let all = self.plan.attempts.unwrap_or(crate::table::DEFAULT_ATTEMPTS);
        let of_this_kind = self.bounds[kind(failure.fault)].failures() + 1;
        failure.number >= all as usize || of_this_kind >= self.plan.limit(failure.fault)
    }
}

impl Chance {
    fn of(is: bool) -> Self {
        Self { may: is, must: is }
    }
}

/// Each failure but the last is told to the hook and slept after, once.
fn counts(run: &Run) -> Verdict {
    let failures = run.calls.iter().filter(|call| call.fault.is_some()).count();
    let unanswered = failures - run.told.len().min(failures);
    let expected = usize::from(matches!(run.end, End::Failed(_)));
    require(unanswered == expected && run.told.len() <= failures, || {
        format!(
            "{failures} attempts failed, and the hook was called {} times",
            run.told.len()
        )
    })?;
    let slept: Vec<_> = run
        .told
        .iter()
        .map(|told| told.retry.delay())
        .filter(|delay| !delay.is_zero())
        .collect();
    let more = usize::from(matches!(run.stop, Some(Stop::NoTimer | Stop::Budget)));
    require(
        run.asked.starts_with(&slept) && run.asked.len() <= slept.len() + more,
        || {
            format!(
                "the clock was asked for {:?}, and the hook was told {slept:?}",
                run.asked
            )
        },
    )
}

fn report(run: &Run) -> Verdict {
    let (calls, last) = (run.calls.len(), run.calls.last().unwrap());
    require(run.attempts as usize == calls, || {
        format!("{calls} attempts are reported as {}", run.attempts)
    })?;
    let ended = run
        .calls
        .iter()
        .rev()
        .find_map(|call| call.ended)
        .unwrap_or(run.calls[0].began);
    let elapsed = ended - run.calls[0].began;
    require(run.elapsed == elapsed, || {
        format!("{elapsed:?} are reported as {:?}", run.elapsed)
    })?;
    let fault = run.calls.iter().rev().find_map(|call| call.fault);
    require(run.fault == fault, || {
        format!("{fault:?} is reported as {:?}", run.fault)
    })?;
    match run.end {
        End::Succeeded => require(last.ended.is_some() && last.fault.is_none(), || {
            "it succeeded by an attempt that failed".to_owned()
        })?,
        End::Failed(fault) => require(last.fault == Some(fault), || {
            format!(
                "the last attempt failed with {:?}, and the run with {fault}",
                last.fault
            )
        })?,
        End::Dropped => {}
    }
    require(run.stop.is_some() == matches!(run.end, End::Failed(_)), || {
        format!("{:?} is the reason for {:?}", run.stop, run.end)
    })
}

fn require(is: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if is { Ok(()) } else { Err(otherwise()) }
}
