//! Eight tasks move money between two accounts, in both directions at once, in a database file. Run it with
//! `cargo run --example transfer`: no deadlock, and not a cent is lost.

#![allow(unreachable_pub, reason = "an entity is written as in a module of an application")]

use std::error::Error;

use optlock::Fault;
use optlock::prelude::*;
use sea_orm::{Database, Schema, TransactionTrait};
use tokio::task::JoinSet;

mod account {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "account")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub balance: i64,
        #[version]
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

const TASKS: i32 = 8;
const TRANSFERS_OF_EACH: i64 = 25;

/// Whether the money was moved: not if there is too little of it.
async fn transfer(db: &DatabaseConnection, from: i32, to: i32, amount: i64) -> Result<bool, optlock::Error> {
    let txn = db.begin().await?;
    // In the order of their keys, whichever of them pays, so that two transfers never deadlock.
    let [from, to] = account::Entity::lock_all(&txn, [from, to]).await?.into_array()?;
    if from.balance < amount {
        return Ok(false); // the transaction is dropped, and rolled back
    }
    from.update(|account| account.balance -= amount).await?;
    to.update(|account| account.balance += amount).await?;
    txn.commit().await?;
    Ok(true)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}?mode=rwc", directory.path().join("bank.db").display());
    let db = Database::connect(url.as_str()).await?;
    db.execute_unprepared("PRAGMA journal_mode = WAL").await?;
    db.execute(&Schema::new(db.get_database_backend()).create_table_from_entity(account::Entity))
        .await?;
    let accounts = [1, 2].map(|id| account::ActiveModel {
        id: Set(id),
        balance: Set(100),
        version: NotSet,
    });
    account::Entity::insert_many(accounts).exec(&db).await?;

    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        // A connection of its own for each, as in eight processes.
        let db = Database::connect(url.as_str()).await?;
        let (from, to) = if task % 2 == 0 { (1, 2) } else { (2, 1) };
        tasks.spawn(async move {
            let (mut moved, mut refused, mut busy) = (0, 0, 0);
            for transfer_number in 0..TRANSFERS_OF_EACH {
                let amount = 1 + (transfer_number * 7 + i64::from(task)) % 40;
                match transfer(&db, from, to, amount).await {
                    Ok(true) => moved += 1,
                    Ok(false) => refused += 1,
                    // SQLite's queue is not a fair one: somebody else has written for five seconds.
                    Err(err) if err.fault() == Some(Fault::LockTimeout) => busy += 1,
                    Err(err) => return Err(err),
                }
            }
            Ok((moved, refused, busy))
        });
    }
    let (mut moved, mut refused, mut busy) = (0, 0, 0);
    while let Some(task) = tasks.join_next().await {
        let counts = task??;
        moved += counts.0;
        refused += counts.1;
        busy += counts.2;
    }

    let accounts = account::Entity::find().all(&db).await?;
    let total: i64 = accounts.iter().map(|account| account.balance).sum();
    let writes: i64 = accounts.iter().map(|account| account.version - 1).sum();
    for account in &accounts {
        println!(
            "account {}: {} (version {})",
            account.id, account.balance, account.version
        );
    }
    println!("{moved} transfers done, {refused} refused for want of money, {busy} given up");
    println!("total {total}, of which there were 200; {writes} writes, two for each transfer");
    assert_eq!((total, writes), (200, 2 * moved));
    assert!(accounts.iter().all(|account| account.balance >= 0));
    Ok(())
}
