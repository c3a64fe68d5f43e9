use optlock::Error;

#[optlock::retry]
pub fn sell(sku: &str) -> Result<usize, Error> {
    Ok(sku.len())
}

fn main() {}
