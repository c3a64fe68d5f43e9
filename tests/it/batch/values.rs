//! What a batch stores is exactly what an update of one row stores, for columns of every type.

use optlock::prelude::*;
use sea_orm::{IntoActiveValue, Iterable, QuerySelect};

use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::values::{self, Level, Model, Shade};

cases![
    all_columns_at_once_are_stored_as_by_an_update_of_one_row,
    each_column_alone_is_stored_as_by_an_update_of_one_row,
    a_value_of_megabytes_is_stored_in_a_statement_of_its_own;
    MARIADB: text_is_exact_whatever_the_character_set_of_the_database;
];

const TEXTS: [&str; 8] = [
    "",
    "'; DROP TABLE value; --",
    "a\"b\\c\\u0041\\\\\"",
    "tab\tnewline\ncarriage\rbell\u{7}del\u{7f}",
    "é ß 漢字 😀 \u{2028} \u{feff}",
    "  spaces at both ends  ",
    "$1 ? ?? {} NULL null",
    "[1,2,{\"a\":null}]",
];

fn row(id: i64) -> Model {
    let at = usize::try_from(id).unwrap_or_default();
    let text = TEXTS[at % TEXTS.len()].to_owned();
    let extreme = id % 2 == 0;
    let bytes: Vec<u8> = if id % 3 == 0 {
        (0..=120).chain(200..=255).take(200).collect()
    } else {
        text.clone().into_bytes()
    };
    let day = Date::from_ymd_opt(if extreme { 9999 } else { 1970 }, 12, 31).unwrap();
    let time = Time::from_hms_opt(23, 59, 59).unwrap();
    let document = serde_json_value(&text, id);
    let some = id % 3 != 1;
    Model {
        id,
        flag: extreme,
        small: if extreme { i16::MIN } else { i16::MAX },
        number: if extreme { i32::MIN } else { i32::MAX },
        large: if extreme { i64::MIN + 1 } else { i64::MAX },
        ratio: if extreme { -1.5e-30 } else { 0.1 },
        exact: if extreme { 1.797e308 } else { 0.1 + 0.2 },
        name: text.clone(),
        text: text.repeat(10),
        bytes: bytes.clone(),
        token: Uuid::from_u128(if extreme { u128::MAX } else { 0x0102 }),
        price: Decimal::new(if extreme { -9_007_199_254_740_993 } else { 1 }, 4),
        document: document.clone(),
        day,
        at: time,
        shade: if extreme { Shade::Light } else { Shade::Dark },
        level: if extreme { Level::Low } else { Level::High },
        maybe_flag: some.then_some(!extreme),
        maybe_number: some.then_some(i32::MAX),
        maybe_large: some.then_some(9_007_199_254_740_993),
        maybe_exact: some.then_some(-0.25),
        maybe_text: some.then_some(text),
        maybe_bytes: some.then_some(bytes),
        maybe_token: some.then_some(Uuid::from_u128(7)),
        maybe_price: some.then_some(Decimal::new(12_345, 2)),
        maybe_document: some.then_some(document),
        maybe_moment: some.then_some(day.and_time(time)),
        maybe_day: some.then_some(day),
        maybe_shade: some.then_some(Shade::Dark),
        version: 1,
    }
}

fn serde_json_value(text: &str, id: i64) -> Json {
    Json::Array(vec![Json::String(text.to_owned()), id.into(), Json::Null, true.into()])
}

/// Rows of the ids in two ranges: one half is for a batch, and the other for updates of one row.
const HALF: i64 = 100;
const ROWS: i64 = 24;

async fn create(context: &Context) -> Outcome {
    if context.backend == Backend::Postgres {
        context.sql("CREATE TYPE shade AS ENUM ('light', 'dark')").await?;
    }
    context.create(values::Entity).await?;
    for id in 1..=ROWS {
        for id in [id, HALF + id] {
            let mut model = row(1).into_active_model().reset_all();
            model.id = Set(id);
            model.insert(&context.db).await?;
        }
    }
    Ok(())
}

/// The row as it is, with these columns to be changed to what the row of another id has.
fn change(stored: &Model, like: i64, columns: &[values::Column]) -> values::ActiveModel {
    use sea_orm::{ActiveModelTrait, ModelTrait};

    let mut model = stored.clone().into_active_model();
    let like = row(like);
    for column in columns {
        model.set(*column, like.get(*column));
    }
    model
}

async fn check(context: &Context, columns: &[values::Column]) -> Outcome {
    let before = values::Entity::find().order_by_id_asc().all(&context.db).await?;
    let (batch, alone) = before.split_at(before.len() / 2);
    let changes: Vec<_> = batch.iter().map(|row| change(row, row.id, columns)).collect();
    let updated = values::Entity::update_batch(changes).exec(&context.db).await?;
    for row in alone {
        change(row, row.id - HALF, columns).update(&context.db).await?;
    }
    let after = values::Entity::find().order_by_id_asc().all(&context.db).await?;
    let (batch, alone) = after.split_at(after.len() / 2);
    assert_eq!(updated, batch, "what was returned is what is stored: {columns:?}");
    for (batch, alone) in batch.iter().zip(alone) {
        let alone = Model {
            id: batch.id,
            ..alone.clone()
        };
        assert_eq!(*batch, alone, "{columns:?}");
    }
    Ok(())
}

fn data_columns() -> Vec<values::Column> {
    values::Column::iter()
        .filter(|column| !matches!(column, values::Column::Id | values::Column::Version))
        .collect()
}

async fn all_columns_at_once_are_stored_as_by_an_update_of_one_row(context: Context) -> Outcome {
    create(&context).await?;
    check(&context, &data_columns()).await?;
    let stored = values::Entity::find_by_id(6).one(&context.db).await?.ok_or("gone")?;
    let expected = row(6);
    assert_eq!(
        (stored.name, stored.text, stored.bytes, stored.large),
        (expected.name, expected.text, expected.bytes, expected.large)
    );
    Ok(())
}

async fn each_column_alone_is_stored_as_by_an_update_of_one_row(context: Context) -> Outcome {
    create(&context).await?;
    for column in data_columns() {
        check(&context, &[column]).await?;
    }
    Ok(())
}

async fn a_value_of_megabytes_is_stored_in_a_statement_of_its_own(context: Context) -> Outcome {
    create(&context).await?;
    context
        .sql(context.backend.pick(
            "SELECT 1",
            "SELECT 1",
            "ALTER TABLE value MODIFY text LONGTEXT NOT NULL",
        ))
        .await?;
    let rows = values::Entity::find()
        .order_by_id_asc()
        .limit(4)
        .all(&context.db)
        .await?;
    let change = |row: &Model| {
        let mut model = row.clone().into_active_model();
        model.text = Set("\"é".repeat(700_000));
        model
    };
    context.take_statements();
    values::Entity::update_batch(rows.iter().map(change))
        .exec(&context.db)
        .await?;
    let statements = context.take_statements();
    assert_eq!(
        super::writes(&statements).len(),
        4,
        "each is larger than what several share"
    );
    let stored = values::Entity::find_by_id(3).one(&context.db).await?.ok_or("gone")?;
    assert!(stored.text == "\"é".repeat(700_000));
    Ok(())
}

async fn text_is_exact_whatever_the_character_set_of_the_database(context: Context) -> Outcome {
    context.sql("SET NAMES utf8mb4").await?;
    context
        .sql(&format!("ALTER DATABASE {} CHARACTER SET latin1", context.name))
        .await?;
    context.sql("CREATE TABLE item (id BIGINT PRIMARY KEY, name VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, qty BIGINT NOT NULL, version BIGINT NOT NULL)").await?;
    context
        .sql("INSERT INTO item VALUES (1, 'a', 1, 1), (2, 'b', 1, 1)")
        .await?;
    let db = context.connect(1).await?;
    let rows = super::rows(&context).await?;
    let change = |row: &crate::entity::item::Model| crate::entity::item::ActiveModel {
        name: format!("漢字 é 😀 {}", row.id).into_active_value(),
        ..row.clone().into_active_model()
    };
    crate::entity::item::Entity::update_batch(rows.iter().map(change))
        .exec(&db)
        .await?;
    let names: Vec<_> = super::rows(&context).await?.into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["漢字 é 😀 1", "漢字 é 😀 2"]);
    Ok(())
}
