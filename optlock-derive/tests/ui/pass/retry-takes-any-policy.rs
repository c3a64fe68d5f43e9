use std::time::Duration;

use optlock::{Backoff, Error, Policy};

const CHECKOUT: Policy = Policy::new();

mod policies {
    use optlock::Policy;

    pub static PATIENT: Policy = Policy::new().attempts(9);

    pub fn of(count: u32) -> Policy<'static> {
        PATIENT.attempts(count)
    }
}

mod vendor {
    pub mod locking {
        pub use optlock::*;
    }
}

#[optlock::retry(CHECKOUT)]
async fn constant() -> Result<(), Error> {
    Ok(())
}

#[optlock::retry(crate::policies::PATIENT)]
async fn path() -> Result<(), Error> {
    Ok(())
}

#[optlock::retry(policies::of(count))]
async fn of_an_argument(count: u32) -> Result<u32, Error> {
    Ok(count)
}

#[optlock::retry(if patient { policies::PATIENT } else { Policy::new().attempts(2) })]
async fn inline(patient: bool) -> Result<(), Error> {
    Ok(())
}

#[optlock::retry(Policy::new().backoff(Backoff::delays(&[1, 2].map(Duration::from_millis).into_iter())))]
async fn borrowed() -> Result<(), Error> {
    Ok(())
}

#[optlock::retry(policy?)]
async fn fallible(policy: Result<Policy<'_>, Error>) -> Result<(), Error> {
    Ok(())
}

#[crate::vendor::locking::retry(crate = "crate::vendor::locking")]
async fn reexported() -> Result<(), Error> {
    Ok(())
}

#[crate::vendor::locking::retry(CHECKOUT, crate = "crate::vendor::locking",)]
async fn reexported_with_a_policy() -> Result<(), Error> {
    Ok(())
}

fn main() {
    let _ = (constant, path, of_an_argument, inline, borrowed, reexported, reexported_with_a_policy);
    let _ = async || fallible(Ok(CHECKOUT)).await;
}
