use optlock::Error;

trait Shop {
    #[allow(async_fn_in_trait)]
    #[optlock::retry]
    async fn sell(&self, sku: &str) -> Result<usize, Error>;
}

fn main() {}
