use optlock::prelude::*;
use product::{Column, Entity};

mod product {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub stock: i32,
        #[version]
        pub version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

fn assert_send<T: Send>(_: T) {}

fn methods(active: product::ActiveModel, model: product::Model, db: &DatabaseConnection) {
    assert_send(active.clone().insert(db));
    assert_send(active.clone().update(db));
    assert_send(active.clone().update_without_returning(db));
    assert_send(active.clone().save(db));
    assert_send(active.clone().touch(db));
    assert_send(active.clone().delete(db));
    assert_send(model.clone().touch(db));
    assert_send(model.clone().delete(db));
    assert_send(active.clone().insert_unchecked(db));
    assert_send(active.clone().update_unchecked(db));
    assert_send(active.clone().update_without_returning_unchecked(db));
    assert_send(active.clone().save_unchecked(db));
    assert_send(active.delete_unchecked(db));
    assert_send(model.delete_unchecked(db));
}

fn builders(active: product::ActiveModel, db: &DatabaseConnection) {
    assert_send(Entity::insert(active.clone()).exec(db));
    assert_send(Entity::insert(active.clone()).exec_with_returning(db));
    assert_send(Entity::insert(active.clone()).exec_without_returning(db));
    assert_send(Entity::insert(active.clone()).on_conflict_do_nothing().exec(db));
    assert_send(Entity::insert_many([active.clone()]).exec(db));
    assert_send(Entity::insert_many([active.clone()]).exec_with_returning(db));
    assert_send(Entity::update(active.clone()).filter(Column::Stock.gt(0)).exec(db));
    assert_send(Entity::update(active.clone()).exec_without_returning(db));
    assert_send(Entity::update_many().filter(Column::Stock.gt(0)).exec(db));
    assert_send(Entity::update_many().exec_with_returning(db));
    assert_send(Entity::update_by_id(7).filter(Column::Stock.gt(0)).exec(db));
    assert_send(Entity::update_by_id(7).exec_without_returning(db));
    assert_send(Entity::upsert(active.clone()).exec(db));
    assert_send(Entity::delete(active.clone()).exec(db));
    assert_send(Entity::delete(active).exec_with_returning(db));
}

struct Shop {
    db: DatabaseConnection,
}

impl Shop {
    async fn rename(&self, name: &str, product: product::Model) -> Result<usize, optlock::Error> {
        let product = product.touch(&self.db).await?;
        let mut changed = product.into_active_model();
        changed.stock = Set(name.len() as i32);
        let product = changed.update(&self.db).await?;
        Entity::update(product.clone().into_active_model()).filter(Column::Stock.gt(0)).exec(&self.db).await?;
        product.delete(&self.db).await?;
        Ok(name.len())
    }

    async fn any<C: ConnectionTrait>(&self, name: &str, product: product::Model, db: &C) -> Result<usize, DbErr> {
        product.into_active_model().save(db).await?;
        Ok(name.len())
    }

    fn boxed<'a>(&'a self, name: &'a str, product: product::Model) -> std::pin::Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move { self.rename(name, product).await.is_ok() })
    }
}

fn in_methods(shop: &Shop, name: &str, product: product::Model, transaction: &sea_orm::DatabaseTransaction) {
    assert_send(shop.rename(name, product.clone()));
    assert_send(shop.any(name, product.clone(), &shop.db));
    assert_send(shop.any(name, product.clone(), transaction));
    assert_send(shop.boxed(name, product));
}

fn main() {
    let _ = (methods, builders, in_methods);
}
