//! Inserts.

use optlock::Error;
use optlock::prelude::*;
use sea_orm::TryInsertResult;
use sea_orm::sea_query::OnConflict;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};

cases![
    a_new_row_is_at_version_one,
    the_key_that_the_database_makes_is_returned,
    a_version_that_is_given_is_stored,
    the_default_of_the_column_does_not_matter,
    many_rows_are_all_at_version_one,
    a_duplicate_key_is_no_conflict_and_inserts_none,
    inserted_rows_are_returned_where_they_can_be,
    nothing_to_insert_is_no_sql,
    more_rows_than_a_statement_takes_are_inserted_in_parts,
    a_part_that_fails_takes_the_others_along,
    an_existing_row_is_left_alone,
    an_upsert_is_named_unchecked,
    a_zero_or_less_for_a_counted_key_is_returned_as_stored,
    a_key_that_is_sent_is_returned_where_the_table_counts_none;
    SQLITE: an_insert_that_a_trigger_swallowed_is_an_error;
    POSTGRES: an_insert_that_a_trigger_swallowed_is_an_error;
];

fn new(id: i64, name: &str) -> item::ActiveModel {
    item::ActiveModel {
        id: Set(id),
        name: Set(name.to_owned()),
        qty: Set(1),
        version: NotSet,
    }
}

async fn a_new_row_is_at_version_one(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    let inserted = new(1, "a").insert(&context.db).await?;
    assert_eq!(
        inserted,
        item::Model {
            id: 1,
            name: "a".to_owned(),
            qty: 1,
            version: 1
        }
    );
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 1, 1));
    assert_eq!(item::load(&context, 1).await?, inserted);

    let result = item::Entity::insert(new(2, "b")).exec(&context.db).await?;
    assert_eq!(result.last_insert_id, 2);
    assert_eq!(
        item::Entity::insert(new(3, "c"))
            .exec_without_returning(&context.db)
            .await?,
        1
    );
    assert_eq!(
        item::Entity::insert(new(4, "d"))
            .exec_with_returning(&context.db)
            .await?
            .version,
        1
    );
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 4);
    Ok(())
}

async fn the_key_that_the_database_makes_is_returned(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    let without_key = |name: &str| item::ActiveModel {
        id: NotSet,
        ..new(0, name)
    };
    context.take_statements();
    let first = without_key("a").insert(&context.db).await?;
    assert_eq!(context.take_statements().len(), 1, "one round trip");
    let second = without_key("b").insert(&context.db).await?;
    assert_eq!((first.id, second.id), (1, 2));
    assert_eq!(stored(&context, second.id).await?.0, "b");
    Ok(())
}

async fn a_version_that_is_given_is_stored(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    let given = item::ActiveModel {
        version: Set(42),
        ..new(1, "a")
    };
    assert_eq!(given.insert(&context.db).await?.version, 42);
    // A row that is restored keeps its version, so that nobody's older copy passes for current.
    let row = item::load(&context, 1).await?;
    row.clone().delete(&context.db).await?;
    assert_eq!(row.into_active_model().insert(&context.db).await?.version, 42);
    assert_eq!(stored(&context, 1).await?.2, 42);
    Ok(())
}

async fn the_default_of_the_column_does_not_matter(context: Context) -> Outcome {
    let key = "id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50), qty BIGINT";
    context
        .sql(&format!("CREATE TABLE item ({key}, version BIGINT NOT NULL DEFAULT 7)"))
        .await?;
    assert_eq!(new(1, "a").insert(&context.db).await?.version, 1);
    assert_eq!(stored(&context, 1).await?.2, 1);
    Ok(())
}

async fn many_rows_are_all_at_version_one(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    let result = item::Entity::insert_many([new(1, "a"), new(2, "b")])
        .exec(&context.db)
        .await?;
    assert!(result.last_insert_id.is_some());
    assert_eq!(
        item::Entity::insert_many([new(3, "c")])
            .exec_without_returning(&context.db)
            .await?,
        1
    );
    assert_eq!(context.number("SELECT COUNT(*) FROM item WHERE version = 1").await?, 3);
    Ok(())
}

async fn a_duplicate_key_is_no_conflict_and_inserts_none(context: Context) -> Outcome {
    item::create(&context).await?;
    let err = new(1, "z").insert(&context.db).await.unwrap_err();
    assert_eq!((err.is_conflict(), err.fault()), (false, Some(optlock::Fault::Unique)));
    let many = item::Entity::insert_many([new(9, "y"), new(1, "z")])
        .exec(&context.db)
        .await;
    assert_eq!(many.unwrap_err().fault(), Some(optlock::Fault::Unique));
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 3);
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    Ok(())
}

async fn inserted_rows_are_returned_where_they_can_be(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    let rows = item::Entity::insert_many([new(1, "a"), new(2, "b")])
        .exec_with_returning(&context.db)
        .await;
    let keys = item::Entity::insert_many([new(3, "c"), new(4, "d")])
        .exec_with_returning_keys(&context.db)
        .await;
    if context.backend.expected().returns_rows {
        let rows: Vec<_> = rows?.into_iter().map(|row| (row.id, row.version)).collect();
        assert_eq!(rows, [(1, 1), (2, 1)]);
        assert_eq!(keys?, [3, 4]);
    } else {
        assert!(matches!(rows, Err(Error::Unsupported(_))) && matches!(keys, Err(Error::Unsupported(_))));
        assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 0);
    }
    Ok(())
}

async fn nothing_to_insert_is_no_sql(context: Context) -> Outcome {
    let none = || item::Entity::insert_many(Vec::<item::ActiveModel>::new());
    assert_eq!(none().exec(&context.db).await?.last_insert_id, None);
    assert_eq!(none().exec_without_returning(&context.db).await?, 0);
    assert_eq!(context.take_statements(), [""; 0]);
    Ok(())
}

async fn an_existing_row_is_left_alone(context: Context) -> Outcome {
    item::create(&context).await?;
    let insert = item::Entity::insert(new(1, "z")).on_conflict_do_nothing();
    let is_left = matches!(
        insert.exec_without_returning(&context.db).await?,
        TryInsertResult::Inserted(0 | 1) | TryInsertResult::Conflicted
    );
    assert!(is_left);
    let insert = item::Entity::insert_many([new(1, "z"), new(9, "y")]).on_conflict_do_nothing();
    insert.exec_without_returning(&context.db).await?;
    assert_eq!(stored(&context, 1).await?, ("a".to_owned(), 10, 1));
    assert_eq!(stored(&context, 9).await?, ("y".to_owned(), 1, 1));
    if context.backend.expected().returns_rows {
        let insert = item::Entity::insert(new(10, "x")).on_conflict_do_nothing_on([item::Column::Name]);
        let TryInsertResult::Inserted(rows) = insert.exec_with_returning(&context.db).await? else {
            panic!()
        };
        assert_eq!((rows[0].id, rows[0].version), (10, 1));
    }
    Ok(())
}

async fn an_upsert_is_named_unchecked(context: Context) -> Outcome {
    item::create(&context).await?;
    let clause = OnConflict::column(item::Column::Id)
        .update_column(item::Column::Qty)
        .to_owned();
    item::Entity::insert(new(1, "z"))
        .on_conflict_unchecked(clause)
        .exec(&context.db)
        .await?;
    assert_eq!(
        stored(&context, 1).await?,
        ("a".to_owned(), 1, 1),
        "changed, and nobody is told: hence the name"
    );
    Ok(())
}

async fn a_zero_or_less_for_a_counted_key_is_returned_as_stored(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    let inserted = new(0, "a").insert(&context.db).await?;
    // MySQL and MariaDB take a zero for "the next one"; the others store it.
    assert_eq!(inserted.id, context.backend.pick(0, 0, 1));
    assert_eq!(stored(&context, inserted.id).await?.0, "a");
    // One below zero is stored by all of them, and nothing is counted.
    let inserted = new(-7, "b").insert(&context.db).await?;
    assert_eq!(inserted.id, -7);
    assert_eq!(stored(&context, -7).await?.0, "b");
    Ok(())
}

/// The entity may count up its keys, and the table may not.
async fn a_key_that_is_sent_is_returned_where_the_table_counts_none(context: Context) -> Outcome {
    let key = "id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50), qty BIGINT";
    context
        .sql(&format!("CREATE TABLE item ({key}, version BIGINT NOT NULL)"))
        .await?;
    for id in [7, -7] {
        let inserted = new(id, "a").insert(&context.db).await?;
        assert_eq!(inserted.id, id);
        assert_eq!(inserted.touch(&context.db).await?.version, 2);
    }
    Ok(())
}

async fn an_insert_that_a_trigger_swallowed_is_an_error(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    for statement in context.backend.pick(
        &["CREATE TRIGGER t BEFORE INSERT ON item BEGIN SELECT RAISE(IGNORE); END"][..],
        &[
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
            "CREATE TRIGGER t BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION swallow()",
        ][..],
        &[],
    ) {
        context.sql(statement).await?;
    }
    let err = DbErr::from(new(1, "a").insert(&context.db).await.unwrap_err());
    assert!(matches!(err, DbErr::RecordNotInserted), "{err:?}");
    Ok(())
}

async fn more_rows_than_a_statement_takes_are_inserted_in_parts(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    let many = || item::Entity::insert_many((1..=20_000).map(|id| new(id, &format!("n{id}"))));
    context.take_statements();
    for err in [
        many().exec(&context.db).await.map(drop).unwrap_err(),
        many().exec_without_returning(&context.db).await.map(drop).unwrap_err(),
        many().exec_with_returning(&context.db).await.map(drop).unwrap_err(),
    ] {
        assert!(matches!(err, Error::Unsupported(_)), "{err:?}");
        let most = context.backend.pick("32766", "65535", "65535");
        assert!(err.to_string().contains(most), "{err}");
    }
    assert_eq!(context.take_statements(), [""; 0]);
    assert_eq!(many().exec_in_parts(&context.db).await?, 20_000);
    assert_eq!(
        context
            .number("SELECT COUNT(*) FROM item WHERE version = 1 AND name LIKE 'n%'")
            .await?,
        20_000
    );
    let none = item::Entity::insert_many(Vec::<item::ActiveModel>::new());
    assert_eq!(none.exec_in_parts(&context.db).await?, 0);
    Ok(())
}

async fn a_part_that_fails_takes_the_others_along(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    // The last one has the key of the first.
    let twice = (1..=20_000).chain([1]).map(|id| new(id, &format!("n{id}")));
    let err = item::Entity::insert_many(twice)
        .exec_in_parts(&context.db)
        .await
        .unwrap_err();
    assert_eq!(err.fault(), Some(optlock::Fault::Unique));
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, 0);
    Ok(())
}
