#![deny(warnings)]

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

pub async fn sell_twice() -> Result<usize, Error> {
    let mut shop = Shop { sold: 0 };
    Ok(shop.sell("tea").await? + shop.sell("milk").await?)
}

fn main() {}
