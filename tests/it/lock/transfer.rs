//! Transfers in all directions at once.

use optlock::prelude::*;
use optlock::{Error, Fault};
use tokio::task::JoinSet;

use super::begin;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::keys::by_text as text;
use crate::entity::{account, item};

cases![
    transfers_that_lock_in_key_order_never_deadlock_and_keep_the_total;
    SERVERS:
    transfers_that_lock_in_their_own_order_do_deadlock,
    text_keys_in_any_order_never_deadlock,
    rows_of_two_entities_in_any_order_never_deadlock;
];

const KEYS: [&str; 4] = ["a", "B", "\u{e4}", "b"];

const TASKS: u64 = 8;
const TRANSFERS: u64 = 25;

/// Numbers that are the same in every run (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Four accounts of 100 each.
async fn create(context: &Context) -> Outcome {
    context.create(item::Entity).await?;
    context
        .sql("INSERT INTO item (id, name, qty, version) VALUES (1, 'a', 100, 1), (2, 'b', 100, 1), (3, 'c', 100, 1), (4, 'd', 100, 1)")
        .await
}

async fn transfer(db: &DatabaseConnection, from: i64, to: i64, amount: i64, in_order: bool) -> Result<(), Error> {
    let txn = begin(db).await?;
    let [from, to] = if in_order {
        item::Entity::lock_all(&txn, [from, to]).await?.into_array()?
    } else {
        let mut rows = Vec::new();
        for id in [from, to] {
            rows.extend(item::Entity::find_by_id(id).for_update().one(&txn).await?);
            // The other one begins meanwhile.
            tokio::task::yield_now().await;
        }
        rows.try_into()
            .map_err(|_| DbErr::RecordNotFound("an account".to_owned()))?
    };
    from.update(|row| row.qty -= amount).await?;
    to.update(|row| row.qty += amount).await?;
    Ok(txn.commit().await?)
}

/// How many of 200 transfers by 8 tasks were deadlock victims. Those are tried again, so that all are done.
async fn run(context: &Context, in_order: bool) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    let db = context.connect(u32::try_from(TASKS)?).await?;
    let has_row_locks = context.backend.expected().has_row_locks;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let db = db.clone();
        tasks.spawn(async move {
            let mut dice = Dice(task);
            let mut victims = 0;
            for _ in 0..TRANSFERS {
                let from = dice.below(4);
                let to = (from + 1 + dice.below(3)) % 4;
                let amount = i64::try_from(1 + dice.below(5)).unwrap();
                let [from, to] = [from, to].map(|id| i64::try_from(id).unwrap() + 1);
                loop {
                    match transfer(&db, from, to, amount, in_order).await {
                        Ok(()) => break,
                        Err(err) if err.fault() == Some(Fault::Deadlock) => victims += 1,
                        // SQLite's queue is not a fair one: others have written for five seconds.
                        Err(err) if matches!(err.fault(), Some(Fault::Busy | Fault::LockTimeout)) && !has_row_locks => {
                        }
                        Err(err) => return Err(err),
                    }
                }
            }
            Ok(victims)
        });
    }
    let mut victims = 0;
    while let Some(task) = tasks.join_next().await {
        victims += task??;
    }
    assert_eq!(
        context
            .number(
                "SELECT CAST(SUM(qty) AS SIGNED) FROM item"
                    .replace("SIGNED", context.backend.pick("INTEGER", "BIGINT", "SIGNED"))
                    .as_str()
            )
            .await?,
        400
    );
    // Each transfer advances two rows.
    let versions = "SELECT CAST(SUM(version) AS SIGNED) FROM item"
        .replace("SIGNED", context.backend.pick("INTEGER", "BIGINT", "SIGNED"));
    assert_eq!(
        context.number(&versions).await?,
        4 + 2 * i64::try_from(TASKS * TRANSFERS)?
    );
    Ok(victims)
}

async fn transfers_that_lock_in_key_order_never_deadlock_and_keep_the_total(context: Context) -> Outcome {
    create(&context).await?;
    assert_eq!(run(&context, true).await?, 0);
    Ok(())
}

async fn transfers_that_lock_in_their_own_order_do_deadlock(context: Context) -> Outcome {
    create(&context).await?;
    let mut victims = 0;
    // Once is enough nearly always.
    for _ in 0..5 {
        victims += run(&context, false).await?;
        if victims > 0 {
            return Ok(());
        }
        context.sql("UPDATE item SET qty = 100, version = 1").await?;
    }
    panic!("no deadlock without an order: the case above shows nothing");
}

/// One order, whatever the collation of the day makes of it.
async fn text_keys_in_any_order_never_deadlock(context: Context) -> Outcome {
    context.create(text::Entity).await?;
    if context.backend == crate::backend::Backend::MariaDb {
        // One that tells the four apart.
        context
            .sql("ALTER TABLE keyed CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
            .await?;
    }
    for key in KEYS {
        let row = text::ActiveModel {
            id: Set(key.to_owned()),
            qty: Set(0),
            version: NotSet,
        };
        row.insert(&context.db).await?;
    }
    let mut tasks = JoinSet::new();
    for task in 0..2 {
        let db = context.db.clone();
        tasks.spawn(async move {
            let mut dice = Dice(task);
            for _ in 0..150 {
                let mut keys = KEYS;
                for last in (1..keys.len()).rev() {
                    keys.swap(last, usize::try_from(dice.below(last as u64 + 1)).unwrap());
                }
                let txn = begin(&db).await?;
                let rows = text::Entity::lock_all(&txn, keys.map(ToOwned::to_owned))
                    .await?
                    .into_vec()?;
                assert!(rows.iter().map(|row| row.id.as_str()).eq(keys));
                txn.commit().await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(())
}

async fn rows_of_two_entities_in_any_order_never_deadlock(context: Context) -> Outcome {
    create(&context).await?;
    account::create(&context).await?;
    let mut tasks = JoinSet::new();
    for task in 0..2_u64 {
        let db = context.db.clone();
        tasks.spawn(async move {
            for _ in 0..150 {
                let txn = begin(&db).await?;
                let (items, accounts) = (item::Entity::keys([1, 2]), account::Entity::keys([2, 1]));
                if task == 0 {
                    optlock::lock_in_order(&txn, (items, accounts)).await.map(drop)?;
                } else {
                    optlock::lock_in_order(&txn, (accounts, items)).await.map(drop)?;
                }
                txn.commit().await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(())
}
