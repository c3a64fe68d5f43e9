use optlock::Error;

struct Shop {
    sold: usize,
}

impl Shop {
    #[optlock::retry]
    async fn sell(&mut self, sku: &str) -> Result<usize, Error> {
        self.sold += 1;
        Ok(sku.len())
    }
}

fn main() {}
