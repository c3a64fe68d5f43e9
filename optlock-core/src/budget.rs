//! A bound on the retries of everybody together.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::sync::Mutex;

/// How many retries all callers together may make: what stops retries from being most of the load when much fails at once.
///
/// Two accounts, so that one contended row does not use up what a failover needs: conflicts, deadlocks and locks draw
/// from the one, connections and servers that are away from the other. Each allows a number of retries per second, and a
/// percentage of the calls, counted over the last ten seconds: ten times the number can be made at once. When an account is empty, a failure is final
/// ([`Stop::Budget`](crate::Stop::Budget)).
///
/// Put one into a `static`, and say so in every policy that is to share it:
///
/// ```
/// use optlock::{Budget, Policy};
///
/// static BUDGET: Budget = Budget::new().conflicts(100, 100).infrastructure(10, 20);
/// const CHECKOUT: Policy = Policy::new().budget(&BUDGET);
/// # let _ = CHECKOUT;
/// ```
#[derive(Debug)]
pub struct Budget {
    conflicts: Account,
    infrastructure: Account,
}

impl Budget {
    /// For conflicts, 50 retries a second and one more for every call; for the infrastructure, 10 a second and one for every
    /// five calls.
    pub const fn new() -> Self {
        Self {
            conflicts: Account::new(50, 100),
            infrastructure: Account::new(10, 20),
        }
    }

    /// The retries after conflicts, deadlocks and locks: so many a second, and this percentage of the calls.
    pub const fn conflicts(mut self, per_second: u32, percent: u32) -> Self {
        self.conflicts.allow(per_second, percent);
        self
    }

    /// The retries after lost connections and servers that are away: so many a second, and this percentage of the calls.
    pub const fn infrastructure(mut self, per_second: u32, percent: u32) -> Self {
        self.infrastructure.allow(per_second, percent);
        self
    }

    /// Counts a call.
    pub(crate) fn deposit(&self, now: Instant) {
        self.conflicts.deposit(now);
        self.infrastructure.deposit(now);
    }

    /// Takes a retry out of the account of a fault, if there is one left.
    pub(crate) fn withdraw(&self, account: BudgetAccount, now: Instant) -> bool {
        match account {
            BudgetAccount::Conflicts => self.conflicts.withdraw(now),
            BudgetAccount::Infrastructure => self.infrastructure.withdraw(now),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

/// Which account a retry is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BudgetAccount {
    Conflicts,
    Infrastructure,
}

/// The seconds that count.
const WINDOW: usize = 10;

#[derive(Debug)]
struct Account {
    per_second: u64,
    percent: u64,
    ledger: Mutex<Ledger>,
}

#[derive(Debug)]
struct Ledger {
    /// The second from which the others are counted.
    origin: Option<Instant>,
    /// What happened in each of the last seconds, at the place of its number modulo the window.
    seconds: [Second; WINDOW],
}

#[derive(Clone, Copy, Debug)]
struct Second {
    number: u64,
    calls: u64,
    retries: u64,
}

impl Account {
    const fn new(per_second: u32, percent: u32) -> Self {
        let empty = Second {
            number: 0,
            calls: 0,
            retries: 0,
        };
        Self {
            per_second: per_second as u64,
            percent: percent as u64,
            ledger: Mutex::new(Ledger {
                origin: None,
                seconds: [empty; WINDOW],
            }),
        }
    }

    const fn allow(&mut self, per_second: u32, percent: u32) {
        self.per_second = per_second as u64;
        self.percent = percent as u64;
    }

    fn deposit(&self, now: Instant) {
        self.with_ledger(|ledger| ledger.second(now).calls += 1);
    }

    fn withdraw(&self, now: Instant) -> bool {
        self.with_ledger(|ledger| {
            let current = ledger.second(now).number;
            let recent = ledger
                .seconds
                .iter()
                .filter(|second| second.number + WINDOW as u64 > current);
            let (calls, retries) = recent.fold((0, 0), |(calls, retries), second| {
                (calls + second.calls, retries + second.retries)
            });
            let allowed = self.per_second * WINDOW as u64 + calls * self.percent / 100;
            let granted = retries < allowed;
            if granted {
                ledger.second(now).retries += 1;
            }
            granted
        })
    }

    fn with_ledger<R>(&self, work: impl FnOnce(&mut Ledger) -> R) -> R {
        // Whatever panicked while it held the lock has left numbers that can be used.
        work(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ledger {
    /// The current second. A clock that steps back stays in the first one.
    fn second(&mut self, now: Instant) -> &mut Second {
        let origin = *self.origin.get_or_insert(now);
        let elapsed: Duration = now.saturating_duration_since(origin);
        let number = elapsed.as_secs();
        // The remainder is below the length of the array.
        #[allow(clippy::cast_possible_truncation)]
        let second = &mut self.seconds[(number % WINDOW as u64) as usize];
        if second.number != number {
            *second = Second {
                number,
                calls: 0,
                retries: 0,
            };
        }
        second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(budget: &Budget, account: BudgetAccount, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.withdraw(account, now)).count()
    }

    #[test]
    fn an_account_has_a_floor_and_a_share_of_the_calls() {
        let budget = Budget::new().conflicts(2, 50).infrastructure(0, 0);
        let now = Instant::now();
        for _ in 0..100 {
            budget.deposit(now);
        }
        assert_eq!(drain(&budget, BudgetAccount::Conflicts, now), 2 * WINDOW + 50);
        assert_eq!(drain(&budget, BudgetAccount::Infrastructure, now), 0);
    }

    #[test]
    fn accounts_are_apart() {
        let budget = Budget::new().conflicts(1, 0).infrastructure(1, 0);
        let now = Instant::now();
        assert_eq!(drain(&budget, BudgetAccount::Conflicts, now), WINDOW);
        assert_eq!(drain(&budget, BudgetAccount::Infrastructure, now), WINDOW);
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let budget = Budget::new().conflicts(1, 0);
        let start = Instant::now();
        assert_eq!(drain(&budget, BudgetAccount::Conflicts, start), WINDOW);
        let window = Duration::from_secs(WINDOW as u64);
        let almost = start + Duration::from_millis(WINDOW as u64 * 1000 - 1);
        assert_eq!(drain(&budget, BudgetAccount::Conflicts, almost), 0);
        assert_eq!(drain(&budget, BudgetAccount::Conflicts, start + window), WINDOW);
        assert_eq!(drain(&budget, BudgetAccount::Conflicts, start + window * 1000), WINDOW);
    }

    #[test]
    fn a_clock_that_steps_back_does_no_harm() {
        let budget = Budget::new().conflicts(1, 0);
        let start = Instant::now();
        assert!(budget.withdraw(BudgetAccount::Conflicts, start + Duration::from_secs(100)));
        assert_eq!(drain(&budget, BudgetAccount::Conflicts, start), WINDOW - 1);
    }
}
