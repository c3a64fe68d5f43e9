use std::num::ParseIntError;

use optlock::Error;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};

#[optlock::retry]
async fn returns_early(db: &DatabaseConnection, count: i32) -> Result<Option<i32>, Error> {
    if count == 0 {
        return Ok(None);
    }
    for count in 0..count {
        if count == 3 {
            return Err(DbErr::RecordNotFound(String::new()).into());
        }
    }
    let parsed = (|| -> Result<i32, ParseIntError> { return Ok("3".parse::<i32>()? + count) })();
    let _: Result<u64, DbErr> = async { Ok(db.execute_unprepared("").await?.rows_affected()) }.await;
    Ok(parsed.ok())
}

#[optlock::retry]
async fn converts(db: &DatabaseConnection, count: &str) -> Result<i32, Box<dyn std::error::Error + Send + Sync>> {
    let count = count.parse()?;
    db.execute_unprepared("").await?;
    if count > 3 {
        Err("too many")?;
    }
    returns_early(db, count).await?;
    Ok(count)
}

#[optlock::retry]
async fn infers(db: &DatabaseConnection) -> Result<Vec<(i64, String)>, Error> {
    let mut rows = Default::default();
    if db.execute_unprepared("").await?.rows_affected() == 0 {
        return Ok(rows);
    }
    rows.push((1, "tea".into()));
    Ok(rows.into_iter().rev().collect())
}

fn main() {
    let _ = (returns_early, converts, infers);
}
