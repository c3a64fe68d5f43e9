use std::time::Duration;

use optlock::prelude::*;
use optlock::{AdvisoryTransaction, Error, Locked, OpenTransaction};
use sea_orm::{DatabaseTransaction, TransactionTrait};

mod product {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        pub stock: i32,
        #[version]
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

use product::{Entity, Model};

impl Related<Entity> for Entity {
    fn to() -> RelationDef {
        Entity::belongs_to(Entity).from(product::Column::Stock).to(product::Column::Id).into()
    }
}

fn assert_send<T: Send>(_: T) {}

fn futures(txn: &DatabaseTransaction, db: &DatabaseConnection, model: Model, locked: Locked<'_, Model>) {
    assert_send(Entity::find_by_id(7).for_update().one(txn));
    assert_send(Entity::find().for_no_key_update().skip_locked().limit(3).all(txn));
    assert_send(Entity::find().for_share().wait(Duration::from_millis(5)).of(Entity).all(txn));
    assert_send(Entity::find().for_key_share().nowait().all_by_key(txn, [1, 2]));
    assert_send(Entity::find().find_also_related(Entity).for_update().of(Entity).one(txn));
    assert_send(Entity::find().find_with_related(Entity).for_update().all(txn));
    assert_send(Entity::lock_all(txn, vec![1, 2]));
    assert_send(Entity::lock_all(txn, std::iter::repeat_n(std::rc::Rc::new(1), 2).map(|id| *id)));
    assert_send(optlock::lock_in_order(txn, (Entity::keys([1]), Entity::find().for_share().keys([2]))));
    assert_send(model.clone().lock(txn));
    assert_send(model.lock_within(txn, Duration::from_millis(5)));
    assert_send(locked.update(|row| row.stock = 0));
    assert_send(AdvisoryTransaction::begin(db, "name"));
}

/// Methods that borrow `self` and their arguments, and hold locked rows over several awaits.
struct Shop {
    db: DatabaseConnection,
}

impl Shop {
    async fn reserve(&self, name: &str, amount: i32) -> Result<(), Error> {
        let txn = self.db.begin().await?;
        let row = Entity::find().filter(product::Column::Name.eq(name)).for_update().one(&txn).await?;
        if let Some(row) = row {
            let row = row.update(|row| row.stock -= amount).await?;
            assert_eq!(row.name, name);
            row.touch().await?.delete().await?;
        }
        Ok(txn.commit().await?)
    }

    async fn swap(&self, ids: &[i32]) -> Result<(), Error> {
        let txn = self.db.begin().await?;
        let [a, b] = Entity::lock_all(&txn, ids.iter().copied()).await?.into_array()?;
        let (stock_a, stock_b) = (a.stock, b.stock);
        a.update(|row| row.stock = stock_b).await?;
        b.update(|row| row.stock = stock_a).await?;
        let model = Entity::find_by_id(ids[0]).one(&txn).await?;
        if let Some(model) = model {
            model.lock(&txn).await?;
        }
        Ok(txn.commit().await?)
    }

    async fn report(&self, name: &str) -> Result<(), Error> {
        let Some(txn) = AdvisoryTransaction::try_begin(&self.db, name).await? else { return Ok(()) };
        let rows = Entity::find().for_share().all(&*txn).await?;
        drop(rows);
        txn.commit().await
    }

    /// In SeaORM's closure, too.
    async fn closure(&self, id: i32) -> Result<i32, sea_orm::TransactionError<Error>> {
        self.db
            .transaction(|txn| {
                Box::pin(async move {
                    let row = Entity::find_by_id(id).for_update().one(txn).await?;
                    let Some(row) = row else { return Ok(0) };
                    Ok(row.update(|row| row.stock += 1).await?.into_model().stock)
                })
            })
            .await
    }
}

fn spawned(shop: std::sync::Arc<Shop>) {
    assert_send(async move {
        let name = String::from("tea");
        shop.reserve(&name, 2).await?;
        shop.swap(&[1, 2]).await?;
        shop.report(&name).await?;
        let _ = shop.closure(1).await;
        Ok::<_, Error>(())
    });
}

/// Generic over the transaction, and over the entity.
async fn generic<T: OpenTransaction>(txn: &T, id: i32) -> Result<Option<Locked<'_, Model, T>>, Error> {
    Entity::find_by_id(id).for_update().one(txn).await
}

async fn over_connections<C: TransactionTrait>(db: &C) -> Result<(), Error> {
    let txn = db.begin().await?;
    if let Some(row) = generic(&txn, 7).await? {
        row.touch().await?;
    }
    Ok(())
}

async fn over_entities<E: EntityTrait>(txn: &DatabaseTransaction) -> Result<usize, Error> {
    Ok(E::find().for_update().all(txn).await?.len())
}

fn main() {}
