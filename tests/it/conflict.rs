//! The error itself: what it shows, and how it travels.

use optlock::prelude::*;
use optlock::{Error, Found};
use sea_orm::{TransactionError, TransactionTrait};

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, load};

cases![
    a_message_shows_no_column_but_key_and_version,
    a_conflict_crosses_a_function_that_returns_db_err,
    a_conflict_crosses_a_transaction_closure,
    a_conflict_is_found_through_an_error_of_the_application,
];

async fn conflict(context: &Context) -> Result<Error, Box<dyn std::error::Error + Send + Sync>> {
    item::create(context).await?;
    context
        .sql("UPDATE item SET name = 'their secret' WHERE id = 1")
        .await?;
    let mut model = load(context, 1).await?.into_active_model();
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    model.name = Set("our secret".to_owned());
    Ok(model.update(&context.db).await.unwrap_err())
}

async fn a_message_shows_no_column_but_key_and_version(context: Context) -> Outcome {
    let err = conflict(&context).await?;
    for text in [
        err.to_string(),
        format!("{err:?}"),
        DbErr::from(err.clone()).to_string(),
    ] {
        assert!(!text.contains("secret"), "{text}");
        assert!(text.contains("item"), "{text}");
    }
    Ok(())
}

async fn a_conflict_crosses_a_function_that_returns_db_err(context: Context) -> Outcome {
    async fn repository(db: &DatabaseConnection, model: item::ActiveModel) -> Result<item::Model, DbErr> {
        Ok(model.update(db).await?)
    }
    item::create(&context).await?;
    let mut model = load(&context, 1).await?.into_active_model();
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    model.qty = Set(11);
    let Error::Conflict(conflict) = Error::from(repository(&context.db, model).await.unwrap_err()) else {
        panic!()
    };
    assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
    assert!(conflict.current::<item::Model>().is_some());
    Ok(())
}

async fn a_conflict_crosses_a_transaction_closure(context: Context) -> Outcome {
    item::create(&context).await?;
    let mut model = load(&context, 1).await?.into_active_model();
    context.sql("UPDATE item SET version = 2 WHERE id = 1").await?;
    model.qty = Set(11);
    let result = context
        .db
        .transaction::<_, item::Model, Error>(|txn| Box::pin(async move { model.update(txn).await }))
        .await;
    assert!(
        matches!(result, Err(TransactionError::Transaction(Error::Conflict(_)))),
        "{result:?}"
    );
    Ok(())
}

async fn a_conflict_is_found_through_an_error_of_the_application(context: Context) -> Outcome {
    #[derive(Debug, thiserror::Error)]
    #[error("checkout failed")]
    struct Checkout(#[source] Box<dyn std::error::Error + Send + Sync>);

    let ours = conflict(&context).await?;
    let direct = Checkout(Box::new(ours.clone()));
    let through_db_err = Checkout(Box::new(DbErr::from(ours.clone())));
    let through_transaction = Checkout(Box::new(TransactionError::Transaction(DbErr::from(ours))));
    for err in [direct, through_db_err, through_transaction] {
        assert!(Error::find(&err).is_some_and(Error::is_conflict), "{err:?}");
    }
    assert!(Error::find(&DbErr::RecordNotInserted).is_none());
    Ok(())
}
