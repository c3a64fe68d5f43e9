use optlock::{Error, Policy};
use sea_orm::{ConnectionTrait, DatabaseConnection};

trait Shop {
    fn policy(&self) -> Policy<'_>;

    fn sell(&self, sku: &str) -> impl Future<Output = Result<usize, Error>> + Send;

    #[allow(async_fn_in_trait)]
    #[optlock::retry(self.policy())]
    async fn sell_twice(&self, sku: &str) -> Result<usize, Error> {
        Ok(self.sell(sku).await? + self.sell(sku).await?)
    }
}

struct Kiosk {
    db: DatabaseConnection,
}

impl Shop for Kiosk {
    fn policy(&self) -> Policy<'_> {
        Policy::new()
    }

    #[optlock::retry(self.policy())]
    async fn sell(&self, sku: &str) -> Result<usize, Error> {
        self.db.execute_unprepared(sku).await?;
        Ok(sku.len())
    }
}

async fn calls(kiosk: &Kiosk) -> Result<usize, Error> {
    kiosk.sell_twice("tea").await
}

fn main() {
    let _ = calls;
}
