use optlock::Error;

#[optlock::retry]
async fn sell(sku: &str, (mut count, _): (usize, bool)) -> Result<usize, Error> {
    count += sku.len();
    Ok(count)
}

fn main() {}
