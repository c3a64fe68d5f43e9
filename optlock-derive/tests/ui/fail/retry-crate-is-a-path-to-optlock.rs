use optlock::Error;

#[optlock::retry(crate = "nowhere")]
async fn sell(sku: &str) -> Result<usize, Error> {
    Ok(sku.len())
}

fn main() {}
