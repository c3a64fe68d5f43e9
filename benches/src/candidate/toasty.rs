//! toasty, whose `#[version]` is what this library does, in another ORM.

use toasty::{Db, Model};

use super::{Pick, Share, Way};
use crate::Result;

#[derive(Debug, Model)]
#[table = "product"]
struct Product {
    #[key]
    id: i32,
    name: String,
    stock: i32,
    price: i32,
    note: String,
    #[version]
    version: u64,
}

pub(super) struct Toasty {
    db: Db,
    models: Vec<Product>,
}

impl Toasty {
    pub(super) async fn new(share: &Share<'_>) -> Result<Self> {
        let url = share.target.url(&share.file);
        let mut db = Db::builder()
            .models(toasty::models!(Product))
            .max_pool_size(1)
            .connect(&url)
            .await?;
        let mut models = Vec::new();
        for row in &share.rows {
            models.push(Product::get_by_id(&mut db, row.id).await?);
        }
        Ok(Self { db, models })
    }
}

impl Way for Toasty {
    async fn update(&mut self, pick: Pick) -> Result<()> {
        self.models[pick.slot]
            .update()
            .stock(pick.stock)
            .exec(&mut self.db)
            .await?;
        Ok(())
    }
}
