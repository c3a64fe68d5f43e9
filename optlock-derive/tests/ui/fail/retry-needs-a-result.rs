#[optlock::retry]
async fn sell(sku: &str) {
    println!("{sku}");
}

fn main() {}
