#[optlock::retry]
async fn sell(sku: &str) -> Option<usize> {
    Some(sku.len())
}

fn main() {}
