use optlock::Error;

#[optlock::retry]
async fn sell(sku: &str, sold: &mut Vec<String>) -> Result<(), Error> {
    sold.push(sku.to_owned());
    Ok(())
}

fn main() {}
