use optlock::Error;
use sea_orm::{ConnectionTrait, DatabaseConnection};

async fn place(db: &DatabaseConnection, order: String) -> Result<(), Error> {
    optlock::transaction(db, |txn| async move {
        txn.execute_unprepared(&order).await?;
        Ok(())
    })
    .await
}

fn main() {}
