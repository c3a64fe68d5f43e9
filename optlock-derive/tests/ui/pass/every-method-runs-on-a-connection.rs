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

async fn methods_on_connection(product: product::ActiveModel, db: &DatabaseConnection) -> Result<(), optlock::Error> {
    let product = product.insert(db).await?;
    let product = product.into_active_model().update(db).await?;
    product.clone().into_active_model().update_without_returning(db).await?;
    let product: product::ActiveModel = product.into_active_model().save(db).await?;
    let product: product::Model = product.touch(db).await?;
    let product = product.touch(db).await?;
    product.clone().into_active_model().delete(db).await?;
    product.delete(db).await?;
    Ok(())
}

async fn unchecked_methods_on_connection(product: product::ActiveModel, db: &DatabaseConnection) -> Result<(), optlock::Error> {
    let product = product.insert_unchecked(db).await?;
    let product = product.into_active_model().update_unchecked(db).await?;
    product.clone().into_active_model().update_without_returning_unchecked(db).await?;
    let product = product.into_active_model().save_unchecked(db).await?;
    let product = product.update_unchecked(db).await?;
    product.clone().into_active_model().delete_unchecked(db).await?;
    product.delete_unchecked(db).await?;
    Ok(())
}

async fn builders_on_connection(product: product::ActiveModel, db: &DatabaseConnection) -> Result<(), optlock::Error> {
    Entity::insert(product.clone()).exec_with_returning(db).await?;
    Entity::insert(product.clone()).on_conflict_do_nothing().exec(db).await?;
    Entity::insert_many([product.clone()]).exec(db).await?;
    Entity::update(product.clone()).filter(Column::Stock.gt(0)).exec(db).await?;
    Entity::update_many().col_expr(Column::Stock, Expr::value(0)).filter(Column::Stock.lt(0)).exec(db).await?;
    Entity::update_by_id(7).col_expr(Column::Stock, Expr::value(0)).exec(db).await?;
    Entity::update_by_id(7).col_expr(Column::Stock, Expr::value(0)).exec_without_returning(db).await?;
    Entity::upsert(product.clone()).exec(db).await?;
    Entity::delete(product).filter(Column::Stock.eq(0)).exec(db).await?;
    Ok(())
}

async fn unchecked_builders_on_connection(product: product::ActiveModel, db: &DatabaseConnection) -> Result<(), optlock::Error> {
    Entity::insert_unchecked(product.clone()).exec(db).await?;
    Entity::insert_many_unchecked([product.clone()]).exec(db).await?;
    Entity::update_unchecked(product.clone()).exec(db).await?;
    Entity::update_many_unchecked().col_expr(Column::Stock, Expr::value(0)).exec(db).await?;
    Entity::delete_unchecked(product).exec(db).await?;
    Ok(())
}

async fn methods_on_connection_with_db_err(product: product::ActiveModel, db: &DatabaseConnection) -> Result<(), DbErr> {
    let product = product.insert(db).await?;
    let product = product.into_active_model().update(db).await?;
    product.clone().into_active_model().update_without_returning(db).await?;
    let product: product::ActiveModel = product.into_active_model().save(db).await?;
    let product: product::Model = product.touch(db).await?;
    let product = product.touch(db).await?;
    product.clone().into_active_model().delete(db).await?;
    product.delete(db).await?;
    Ok(())
}

async fn unchecked_methods_on_connection_with_db_err(product: product::ActiveModel, db: &DatabaseConnection) -> Result<(), DbErr> {
    let product = product.insert_unchecked(db).await?;
    let product = product.into_active_model().update_unchecked(db).await?;
    product.clone().into_active_model().update_without_returning_unchecked(db).await?;
    let product = product.into_active_model().save_unchecked(db).await?;
    let product = product.update_unchecked(db).await?;
    product.clone().into_active_model().delete_unchecked(db).await?;
    product.delete_unchecked(db).await?;
    Ok(())
}

async fn builders_on_connection_with_db_err(product: product::ActiveModel, db: &DatabaseConnection) -> Result<(), DbErr> {
    Entity::insert(product.clone()).exec_with_returning(db).await?;
    Entity::insert(product.clone()).on_conflict_do_nothing().exec(db).await?;
    Entity::insert_many([product.clone()]).exec(db).await?;
    Entity::update(product.clone()).filter(Column::Stock.gt(0)).exec(db).await?;
    Entity::update_many().col_expr(Column::Stock, Expr::value(0)).filter(Column::Stock.lt(0)).exec(db).await?;
    Entity::update_by_id(7).col_expr(Column::Stock, Expr::value(0)).exec(db).await?;
    Entity::update_by_id(7).col_expr(Column::Stock, Expr::value(0)).exec_without_returning(db).await?;
    Entity::upsert(product.clone()).exec(db).await?;
    Entity::delete(product).filter(Column::Stock.eq(0)).exec(db).await?;
    Ok(())
}

async fn unchecked_builders_on_connection_with_db_err(product: product::ActiveModel, db: &DatabaseConnection) -> Result<(), DbErr> {
    Entity::insert_unchecked(product.clone()).exec(db).await?;
    Entity::insert_many_unchecked([product.clone()]).exec(db).await?;
    Entity::update_unchecked(product.clone()).exec(db).await?;
    Entity::update_many_unchecked().col_expr(Column::Stock, Expr::value(0)).exec(db).await?;
    Entity::delete_unchecked(product).exec(db).await?;
    Ok(())
}

fn main() {
    let _ = (methods_on_connection, methods_on_connection_with_db_err);
    let _ = (unchecked_methods_on_connection, unchecked_methods_on_connection_with_db_err);
    let _ = (builders_on_connection, builders_on_connection_with_db_err);
    let _ = (unchecked_builders_on_connection, unchecked_builders_on_connection_with_db_err);
}
