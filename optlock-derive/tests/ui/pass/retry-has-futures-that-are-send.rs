use std::pin::Pin;
use std::sync::Arc;

use optlock::{Error, Policy};
use sea_orm::{ConnectionTrait, DatabaseConnection};

/// What `tokio::spawn` asks for.
fn spawn<F: Future<Output: Send + 'static> + Send + 'static>(_: F) {}

fn assert_send<T: Send>(_: T) {}

struct Shop {
    db: DatabaseConnection,
    policy: Policy<'static>,
}

impl Shop {
    #[optlock::retry(self.policy)]
    async fn sell(&self, sku: &str, notes: Vec<String>) -> Result<usize, Error> {
        for note in &notes {
            self.db.execute_unprepared(note).await?;
        }
        helper(&self.db, sku).await?;
        Ok(sku.len())
    }

    #[optlock::retry(self.policy)]
    async fn shared(self: Arc<Self>, sku: Arc<str>) -> Result<usize, Error> {
        self.sell(&sku, Vec::new()).await
    }

    fn boxed<'a>(&'a self, sku: &'a str) -> Pin<Box<dyn Future<Output = Result<usize, Error>> + Send + 'a>> {
        Box::pin(self.sell(sku, Vec::new()))
    }
}

#[optlock::retry]
async fn helper<C: ConnectionTrait>(db: &C, sku: &str) -> Result<usize, Error> {
    db.execute_unprepared(sku).await?;
    Ok(sku.len())
}

#[optlock::retry]
async fn owned(db: DatabaseConnection, sku: String) -> Result<usize, Error> {
    helper(&db, &sku).await
}

fn futures(shop: &Arc<Shop>, sku: &str) {
    assert_send(shop.sell(sku, Vec::new()));
    assert_send(shop.boxed(sku));
    assert_send(helper(&shop.db, sku));
    spawn(owned(shop.db.clone(), sku.to_owned()));
    spawn(shop.clone().shared(sku.into()));
    let shop = shop.clone();
    spawn(async move { shop.sell("tea", Vec::new()).await });
}

fn main() {
    let _ = futures;
}
