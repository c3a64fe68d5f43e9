use optlock::Error;

#[optlock::retry(crate = "optlock", crate = "::optlock")]
async fn sell(sku: &str) -> Result<usize, Error> {
    Ok(sku.len())
}

fn main() {}
