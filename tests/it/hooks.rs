//! SeaORM's hooks around checked writes: the same ones, in the same order, as around plain ones.

use optlock::Error;
use optlock::prelude::*;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::hooked::{self, checked, plain, stamped, take_calls};

cases![
    hooks_run_as_seaorm_runs_them,
    builders_run_no_hooks,
    a_hook_may_change_what_is_written,
    a_hook_that_changes_a_column_makes_an_unchanged_model_a_changed_one,
    a_hook_that_fails_stops_the_write,
    a_conflict_keeps_the_later_hook_from_running,
    a_refusal_comes_after_the_first_hook,
];

/// One of everything, through the methods of the active model and the model.
macro_rules! every_method {
    ($context:expr, $module:ident) => {{
        use $module::{ActiveModel, Entity};

        let context: &Context = $context;
        let new = |name: &str| ActiveModel {
            id: NotSet,
            name: Set(name.to_owned()),
            qty: Set(1),
            version: Set(1),
        };
        let inserted = new("insert").insert(&context.db).await?;
        let mut change = inserted.into_active_model();
        change.name = Set("update".to_owned());
        let updated = change.update(&context.db).await?;
        let unchanged = updated.into_active_model().update(&context.db).await?;
        let mut change = unchanged.into_active_model();
        change.qty = Set(2);
        let mut change = change.save(&context.db).await?;
        change.name = Set("without returning".to_owned());
        change.update_without_returning(&context.db).await?;
        let unchanged = Entity::find()
            .one(&context.db)
            .await?
            .ok_or("gone")?
            .into_active_model();
        unchanged.update_without_returning(&context.db).await?;
        let saved = new("save").save(&context.db).await?;
        saved.delete(&context.db).await?;
        let row = Entity::find().one(&context.db).await?.ok_or("gone")?;
        row.delete(&context.db).await?;
        take_calls(context).await?
    }};
}

async fn hooks_run_as_seaorm_runs_them(context: Context) -> Outcome {
    hooked::create(&context).await?;
    let checked = every_method!(&context, checked);
    let plain = every_method!(&context, plain);
    assert_eq!(checked, plain);
    assert_eq!(
        checked,
        [
            "before_save of an insert: insert",
            "after_save of an insert: insert",
            "before_save of an update: update",
            "after_save of an update: update",
            "before_save of an update: update",
            "after_save of an update: update",
            "before_save of an update: update",
            "after_save of an update: update",
            "before_save of an update: without returning",
            "before_save of an update: without returning",
            "before_save of an insert: save",
            "after_save of an insert: save",
            "before_delete: save",
            "after_delete: save",
            "before_delete: without returning",
            "after_delete: without returning",
        ]
    );
    Ok(())
}

async fn builders_run_no_hooks(context: Context) -> Outcome {
    hooked::create(&context).await?;
    let new = checked::ActiveModel {
        id: Set(1),
        name: Set("a".to_owned()),
        qty: Set(1),
        version: NotSet,
    };
    let inserted = checked::Entity::insert(new.clone())
        .exec_with_returning(&context.db)
        .await?;
    let more = [2, 3].map(|id| checked::ActiveModel {
        id: Set(id),
        ..new.clone()
    });
    checked::Entity::insert_many(more).exec(&context.db).await?;
    let mut change = inserted.into_active_model();
    change.qty = Set(2);
    let updated = checked::Entity::update(change).exec(&context.db).await?;
    checked::Entity::update_many()
        .col_expr(checked::Column::Qty, Expr::value(3))
        .filter(checked::Column::Id.eq(2))
        .exec(&context.db)
        .await?;
    checked::Entity::delete(updated.into_active_model())
        .exec(&context.db)
        .await?;
    assert_eq!(take_calls(&context).await?, [""; 0]);
    assert_eq!(context.number("SELECT COUNT(*) FROM hooked").await?, 2);
    Ok(())
}

async fn a_hook_may_change_what_is_written(context: Context) -> Outcome {
    context.create(stamped::Entity).await?;
    let new = stamped::ActiveModel {
        id: Set(1),
        qty: Set(10),
        saved: NotSet,
        version: NotSet,
    };
    let inserted = new.insert(&context.db).await?;
    assert_eq!((inserted.qty, inserted.saved, inserted.version), (1_010, 1, 1));
    let mut change = inserted.into_active_model();
    change.qty = Set(11);
    let updated = change.update(&context.db).await?;
    assert_eq!((updated.qty, updated.saved, updated.version), (1_011, 2, 2));
    let stored = "SELECT COUNT(*) FROM stamped WHERE qty = 11 AND saved = 2 AND version = 2";
    assert_eq!(context.number(stored).await?, 1);
    Ok(())
}

async fn a_hook_that_changes_a_column_makes_an_unchanged_model_a_changed_one(context: Context) -> Outcome {
    context.create(stamped::Entity).await?;
    context.sql("INSERT INTO stamped VALUES (1, 10, 1, 1)").await?;
    let row = stamped::Entity::find_by_id(1)
        .one(&context.db)
        .await?
        .ok_or("gone")?
        .into_active_model();
    let updated = row.clone().update(&context.db).await?;
    assert_eq!((updated.saved, updated.version), (2, 2));
    let err = row.update_without_returning(&context.db).await.map(drop).unwrap_err();
    assert!(err.is_conflict());
    let stored = "SELECT COUNT(*) FROM stamped WHERE saved = 2 AND version = 2";
    assert_eq!(context.number(stored).await?, 1);
    Ok(())
}

async fn a_hook_that_fails_stops_the_write(context: Context) -> Outcome {
    hooked::create(&context).await?;
    context
        .sql("INSERT INTO hooked (id, name, qty, version) VALUES (1, 'refused', 10, 1)")
        .await?;
    let row = checked::Entity::find_by_id(1).one(&context.db).await?.ok_or("gone")?;
    let mut change = row.clone().into_active_model();
    change.qty = Set(11);
    let mut new = change.clone().reset_all();
    new.id = NotSet;
    for err in [
        change.clone().update(&context.db).await.map(drop).unwrap_err(),
        change.clone().save(&context.db).await.map(drop).unwrap_err(),
        change
            .clone()
            .update_without_returning(&context.db)
            .await
            .map(drop)
            .unwrap_err(),
        row.clone().touch(&context.db).await.map(drop).unwrap_err(),
        row.delete(&context.db).await.map(drop).unwrap_err(),
        new.insert(&context.db).await.map(drop).unwrap_err(),
    ] {
        let Error::Database(database) = &err else {
            return Err(format!("not the hook's error: {err:?}").into());
        };
        assert!(matches!(database.as_db_err(), DbErr::Custom(text) if text == "refused by a hook"));
        // SeaORM's own error again, for code that returns it.
        assert!(matches!(DbErr::from(err), DbErr::Custom(_)));
    }
    let calls = take_calls(&context).await?;
    assert!(calls.iter().all(|call| call.starts_with("before_")), "{calls:?}");
    assert_eq!(calls.len(), 6);
    let stored = "SELECT COUNT(*) FROM hooked WHERE qty = 10 AND version = 1";
    assert_eq!(context.number(stored).await?, 1);
    assert_eq!(context.number("SELECT COUNT(*) FROM hooked").await?, 1);
    Ok(())
}

async fn a_conflict_keeps_the_later_hook_from_running(context: Context) -> Outcome {
    hooked::create(&context).await?;
    context
        .sql("INSERT INTO hooked (id, name, qty, version) VALUES (1, 'a', 10, 2)")
        .await?;
    let stale = checked::Model {
        id: 1,
        name: "a".to_owned(),
        qty: 10,
        version: 1,
    };
    let mut change = stale.clone().into_active_model();
    change.qty = Set(11);
    assert!(change.clone().update(&context.db).await.unwrap_err().is_conflict());
    assert!(stale.clone().touch(&context.db).await.unwrap_err().is_conflict());
    let unchanged = stale.clone().into_active_model();
    assert!(unchanged.update(&context.db).await.unwrap_err().is_conflict());
    assert!(stale.delete(&context.db).await.unwrap_err().is_conflict());
    assert_eq!(
        take_calls(&context).await?,
        [
            "before_save of an update: a",
            "before_save of an update: a",
            "before_save of an update: a",
            "before_delete: a",
        ]
    );
    Ok(())
}

/// A hook may set what is missing, so it runs before anything is refused.
async fn a_refusal_comes_after_the_first_hook(context: Context) -> Outcome {
    hooked::create(&context).await?;
    let without_version = checked::ActiveModel {
        id: Set(1),
        name: Set("a".to_owned()),
        ..Default::default()
    };
    let err = without_version.clone().update(&context.db).await.unwrap_err();
    assert!(matches!(err, Error::NotSet(_)), "{err:?}");
    let err = without_version.delete(&context.db).await.map(drop).unwrap_err();
    assert!(matches!(err, Error::NotSet(_)), "{err:?}");
    assert_eq!(
        take_calls(&context).await?,
        ["before_save of an update: a", "before_delete: a"]
    );
    Ok(())
}
