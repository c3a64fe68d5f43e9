use optlock::{Error, Policy};

const CHECKOUT: Policy = Policy::new();

#[optlock::retry(CHECKOUT, Policy::new().attempts(5))]
async fn sell(sku: &str) -> Result<usize, Error> {
    Ok(sku.len())
}

fn main() {}
