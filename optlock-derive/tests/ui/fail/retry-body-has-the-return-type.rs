use optlock::Error;

#[optlock::retry]
async fn sell(sku: &str) -> Result<usize, Error> {
    if sku.is_empty() {
        return Ok("nothing");
    }
    let count: usize = sku.parse()?;
    Ok(count);
}

fn main() {}
