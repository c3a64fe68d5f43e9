#[optlock::retry]
async fn sell(sku: &str) -> Result<usize, String> {
    Ok(sku.len())
}

fn main() {}
