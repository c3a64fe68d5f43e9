//! SeaORM's hooks, in every round that writes.

use optlock::Report;
use optlock::prelude::*;

use super::{QUICK, meanwhile};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::hooked::{self, checked, stamped, take_calls};
use crate::entity::item;

cases![
    hooks_run_once_in_every_round,
    hooks_run_under_the_lock_and_for_many,
    hooks_run_around_an_insert,
    a_hook_that_refuses_is_not_tried_again,
    a_hook_may_change_what_is_written,
    a_conflict_of_a_hook_with_another_row_does_not_change_that_one,
    a_conflict_of_a_hook_after_the_write_does_not_repeat_the_write;
];

async fn create(context: &Context) -> Outcome {
    hooked::create(context).await?;
    context
        .sql("INSERT INTO hooked (id, name, qty, version) VALUES (1, 'a', 10, 1), (2, 'b', 20, 1)")
        .await
}

async fn hooks_run_once_in_every_round(context: Context) -> Outcome {
    create(&context).await?;
    checked::Entity::modify(&context.db, 1, |row| row.qty += 1).await?;
    let round = ["before_save of an update: a", "after_save of an update: a"];
    assert_eq!(take_calls(&context).await?, round);

    let mut calls = 0;
    let row = QUICK
        .modify(checked::Entity, &context.db, 1, |row| {
            calls += 1;
            if calls == 1 {
                meanwhile(&context, "UPDATE hooked SET name = 'theirs', version = 3 WHERE id = 1");
            }
            row.qty += 1;
        })
        .await?;
    assert_eq!((row.name.as_str(), row.version), ("theirs", 4));
    let rounds = [
        "before_save of an update: a",
        "before_save of an update: theirs",
        "after_save of an update: theirs",
    ];
    assert_eq!(take_calls(&context).await?, rounds);

    // Where nothing is written, nothing is saved.
    checked::Entity::modify(&context.db, 1, |_| ()).await?;
    assert_eq!(take_calls(&context).await?, [""; 0]);
    Ok(())
}

async fn hooks_run_under_the_lock_and_for_many(context: Context) -> Outcome {
    create(&context).await?;
    let policy = QUICK.lock_after(0);
    policy
        .modify(checked::Entity, &context.db, 2, |row| row.qty += 1)
        .await?;
    let round = ["before_save of an update: b", "after_save of an update: b"];
    assert_eq!(take_calls(&context).await?, round);
    checked::Entity::try_modify_all(&context.db, [2, 1], |row| {
        row.qty += 1;
        Ok::<_, optlock::Error>(())
    })
    .await?;
    let rounds = [
        "before_save of an update: b",
        "before_save of an update: a",
        "after_save of an update: b",
        "after_save of an update: a",
    ];
    assert_eq!(take_calls(&context).await?, rounds);
    Ok(())
}

async fn hooks_run_around_an_insert(context: Context) -> Outcome {
    create(&context).await?;
    let new = || checked::ActiveModel {
        name: Set("new".to_owned()),
        qty: Set(1),
        ..Default::default()
    };
    checked::Entity::modify_or_insert(&context.db, 8, new, |_| ()).await?;
    let round = ["before_save of an insert: new", "after_save of an insert: new"];
    assert_eq!(take_calls(&context).await?, round);
    Ok(())
}

async fn a_hook_that_refuses_is_not_tried_again(context: Context) -> Outcome {
    create(&context).await?;
    let mut calls = 0;
    let err = checked::Entity::modify(&context.db, 1, |row| {
        calls += 1;
        "refused".clone_into(&mut row.name);
    })
    .await
    .unwrap_err();
    assert!(matches!(DbErr::from(err), DbErr::Custom(text) if text == "refused by a hook"));
    assert_eq!(calls, 1);
    assert_eq!(take_calls(&context).await?, ["before_save of an update: refused"]);
    Ok(())
}

async fn a_hook_may_change_what_is_written(context: Context) -> Outcome {
    context.create(stamped::Entity).await?;
    context.sql("INSERT INTO stamped VALUES (1, 10, 1, 1)").await?;
    let mut calls = 0;
    let row = QUICK
        .modify(stamped::Entity, &context.db, 1, |row| {
            calls += 1;
            if calls == 1 {
                meanwhile(&context, "UPDATE stamped SET saved = 5, version = 2 WHERE id = 1");
            }
            row.qty += 1;
        })
        .await?;
    // What the lost round has stamped is not in the next one; `after_save` shows the caller another quantity.
    assert_eq!((row.qty, row.saved, row.version), (1_011, 6, 3));
    let stored = "SELECT COUNT(*) FROM stamped WHERE qty = 11 AND saved = 6 AND version = 3";
    assert_eq!(context.number(stored).await?, 1);
    Ok(())
}

/// Rows whose hook writes to another row of the same table, ahead of its own write.
mod parent {
    use optlock::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "parent")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i64,
        pub(super) qty: i64,
        #[version]
        pub(super) version: i64,
    }

    #[async_trait::async_trait]
    impl ActiveModelBehavior for ActiveModel {
        async fn before_save<C>(self, db: &C, _: bool) -> Result<Self, DbErr>
        where
            C: ConnectionTrait,
        {
            if self.id.as_ref() == &1 {
                let parent = Entity::find_by_id(2).one(db).await?;
                let parent = parent.ok_or_else(|| DbErr::RecordNotFound("2".to_owned()))?;
                if parent.version == 1 {
                    // Somebody else is faster, the first time.
                    db.execute_unprepared("UPDATE parent SET version = 2 WHERE id = 2")
                        .await?;
                }
                parent.touch(db).await?;
            }
            Ok(self)
        }
    }
}

async fn a_conflict_of_a_hook_with_another_row_does_not_change_that_one(context: Context) -> Outcome {
    context.create(parent::Entity).await?;
    context.sql("INSERT INTO parent VALUES (1, 10, 1), (2, 20, 1)").await?;
    let mut seen = Vec::new();
    let row = QUICK
        .modify(parent::Entity, &context.db, 1, |row| {
            seen.push(row.id);
            row.qty += 1;
        })
        .await;
    assert!(seen.iter().all(|id| *id == 1), "the closure was given rows {seen:?}");
    if let Ok(row) = row {
        assert_eq!((row.id, row.qty), (1, 11));
    }
    assert_eq!(context.number("SELECT qty FROM parent WHERE id = 2").await?, 20);
    Ok(())
}

/// Rows whose hook writes to a row of another table, after its own write.
mod counted {
    use optlock::prelude::*;

    use crate::entity::item;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
    #[sea_orm(table_name = "counted")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i64,
        pub(super) qty: i64,
        #[version]
        pub(super) version: i64,
    }

    #[async_trait::async_trait]
    impl ActiveModelBehavior for ActiveModel {
        async fn after_save<C>(model: Model, db: &C, _: bool) -> Result<Model, DbErr>
        where
            C: ConnectionTrait,
        {
            let count = item::Entity::find_by_id(1).one(db).await?;
            let count = count.ok_or_else(|| DbErr::RecordNotFound("1".to_owned()))?;
            if count.version == 1 {
                // Somebody else is faster, the first time.
                db.execute_unprepared("UPDATE item SET version = 2 WHERE id = 1")
                    .await?;
            }
            count.touch(db).await?;
            Ok(model)
        }
    }
}

/// On a connection the write is stored by then: to apply the change once more would apply it twice. Under the lock, it is undone, and tried again until
/// the policy stops.
async fn a_conflict_of_a_hook_after_the_write_does_not_repeat_the_write(context: Context) -> Outcome {
    item::create(&context).await?;
    context.create(counted::Entity).await?;
    context
        .sql("INSERT INTO counted VALUES (1, 10, 1), (2, 10, 1), (3, 10, 1)")
        .await?;
    // The caller may say that twice does no harm; that is about what nobody knows, and not about what is known to be stored.
    let cases = [
        (1, QUICK.lock_after(3), 1, 11),
        (2, QUICK.lock_after(3).idempotent(), 1, 11),
        (3, QUICK.lock_after(0), 10, 10),
    ];
    for (id, policy, attempts, expected) in cases {
        context.sql("UPDATE item SET version = 1 WHERE id = 1").await?;
        let report = Report::new();
        let result = policy
            .report(&report)
            .modify(counted::Entity, &context.db, id, |row| row.qty += 1)
            .await;
        let stored = format!("SELECT qty FROM counted WHERE id = {id}");
        let stored = context.number(&stored).await?;
        assert!(result.is_err_and(|err| err.is_conflict()));
        assert_eq!((report.attempts(), stored), (attempts, expected), "row {id}");
    }
    Ok(())
}
