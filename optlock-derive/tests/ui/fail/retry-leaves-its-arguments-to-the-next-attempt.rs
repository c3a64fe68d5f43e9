use optlock::Error;

async fn store(order: String) -> Result<usize, Error> {
    Ok(order.len())
}

#[optlock::retry]
async fn sell(order: String) -> Result<usize, Error> {
    let count = store(order).await?;
    Ok(count)
}

fn main() {}
