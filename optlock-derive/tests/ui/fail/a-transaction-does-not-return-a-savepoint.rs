use optlock::{Error, Savepoint};
use sea_orm::{DatabaseConnection, TransactionTrait};

async fn keep(db: &DatabaseConnection) -> Result<(u8, Savepoint), Error> {
    optlock::transaction(db, |txn| async move { Ok((1, txn.begin().await?)) }).await
}

fn main() {}
