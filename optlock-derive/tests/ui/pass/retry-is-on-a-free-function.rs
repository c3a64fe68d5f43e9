use optlock::{Error, Policy};
use sea_orm::{ConnectionTrait, DatabaseConnection};

const CHECKOUT: Policy = Policy::new().attempts(5);

/// The documentation stays.
#[optlock::retry]
#[must_use = "so does this"]
pub async fn reserve(db: &DatabaseConnection, sku: &str, (count, _): (i32, bool), _: u8) -> Result<usize, Error> {
    #![allow(unused_variables)]
    let unused = count;
    db.execute_unprepared(sku).await?;
    Ok(sku.len())
}

#[optlock::retry(CHECKOUT)]
async fn clear(db: &DatabaseConnection) -> Result<(), sea_orm::DbErr> {
    db.execute_unprepared("DELETE FROM cart").await.map(drop)
}

#[optlock::retry()]
async fn nothing() -> Result<(), Error> {
    Ok(())
}

fn main() {
    let _ = (reserve, clear, nothing);
}
