use optlock::Error;

#[optlock::retry(5)]
async fn sell(sku: &str) -> Result<usize, Error> {
    Ok(sku.len())
}

fn main() {}
