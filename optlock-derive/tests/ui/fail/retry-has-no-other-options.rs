use optlock::Error;

#[optlock::retry(attempts = 5)]
async fn sell(sku: &str) -> Result<usize, Error> {
    Ok(sku.len())
}

fn main() {}
