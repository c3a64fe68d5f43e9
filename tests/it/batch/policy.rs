//! Batches under policies: ours, and those of PostgreSQL.

use std::time::Duration;

use optlock::prelude::*;
use optlock::{Error, Fault, Found, Policy};
use sea_orm::TransactionTrait;

use super::{rows, with_qty};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    ; SERVERS: a_batch_waits_for_a_lock_as_long_as_its_policy_says;
    POSTGRES: rows_that_a_policy_hides_from_locks_are_blocked;
];

async fn a_batch_waits_for_a_lock_as_long_as_its_policy_says(context: Context) -> Outcome {
    item::create(&context).await?;
    let loaded = rows(&context).await?;
    let rival = context.other.begin().await?;
    rival.execute_unprepared("UPDATE item SET qty = 0 WHERE id = 2").await?;
    let policy = || Policy::new().lock_wait(Duration::from_millis(50));
    let update = item::Entity::update_batch(loaded.iter().map(|row| with_qty(row, 5))).policy(policy());
    let delete = loaded.iter().cloned().map(IntoActiveModel::into_active_model);
    let delete = item::Entity::delete_batch(delete).policy(policy());
    let limit = Duration::from_secs(10);
    let updated = tokio::time::timeout(limit, update.exec(&context.db)).await?;
    let deleted = tokio::time::timeout(limit, delete.exec(&context.db)).await?;
    rival.rollback().await?;
    for err in [updated.map(drop).unwrap_err(), deleted.map(drop).unwrap_err()] {
        assert!(matches!(err, Error::Lock(_)), "{err:?}");
    }
    assert_eq!(rows(&context).await?, loaded);
    Ok(())
}

/// A locking read of PostgreSQL shows no row that must not be updated.
async fn rows_that_a_policy_hides_from_locks_are_blocked(context: Context) -> Outcome {
    item::create(&context).await?;
    let role = format!("batch_{}", context.number("SELECT pg_backend_pid()::bigint").await?);
    let schema: String = context
        .row("SELECT current_schema()::text")
        .await?
        .try_get_by_index(0)?;
    context
        .sql(&format!(
            "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role}; \
             GRANT ALL ON item TO {role}; ALTER TABLE item ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY readers ON item FOR SELECT USING (true); \
             CREATE POLICY writers ON item FOR UPDATE USING (id > 2); \
             CREATE POLICY deleters ON item FOR DELETE USING (id > 2)"
        ))
        .await?;
    let loaded = rows(&context).await?;
    context.sql("UPDATE item SET version = 5 WHERE id = 2").await?;
    let db = context.connect(1).await?;
    db.execute_unprepared(&format!("SET ROLE {role}")).await?;
    let gone = item::Model {
        id: 4,
        ..loaded[0].clone()
    };
    let batch: Vec<_> = loaded.iter().chain([&gone]).map(|row| with_qty(row, 5)).collect();
    let policy = || {
        let policy = Policy::new().retry_on(Fault::Blocked).retry_on(Fault::Stale);
        policy.on_retry(&|retry| panic!("{retry:?}"))
    };
    let outcomes = (
        item::Entity::update_batch([batch[0].clone()])
            .policy(policy())
            .exec(&db)
            .await,
        item::Entity::update_batch(batch.clone())
            .policy(policy())
            .exec_each(&db)
            .await,
        item::Entity::delete_batch(batch.clone().into_iter().take(2))
            .exec_each(&db)
            .await,
    );
    db.execute_unprepared("RESET ROLE").await?;
    context.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await?;

    let (alone, updated, deleted) = outcomes;
    assert!(matches!(alone, Err(Error::Conflicts(_))), "{alone:?}");
    let (updated, deleted) = (updated?, deleted?);
    let found = |conflict: &optlock::Conflict| {
        (
            conflict.found().clone(),
            conflict.current::<item::Model>().map(|row| row.id),
        )
    };
    let changed = Found::Changed { version: 5_i64.into() };
    assert_eq!(found(updated[0].as_ref().unwrap_err()), (Found::Blocked, Some(1)));
    assert_eq!(found(updated[1].as_ref().unwrap_err()), (changed.clone(), Some(2)));
    assert_eq!(updated[2].as_ref().map(|row| (row.qty, row.version)).ok(), Some((5, 2)));
    assert_eq!(found(updated[3].as_ref().unwrap_err()), (Found::Deleted, None));
    assert_eq!(found(deleted[0].as_ref().unwrap_err()), (Found::Blocked, Some(1)));
    assert_eq!(found(deleted[1].as_ref().unwrap_err()), (changed, Some(2)));
    Ok(())
}
