use std::fmt::Display;

use optlock::Error;
use sea_orm::{ConnectionTrait, DatabaseConnection};

#[optlock::retry]
async fn generic<C: ConnectionTrait, S, const N: usize>(db: &C, skus: [S; N]) -> Result<usize, Error>
where
    S: AsRef<str>,
{
    for sku in &skus {
        db.execute_unprepared(sku.as_ref()).await?;
    }
    Ok(N)
}

#[optlock::retry]
async fn anonymous(
    db: &impl ConnectionTrait,
    sku: impl AsRef<str>,
    change: impl Fn(&mut usize),
) -> Result<impl Iterator<Item = usize>, Error> {
    db.execute_unprepared(sku.as_ref()).await?;
    let mut count = 1;
    change(&mut count);
    Ok(std::iter::repeat_n(count, 2))
}

#[optlock::retry]
async fn nested(db: &DatabaseConnection) -> Result<(Option<impl Display>, Vec<impl Display>), Error> {
    db.execute_unprepared("").await?;
    Ok((Some("one"), vec![1]))
}

#[optlock::retry]
async fn returns_its_argument<T: Clone>(db: &DatabaseConnection, value: T) -> Result<T, Error> {
    db.execute_unprepared("").await?;
    Ok(value.clone())
}

async fn calls(db: &DatabaseConnection) -> Result<(), Error> {
    generic(db, ["tea", "milk"]).await?;
    anonymous(db, "tea", |count| *count += 1).await?.count();
    nested(db).await?;
    returns_its_argument(db, String::new()).await?;
    Ok(())
}

fn main() {
    let _ = calls;
}
