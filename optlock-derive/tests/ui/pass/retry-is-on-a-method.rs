use std::sync::Arc;

use optlock::{Error, Policy};
use sea_orm::{ConnectionTrait, DatabaseConnection};

#[derive(Clone)]
struct Order {
    sku: String,
    count: i32,
}

#[derive(Clone)]
struct Shop {
    db: DatabaseConnection,
    name: String,
    policy: Policy<'static>,
}

impl Shop {
    #[optlock::retry(self.policy)]
    async fn sell(&self, sku: &str, order: Order) -> Result<i32, Error> {
        self.db.execute_unprepared(sku).await?;
        self.db.execute_unprepared(&order.sku).await?;
        self.store(order.clone()).await?;
        Ok(order.count)
    }

    #[optlock::retry(self.policy)]
    async fn store(&self, order: Order) -> Result<&str, Error> {
        self.db.execute_unprepared(&order.sku).await?;
        Ok(&self.name)
    }

    #[optlock::retry]
    async fn shared(self: Arc<Self>, sku: Arc<str>) -> Result<Self, Error>
    where
        Self: Clone,
    {
        self.db.execute_unprepared(&sku).await?;
        Ok(Self::clone(&self))
    }

    #[optlock::retry]
    async fn named<'a, 'b>(&'a self, sku: &'b str) -> Result<(&'a str, &'b str), Error> {
        self.db.execute_unprepared(sku).await?;
        Ok((&self.name, sku))
    }

    #[optlock::retry]
    async fn found(db: &DatabaseConnection, name: &str) -> Result<Self, Error> {
        db.execute_unprepared(name).await?;
        Ok(Self { db: db.clone(), name: name.to_owned(), policy: Policy::new() })
    }
}

fn main() {
    let _ = (Shop::sell, Shop::store, Shop::shared, Shop::named, Shop::found);
}
