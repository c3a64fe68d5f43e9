use std::time::Duration;

use optlock::{Backoff, Policy};

const BUSY: Policy = Policy::new().backoff(Backoff::full_jitter(Duration::ZERO, Duration::from_secs(1)));
const BACKWARDS: Policy =
    Policy::new().backoff(Backoff::exponential(Duration::from_secs(2), Duration::from_secs(1)));

fn main() {
    let _ = (BUSY, BACKWARDS);
}
