//! SQLite with a rollback journal and a reader who holds the file: a commit then fails, and must be heard of.

use optlock::prelude::*;
use optlock::{Error, Fault};
use sea_orm::sea_query::Expr;
use sea_orm::{ConnectOptions, Database, DatabaseTransaction, DbBackend, Schema, TransactionTrait};
use tempfile::TempDir;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    ;
    SQLITE:
    no_write_reports_success_and_is_not_stored,
    seaorms_own_update_reports_a_success_that_is_not_stored;
];

/// A database in which nobody can commit, and the reader who sees to it.
struct Held {
    /// The connection that tries to write.
    db: DatabaseConnection,
    /// A connection that looks at what is stored.
    look: DatabaseConnection,
    reader: DatabaseTransaction,
    _directory: TempDir,
}

impl Held {
    async fn open() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let directory = tempfile::tempdir()?;
        let mut options = ConnectOptions::new(format!(
            "sqlite:{}?mode=rwc",
            directory.path().join("held.db").display()
        ));
        options.max_connections(1).sqlx_logging(false);
        let [db, look, reader] = [
            Database::connect(options.clone()).await?,
            Database::connect(options.clone()).await?,
            Database::connect(options).await?,
        ];
        db.execute(&Schema::new(DbBackend::Sqlite).create_table_from_entity(item::Entity))
            .await?;
        db.execute_unprepared("INSERT INTO item (id, name, qty, version) VALUES (1, 'a', 10, 1), (2, 'b', 20, 1)")
            .await?;
        db.execute_unprepared("PRAGMA busy_timeout = 20").await?;
        let reader = reader.begin().await?;
        item::Entity::find().all(&reader).await?;
        Ok(Self {
            db,
            look,
            reader,
            _directory: directory,
        })
    }

    async fn row(&self) -> Result<item::Model, Box<dyn std::error::Error + Send + Sync>> {
        Ok(item::Entity::find_by_id(1).one(&self.look).await?.ok_or("no row")?)
    }
}

async fn no_write_reports_success_and_is_not_stored(_: Context) -> Outcome {
    let held = Held::open().await?;
    let db = held.db.clone();
    let row = held.row().await?;
    let changed = || {
        let mut model = row.clone().into_active_model();
        model.qty = Set(11);
        model
    };
    // One that makes the update read its row back with RETURNING.
    let partial = || item::ActiveModel {
        id: Set(1),
        qty: Set(11),
        version: Set(1),
        name: NotSet,
    };
    let new = || item::ActiveModel {
        id: Set(9),
        name: Set("z".to_owned()),
        qty: Set(1),
        version: NotSet,
    };
    let bulk = || item::Entity::update_many().col_expr(item::Column::Qty, Expr::val(11));

    let writes: Vec<(&str, Result<(), Error>)> = vec![
        ("insert", new().insert(&db).await.map(drop)),
        (
            "save of a new row",
            item::ActiveModel { id: NotSet, ..new() }.save(&db).await.map(drop),
        ),
        ("Entity::insert", item::Entity::insert(new()).exec(&db).await.map(drop)),
        (
            "Entity::insert returning",
            item::Entity::insert(new()).exec_with_returning(&db).await.map(drop),
        ),
        (
            "Entity::insert_many",
            item::Entity::insert_many([new()]).exec(&db).await.map(drop),
        ),
        (
            "Entity::insert_many returning",
            item::Entity::insert_many([new()])
                .exec_with_returning(&db)
                .await
                .map(drop),
        ),
        (
            "insert or nothing",
            item::Entity::insert(new())
                .on_conflict_do_nothing()
                .exec(&db)
                .await
                .map(drop),
        ),
        (
            "insert or nothing returning",
            item::Entity::insert(new())
                .on_conflict_do_nothing()
                .exec_with_returning(&db)
                .await
                .map(drop),
        ),
        ("update", changed().update(&db).await.map(drop)),
        ("update of a partial model", partial().update(&db).await.map(drop)),
        (
            "update_without_returning",
            changed().update_without_returning(&db).await.map(drop),
        ),
        ("save", changed().save(&db).await.map(drop)),
        (
            "Entity::update",
            item::Entity::update(partial()).exec(&db).await.map(drop),
        ),
        ("touch", row.clone().touch(&db).await.map(drop)),
        ("update_many", bulk().exec(&db).await.map(drop)),
        ("update_many returning", bulk().exec_with_returning(&db).await.map(drop)),
        ("delete", row.clone().delete(&db).await.map(drop)),
        (
            "Entity::delete",
            item::Entity::delete(changed()).exec(&db).await.map(drop),
        ),
        (
            "Entity::delete returning",
            item::Entity::delete(changed()).exec_with_returning(&db).await.map(drop),
        ),
    ];
    for (write, result) in writes {
        let err = result.expect_err(write);
        assert_eq!(err.fault(), Some(Fault::Busy), "{write}: {err:?}");
    }
    assert_eq!(held.row().await?, row);
    assert_eq!(item::Entity::find().count(&held.look).await?, 2);

    // The reader goes, and the same connection writes.
    held.reader.rollback().await?;
    assert_eq!(changed().update(&db).await?.version, 2);
    Ok(())
}

/// What the case above guards against. Should SeaORM mend it, this fails, and `returning.rs` can be simplified.
async fn seaorms_own_update_reports_a_success_that_is_not_stored(_: Context) -> Outcome {
    let held = Held::open().await?;
    let row = held.row().await?;
    let mut model = row.clone().into_active_model();
    model.qty = Set(11);
    assert_eq!(model.update_unchecked(&held.db).await?.qty, 11);
    assert_eq!(held.row().await?, row);
    Ok(())
}
