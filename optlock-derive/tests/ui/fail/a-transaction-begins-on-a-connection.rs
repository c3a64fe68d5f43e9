use optlock::{Error, Txn};

async fn within(txn: &Txn) -> Result<(), Error> {
    optlock::transaction(txn, |_| async move { Ok(()) }).await
}

fn main() {}
