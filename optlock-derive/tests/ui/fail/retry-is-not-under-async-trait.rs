use optlock::Error;
use sea_orm::prelude::async_trait;

#[async_trait::async_trait]
trait Shop {
    async fn sell(&self, sku: &str) -> Result<usize, Error>;
}

struct Kiosk;

#[async_trait::async_trait]
impl Shop for Kiosk {
    #[optlock::retry]
    async fn sell(&self, sku: &str) -> Result<usize, Error> {
        Ok(sku.len())
    }
}

fn main() {}
