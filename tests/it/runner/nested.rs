//! What SeaORM nests in a transaction by itself, and what cannot be nested.

use std::fmt::Write as _;

use optlock::Error;
use optlock::prelude::*;
use sea_orm::{AccessMode, ConnectionTrait, IsolationLevel, TransactionTrait};

use super::{Calls, Failure, POLICY, add, is_usable, quantities};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::entity::nested::{self, line, purchase, receipt};

cases![
    a_nested_save_is_part_of_the_transaction,
    a_nested_save_that_meets_a_conflict_is_redone_with_the_transaction,
    an_isolation_level_or_a_mode_of_a_savepoint_is_refused,
    a_refused_isolation_level_leaves_the_transaction_whole;
];

/// Purchase 1 with lines 1 and 2 and receipt 1.
async fn create(context: &Context) -> Outcome {
    nested::create(context).await?;
    purchase::ActiveModel::builder()
        .set_name("p")
        .add_line(line::ActiveModel::builder().set_qty(10))
        .add_line(line::ActiveModel::builder().set_qty(20))
        .set_receipt(receipt::ActiveModel::builder().set_total(30))
        .insert(&context.db)
        .await?;
    Ok(())
}

async fn load<C: ConnectionTrait>(db: &C) -> Result<purchase::ActiveModelEx, Failure> {
    let loaded = purchase::Entity::load()
        .filter(purchase::Column::Id.eq(1))
        .with(line::Entity)
        .with(receipt::Entity)
        .one(db)
        .await?;
    Ok(loaded.ok_or("gone")?.into_active_model())
}

/// Version of the purchase, quantity and version of its lines.
async fn stored(context: &Context) -> Result<String, Failure> {
    let version = context.number("SELECT version FROM purchase WHERE id = 1").await?;
    let mut lines = line::Entity::find().all(&context.other).await?;
    lines.sort_by_key(|line| line.id);
    let mut text = format!("p@{version}");
    for line in lines {
        write!(text, " {}@{}", line.qty, line.version)?;
    }
    Ok(text)
}

async fn a_nested_save_is_part_of_the_transaction(context: Context) -> Outcome {
    create(&context).await?;
    let db = context.connect(1).await?;
    for fails in [true, false] {
        let outcome = POLICY
            .transaction(&db, |txn| async move {
                let mut change = load(&txn).await?;
                change.name = Set("q".to_owned());
                change.lines[0].qty = Set(11);
                change.lines.push(line::ActiveModel::builder().set_qty(40));
                change.save(&txn).await?;
                if fails {
                    return Err::<(), Failure>("changed my mind".into());
                }
                Ok(())
            })
            .await;
        assert_eq!(outcome.is_err(), fails);
        let expected = if fails { "p@1 10@1 20@1" } else { "p@2 11@2 20@1 40@1" };
        assert_eq!(stored(&context).await?, expected);
    }
    Ok(())
}

async fn a_nested_save_that_meets_a_conflict_is_redone_with_the_transaction(context: Context) -> Outcome {
    create(&context).await?;
    let calls = Calls::default();
    POLICY
        .transaction(&context.db, |txn| {
            let call = calls.next();
            async move {
                let mut change = load(&txn).await?;
                change.name = Set(format!("q{call}"));
                change.lines[0].qty = Set(11);
                change.lines[1].qty = Set(21);
                if call == 1 {
                    // A rival's change, as far as the save can tell: rolled back with the attempt.
                    txn.execute_unprepared("UPDATE line SET version = 7 WHERE id = 2")
                        .await?;
                }
                change.save(&txn).await?;
                Ok::<_, Failure>(())
            }
        })
        .await?;
    assert_eq!(calls.count(), 2);
    assert_eq!(stored(&context).await?, "p@2 11@2 21@2");
    Ok(())
}

const NESTED: (Option<IsolationLevel>, Option<AccessMode>) = (Some(IsolationLevel::Serializable), None);

/// Before any SQL: servers differ, from an error to a warning.
async fn an_isolation_level_or_a_mode_of_a_savepoint_is_refused(context: Context) -> Outcome {
    item::create(&context).await?;
    context.take_statements();
    let outcome = POLICY
        .transaction(&context.db, |txn| async move {
            txn.begin_with_config(None, Some(AccessMode::ReadOnly))
                .await
                .expect_err("a mode");
            txn.begin_with_config(NESTED.0, NESTED.1).await?;
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(outcome, Err(Error::Unsupported(_))), "{outcome:?}");
    assert_eq!(context.take_statements(), [""; 0]);
    Ok(())
}

async fn a_refused_isolation_level_leaves_the_transaction_whole(context: Context) -> Outcome {
    item::create(&context).await?;
    let db = context.connect(1).await?;
    let outcome = POLICY
        .transaction(&db, |txn| async move {
            add(&txn, 1, 1).await?;
            if let Ok(savepoint) = txn.begin_with_config(NESTED.0, NESTED.1).await {
                savepoint.rollback().await?;
            }
            add(&txn, 3, 1).await?;
            Ok::<_, Failure>(())
        })
        .await;
    outcome?;
    assert_eq!(quantities(&context).await?, [11, 20, 31]);
    is_usable(&context, &db).await
}
