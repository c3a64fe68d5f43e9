//! Every verb, spawned from a method that borrows `self` and its arguments, as a handler's body is.

use std::sync::Arc;

use optlock::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub stock: i32,
    #[version]
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

use optlock::{Error, Policy};

const CHECKOUT: Policy = Policy::new().attempts(8);

#[derive(Debug)]
enum ShopError {
    SoldOut,
    Store(Error),
}

impl std::fmt::Display for ShopError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SoldOut => f.write_str("sold out"),
            Self::Store(err) => err.fmt(f),
        }
    }
}

impl std::error::Error for ShopError {}

impl From<Error> for ShopError {
    fn from(err: Error) -> Self {
        Self::Store(err)
    }
}

impl From<DbErr> for ShopError {
    fn from(err: DbErr) -> Self {
        Self::Store(err.into())
    }
}

/// What `tokio::spawn` asks for.
fn on_any_thread<F: Future + Send + 'static>(_: F) {}

struct Shop {
    db: DatabaseConnection,
    name: String,
}

impl Shop {
    async fn reserve(&self, _sku: &str, _count: i32) -> Result<i32, Error> {
        Ok(self.name.len() as i32)
    }

    async fn retries(&self, sku: &str) -> Result<i32, Error> {
        optlock::retry(|| self.reserve(sku, 2)).await?;
        CHECKOUT.retry_with(|err| optlock::fault(err), || self.reserve(sku, 2)).await?;
        CHECKOUT.retry(|| async { self.reserve(sku, 2).await }).await
    }

    async fn transacts(&self, sku: &str, note: String) -> Result<i32, ShopError> {
        let count = |row: &Model| row.stock + self.name.len() as i32 + sku.len() as i32 + note.len() as i32;
        let is_there = |db: DatabaseConnection| async move {
            Ok(Entity::find_by_id(7).one(&db).await.map_err(Error::from)?.is_some())
        };
        CHECKOUT.transaction_verified(&self.db, is_there, |_| async { Ok::<_, ShopError>(()) }).await?;
        CHECKOUT
            .transaction_with(&self.db, |err: &ShopError| optlock::fault(err), |_| async move { Ok(self.name.len()) })
            .await?;
        optlock::transaction(&self.db, |txn| async move {
            let row = Entity::find_by_id(7).for_update().one(&txn).await?.ok_or(ShopError::SoldOut)?;
            let row = row.update(|row| row.stock -= sku.len() as i32).await?.into_model();
            txn.after_commit(|| println!("done"));
            let all = Entity::lock_all(&txn, [1, 2]).await?.into_vec()?;
            drop(all);
            Ok(count(&row))
        })
        .await
    }

    async fn modifies(&self, sku: &str) -> Result<i32, ShopError> {
        let row = Entity::modify(&self.db, 7, |row| row.stock -= sku.len() as i32).await?;
        let row = row.modify(&self.db, |row| row.stock -= sku.len() as i32).await?;
        let row = row.try_modify(&self.db, |_| Err(ShopError::SoldOut)).await?;
        let row = CHECKOUT.try_modify_model(row, &self.db, |_| Ok::<_, ShopError>(())).await?;
        Entity::try_modify(&self.db, 7, |row| if row.stock > 0 { Ok(()) } else { Err(ShopError::SoldOut) }).await?;
        Entity::modify_or_insert(&self.db, 7, || ActiveModel { stock: Set(1), ..Default::default() }, |row| row.stock = 0).await?;
        Entity::try_modify_all(&self.db, [7, 8], |row| {
            row.stock += sku.len() as i32;
            Ok::<_, ShopError>(())
        })
        .await?;
        CHECKOUT.modify(Entity, &self.db, 7, |row| row.stock -= sku.len() as i32).await?;
        CHECKOUT.modify_all(Entity, &self.db, [7], |_| {}).await?;
        CHECKOUT.modify_or_insert(Entity, &self.db, 7, || ActiveModel { stock: Set(1), ..Default::default() }, |_| {}).await?;
        CHECKOUT.try_modify(Entity, &self.db, 7, |_| Err(ShopError::SoldOut)).await?;
        Ok(row.stock)
    }
}

async fn boxed(db: &DatabaseConnection) -> Result<i32, Box<dyn std::error::Error + Send + Sync>> {
    optlock::transaction(db, |txn| async move {
        let row = Entity::find_by_id(7).one(&txn).await?.ok_or("no tea")?;
        Ok(row.stock)
    })
    .await
}

/// Generic callers need no more than they have to say anyway.
async fn generic<T: Unpin>(db: &DatabaseConnection, make: impl Fn() -> T) -> Result<T, DbErr> {
    optlock::transaction(db, |_| async { Ok(make()) }).await
}

async fn anywhere<C: optlock::ModifyIn>(db: &C) -> Result<i32, Error> {
    Ok(Entity::modify(db, 7, |row| row.stock -= 1).await?.stock)
}

fn spawn(shop: Arc<Shop>) {
    on_any_thread(async move {
        let sku = String::from("tea");
        shop.retries(&sku).await?;
        shop.transacts(&sku, String::new()).await?;
        shop.modifies(&sku).await?;
        boxed(&shop.db).await?;
        anywhere(&shop.db).await?;
        generic(&shop.db, || 1).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    });
    // A policy in a constant is borrowed by nothing.
    on_any_thread(CHECKOUT.retry(|| async { Ok::<_, Error>(()) }));
}

fn main() {
    let _ = spawn;
}
