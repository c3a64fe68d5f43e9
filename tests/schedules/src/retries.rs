//! Several threads on one budget.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shuttle::thread;

use crate::budget::{Budget, BudgetAccount};

/// Each wants a retry, in a second of its own, and there is one less than they are: that many are granted.
pub fn no_retry_is_granted_twice(threads: u32) {
    // None by the second.
    let budget = Arc::new(Budget::new().conflicts(0, 100).infrastructure(0, 0));
    let start = Instant::now();
    for _ in 1..threads {
        budget.deposit(start);
    }
    let rivals: Vec<_> = (0..threads)
        .map(|second| {
            let budget = Arc::clone(&budget);
            let now = start + Duration::from_secs(second.into());
            thread::spawn(move || budget.withdraw(BudgetAccount::Conflicts, now))
        })
        .collect();
    let granted = rivals.into_iter().map(|rival| u32::from(rival.join().unwrap()));
    assert_eq!(granted.sum::<u32>(), threads - 1);
}

/// Calls that are counted at the same time are all counted.
pub fn no_call_is_forgotten(threads: usize) {
    let budget = Arc::new(Budget::new().conflicts(0, 100).infrastructure(0, 100));
    let start = Instant::now();
    let callers: Vec<_> = (0..threads)
        .map(|_| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || budget.deposit(start))
        })
        .collect();
    for caller in callers {
        caller.join().unwrap();
    }
    for account in [BudgetAccount::Conflicts, BudgetAccount::Infrastructure] {
        let granted = (0..10).take_while(|_| budget.withdraw(account, start)).count();
        assert_eq!(granted, threads);
    }
}
