use optlock::{Error, Txn};
use sea_orm::DatabaseConnection;

async fn keep(db: &DatabaseConnection) -> Result<Option<Txn>, Error> {
    optlock::transaction(db, |txn| async move { Ok(Some(txn)) }).await
}

fn main() {}
