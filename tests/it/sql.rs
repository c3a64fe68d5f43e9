//! The SQL of each write, as text, for every backend and without a server.

use optlock::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{Condition, DbBackend};

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

// These ask no database; they run once, in the tests of the backend that is always there.
cases![
    ;
    SQLITE:
    an_update_checks_key_and_version_and_assigns_the_version_last,
    an_update_with_a_filter_has_all_three_conditions,
    a_delete_checks_key_and_version,
    an_insert_has_the_first_version,
    a_bulk_update_advances_the_version_of_each_row_and_fails_on_the_last_one,
];

const BACKENDS: [DbBackend; 3] = [DbBackend::Sqlite, DbBackend::Postgres, DbBackend::MySql];

fn row() -> item::ActiveModel {
    item::Model {
        id: 7,
        name: "tea".to_owned(),
        qty: 3,
        version: 5,
    }
    .into()
}

/// Compares what each backend is sent, parameters filled in.
fn assert_sql(build: impl Fn(DbBackend) -> Result<sea_orm::Statement, optlock::Error>, expected: [&str; 3]) -> Outcome {
    for (backend, expected) in BACKENDS.into_iter().zip(expected) {
        assert_eq!(build(backend)?.to_string(), expected);
    }
    Ok(())
}

async fn an_update_checks_key_and_version_and_assigns_the_version_last(_: Context) -> Outcome {
    let change = item::ActiveModel {
        name: Set("mate".to_owned()),
        qty: Set(4),
        ..row()
    };
    assert_sql(
        |backend| item::Entity::update(change.clone()).build(backend),
        [
            r#"UPDATE "item" SET "name" = 'mate', "qty" = 4, "version" = 6 WHERE "item"."id" = 7 AND "item"."version" = 5"#,
            r#"UPDATE "item" SET "name" = 'mate', "qty" = 4, "version" = 6 WHERE "item"."id" = 7 AND "item"."version" = 5"#,
            "UPDATE `item` SET `name` = 'mate', `qty` = 4, `version` = 6 WHERE `item`.`id` = 7 AND `item`.`version` = 5",
        ],
    )
}

async fn an_update_with_a_filter_has_all_three_conditions(_: Context) -> Outcome {
    let change = item::ActiveModel { qty: Set(4), ..row() };
    let either = Condition::any()
        .add(item::Column::Qty.gte(2))
        .add(item::Column::Name.eq("tea"));
    assert_sql(
        |backend| {
            item::Entity::update(change.clone())
                .filter(either.clone())
                .build(backend)
        },
        [
            r#"UPDATE "item" SET "qty" = 4, "version" = 6 WHERE "item"."id" = 7 AND "item"."version" = 5 AND ("item"."qty" >= 2 OR "item"."name" = 'tea')"#,
            r#"UPDATE "item" SET "qty" = 4, "version" = 6 WHERE "item"."id" = 7 AND "item"."version" = 5 AND ("item"."qty" >= 2 OR "item"."name" = 'tea')"#,
            "UPDATE `item` SET `qty` = 4, `version` = 6 WHERE `item`.`id` = 7 AND `item`.`version` = 5 AND (`item`.`qty` >= 2 OR `item`.`name` = 'tea')",
        ],
    )
}

async fn a_delete_checks_key_and_version(_: Context) -> Outcome {
    assert_sql(
        |backend| item::Entity::delete(row()).build(backend),
        [
            r#"DELETE FROM "item" WHERE "item"."id" = 7 AND "item"."version" = 5"#,
            r#"DELETE FROM "item" WHERE "item"."id" = 7 AND "item"."version" = 5"#,
            "DELETE FROM `item` WHERE `item`.`id` = 7 AND `item`.`version` = 5",
        ],
    )
}

async fn an_insert_has_the_first_version(_: Context) -> Outcome {
    let new = item::ActiveModel {
        name: Set("tea".to_owned()),
        qty: Set(3),
        ..Default::default()
    };
    assert_sql(
        |backend| item::Entity::insert(new.clone()).build(backend),
        [
            r#"INSERT INTO "item" ("name", "qty", "version") VALUES ('tea', 3, 1)"#,
            r#"INSERT INTO "item" ("name", "qty", "version") VALUES ('tea', 3, 1)"#,
            "INSERT INTO `item` (`name`, `qty`, `version`) VALUES ('tea', 3, 1)",
        ],
    )
}

async fn a_bulk_update_advances_the_version_of_each_row_and_fails_on_the_last_one(_: Context) -> Outcome {
    assert_sql(
        |backend| {
            item::Entity::update_many()
                .col_expr(item::Column::Qty, Expr::col(item::Column::Qty).add(1))
                .filter(item::Column::Qty.lt(9))
                .build(backend)
        },
        [
            r#"UPDATE "item" SET "qty" = "qty" + 1, "version" = (CASE WHEN ("version" < 9223372036854775807) THEN "version" + 1 ELSE ABS("version" - "version" - 9223372036854775807 - 1) END) WHERE "item"."qty" < 9"#,
            r#"UPDATE "item" SET "qty" = "qty" + 1, "version" = (CASE WHEN ("version" < 9223372036854775807) THEN "version" + 1 ELSE "version" + 9223372036854775807 END) WHERE "item"."qty" < 9"#,
            "UPDATE `item` SET `qty` = `qty` + 1, `version` = (CASE WHEN (`version` < 9223372036854775807) THEN `version` + 1 ELSE `version` + 18446744073709551615 END) WHERE `item`.`qty` < 9",
        ],
    )
}
