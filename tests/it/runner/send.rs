//! Handlers: methods that borrow `self` and their arguments, run by `tokio::spawn`.

use optlock::prelude::*;
use optlock::{Error, Fault, fault};

use super::{Failure, POLICY, add, quantities};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};

cases![handlers_run_in_spawned_tasks];

struct Shop {
    db: DatabaseConnection,
}

impl Shop {
    async fn by_name<C: ConnectionTrait>(&self, db: &C, name: &str) -> Result<item::Model, Error> {
        let row = item::Entity::find().filter(item::Column::Name.eq(name)).one(db).await?;
        Ok(row.ok_or_else(|| DbErr::RecordNotFound(name.to_owned()))?)
    }

    async fn once(&self, name: &str, count: i64) -> Result<i64, Error> {
        let id = self.by_name(&self.db, name).await?.id;
        Ok(add(&self.db, id, count).await?.qty)
    }

    async fn by_retry(&self, name: &str, count: i64) -> Result<i64, Error> {
        POLICY.retry(|| self.once(name, count)).await
    }

    async fn by_default_retry(&self, name: &str, count: i64) -> Result<i64, Error> {
        optlock::retry(|| async move { self.once(name, count).await }).await
    }

    async fn by_transaction(&self, name: &str, count: i64) -> Result<i64, Failure> {
        POLICY
            .transaction(&self.db, |txn| async move {
                let id = self.by_name(&txn, name).await?.id;
                let savepoint = txn.begin().await?;
                let row = add(&savepoint, id, count).await?;
                savepoint.commit().await?;
                Ok(row.qty)
            })
            .await
    }

    async fn by_lock(&self, name: &str, count: i64) -> Result<i64, Error> {
        optlock::transaction(&self.db, |txn| async move {
            let id = self.by_name(&txn, name).await?.id;
            let row = item::Entity::find_by_id(id).for_update().one(&txn).await?;
            let row = row.ok_or_else(|| DbErr::RecordNotFound(name.to_owned()))?;
            Ok(row.update(|row| row.qty += count).await?.qty)
        })
        .await
    }

    async fn verified(&self, name: &str, count: i64) -> Result<i64, Failure> {
        POLICY
            .transaction_verified(
                &self.db,
                |db| async move { Ok(self.by_name(&db, name).await?.qty > 0) },
                |txn| async move {
                    let id = self.by_name(&txn, name).await?.id;
                    Ok(add(&txn, id, count).await?.qty)
                },
            )
            .await
    }

    async fn classified(&self, name: &str, count: i64) -> Result<i64, Failure> {
        let classify = |err: &Failure| fault(&**err);
        POLICY
            .transaction_with(&self.db, classify, |txn| async move {
                let id = self.by_name(&txn, name).await?.id;
                Ok(add(&txn, id, count).await?.qty)
            })
            .await
    }

    async fn by_modify(&self, name: &str, count: i64) -> Result<i64, Error> {
        let id = self.by_name(&self.db, name).await?.id;
        item::Entity::modify(&self.db, id, |row| row.qty += count).await?;
        let row = POLICY
            .modify(item::Entity, &self.db, id, |row| row.qty += count)
            .await?;
        let name = name.to_owned();
        let row = optlock::transaction(&self.db, |txn| {
            let name = &name;
            async move { item::Entity::modify(&txn, row.id, |row| row.name.clone_from(name)).await }
        })
        .await?;
        Ok(row.qty)
    }
}

async fn handlers_run_in_spawned_tasks(context: Context) -> Outcome {
    item::create(&context).await?;
    let shop = Shop { db: context.db.clone() };
    let seen = tokio::spawn(async move {
        let name = String::from("b");
        let seen = [
            shop.by_retry(&name, 1).await?,
            shop.by_default_retry(&name, 1).await?,
            shop.by_transaction(&name, 1).await?,
            shop.by_lock(&name, 1).await?,
            shop.verified(&name, 1).await?,
            shop.classified(&name, 1).await?,
            shop.by_modify(&name, 1).await?,
        ];
        let missing = shop.by_transaction("nobody", 1).await.unwrap_err();
        assert_eq!(fault(&*missing), Fault::Other);
        Ok::<_, Failure>(seen)
    })
    .await??;
    assert_eq!(seen, [21, 22, 23, 24, 25, 26, 28]);
    assert_eq!(quantities(&context).await?, [10, 28, 30]);
    assert_eq!(stored(&context, 2).await?.0, "b");
    Ok(())
}
