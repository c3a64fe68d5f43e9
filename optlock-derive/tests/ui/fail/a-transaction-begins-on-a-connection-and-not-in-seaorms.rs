use optlock::{Error, Policy};
use sea_orm::DatabaseTransaction;

async fn within(txn: &DatabaseTransaction) -> Result<(), Error> {
    Policy::new().transaction(txn, |_| async move { Ok(()) }).await
}

fn main() {}
