use optlock::Error;

struct Shop;

impl Shop {
    #[optlock::retry]
    async fn sell(self, sku: &str) -> Result<usize, Error> {
        Ok(sku.len())
    }
}

fn main() {}
