use optlock::Error;

#[optlock::retry(crate = "not a path")]
async fn sell(sku: &str) -> Result<usize, Error> {
    Ok(sku.len())
}

fn main() {}
