//! The statements of a batch, as each backend is sent them.

use sea_orm::sea_query::{Alias, Enum, IntoIden, IntoTableRef};

use super::*;

fn column(name: &str, values: Vec<Value>) -> BatchColumn {
    BatchColumn {
        name: Alias::new(name).into_iden(),
        column: Expr::col((Alias::new("item"), Alias::new(name))),
        column_type: ColumnType::Text,
        save_as: Box::new(|value| value),
        values,
    }
}

/// Rows 1 and 2 at versions 3 and 4, with these names.
fn update(names: Vec<Value>) -> BatchUpdate {
    BatchUpdate {
        table: Alias::new("item").into_table_ref(),
        keys: vec![column("id", vec![1_i64.into(), 2_i64.into()])],
        expected: vec![column("version", vec![3_i64.into(), 4_i64.into()])],
        assigned: vec![
            column("name", names),
            column("version", vec![4_i64.into(), 5_i64.into()]),
        ],
        returning: None,
    }
}

fn named() -> BatchUpdate {
    update(vec!["a".into(), "b".into()])
}

/// One of a type of the server's own.
fn mood(value: &'static str) -> Value {
    let mood = Enum {
        type_name: "mood".into(),
        value: value.into(),
    };
    Value::Enum(OptionEnum::Some(Box::new(mood)))
}

fn no_mood() -> Value {
    Value::Enum(OptionEnum::None("mood".into()))
}

fn values(statement: &Statement) -> &[Value] {
    statement.values.as_ref().map_or(&[], |values| &values.0)
}

#[test]
fn only_where_a_list_is_not_locked_in_its_order_is_there_no_wait() {
    assert_eq!(POSTGRES.impatience, Some("SET LOCAL lock_timeout = '50ms'"));
    assert_eq!((MYSQL.impatience, SQLITE.impatience), (None, None));
}

#[test]
fn sqlite_takes_a_list_of_values() {
    let statement = (SQLITE.update)(&named(), 0..2);
    assert_eq!(
        statement.sql,
        r#"UPDATE "item" SET "name" = "optlock_rows"."column3", "version" = "optlock_rows"."column4" FROM (VALUES (?, ?, ?, ?), (?, ?, ?, ?)) AS "optlock_rows" WHERE "item"."id" = "optlock_rows"."column1" AND "item"."version" = "optlock_rows"."column2""#
    );
    assert_eq!(values(&statement).len(), 8);
    let statement = (SQLITE.update)(&named(), 1..2);
    assert_eq!(
        values(&statement),
        [2_i64.into(), 4_i64.into(), "b".into(), 5_i64.into()]
    );
}

#[test]
fn sqlite_has_parameters_for_so_many_rows() {
    let mut update = named();
    assert_eq!((SQLITE.rows)(&update), 1_000);
    update
        .assigned
        .extend((0..60).map(|_| column("more", vec![1.into(), 2.into()])));
    assert_eq!((SQLITE.rows)(&update), 32_766 / 64);
}

#[cfg(feature = "sqlx-postgres")]
#[test]
fn postgres_takes_an_array_for_each_column_whatever_the_number_of_rows() {
    let sql = r#"UPDATE "item" SET "name" = "optlock_rows"."column3", "version" = "optlock_rows"."column4" FROM (SELECT UNNEST($1) AS "column1", UNNEST($2) AS "column2", UNNEST($3) AS "column3", UNNEST($4) AS "column4") AS "optlock_rows" WHERE "item"."id" = "optlock_rows"."column1" AND "item"."version" = "optlock_rows"."column2""#;
    for rows in [0..1, 0..2] {
        let statement = (POSTGRES.update)(&named(), rows);
        assert_eq!(statement.sql, sql);
        assert_eq!(values(&statement).len(), 4);
    }
    assert_eq!((POSTGRES.rows)(&named()), 1_000);
}

#[cfg(feature = "sqlx-postgres")]
#[test]
fn postgres_is_told_apart_which_values_are_null() {
    let some = (POSTGRES.update)(&update(vec![Value::String(None), "b".into()]), 0..2);
    assert_eq!(
        some.sql,
        r#"UPDATE "item" SET "name" = (CASE WHEN ("optlock_rows"."column5") THEN $1 ELSE "optlock_rows"."column3" END), "version" = "optlock_rows"."column4" FROM (SELECT UNNEST($2) AS "column1", UNNEST($3) AS "column2", UNNEST($4) AS "column3", UNNEST($5) AS "column5", UNNEST($6) AS "column4") AS "optlock_rows" WHERE "item"."id" = "optlock_rows"."column1" AND "item"."version" = "optlock_rows"."column2""#
    );
    let all = (POSTGRES.update)(&update(vec![Value::String(None), Value::String(None)]), 0..2);
    assert_eq!(
        all.sql,
        r#"UPDATE "item" SET "name" = "optlock_rows"."column3", "version" = "optlock_rows"."column4" FROM (SELECT UNNEST($1) AS "column1", UNNEST($2) AS "column2", $3 AS "column3", UNNEST($4) AS "column4") AS "optlock_rows" WHERE "item"."id" = "optlock_rows"."column1" AND "item"."version" = "optlock_rows"."column2""#
    );
}

#[test]
fn postgres_takes_a_list_of_what_is_no_array() {
    let mut update = update(vec![Value::TinyInt(Some(1)), Value::TinyInt(Some(2))]);
    let statement = (POSTGRES.update)(&update, 0..2);
    assert!(
        statement
            .sql
            .contains("FROM (VALUES ($1, $2, $3, $4), ($5, $6, $7, $8))"),
        "{}",
        statement.sql
    );
    assert_eq!((POSTGRES.rows)(&update), 500);
    update
        .assigned
        .extend((0..196).map(|_| column("more", vec![1.into(), 2.into()])));
    assert_eq!((POSTGRES.rows)(&update), 65_535 / 200);
}

/// The driver sends these otherwise in an array, or not at all, whatever the column takes.
#[cfg(feature = "sqlx-postgres")]
#[test]
fn postgres_takes_a_list_of_what_an_array_would_change() {
    use sea_orm::sea_query::ArrayType;

    for value in [
        1_i8.into(),
        1_u8.into(),
        1_u64.into(),
        'x'.into(),
        mood("glad"),
        no_mood(),
        Value::Array(ArrayType::Int, Some(Box::new(vec![1.into()]))),
    ] {
        for column_type in [ColumnType::Decimal(None), ColumnType::JsonBinary, ColumnType::Uuid] {
            let mut update = update(vec![value.clone(), value.clone()]);
            update.assigned[0].column_type = column_type;
            let statement = (POSTGRES.update)(&update, 0..2);
            assert!(statement.sql.contains("FROM (VALUES "), "{value:?}: {}", statement.sql);
        }
    }
}

/// The cast is that of the column, and a server without such types takes the text.
#[test]
fn an_enum_is_sent_without_the_name_of_its_type() {
    assert_eq!(plain(&mood("glad")), "glad".into());
    assert_eq!(plain(&no_mood()), Value::String(None));
    let statement = (SQLITE.update)(&update(vec![mood("glad"), no_mood()]), 0..2);
    let values = values(&statement);
    assert_eq!([&values[2], &values[6]], [&"glad".into(), &Value::String(None)]);
}

#[test]
fn mysql_takes_one_json_text_whatever_the_number_of_rows() {
    let sql = "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (column1 BIGINT PATH '$[0]' ERROR ON ERROR, column2 BIGINT PATH '$[1]' ERROR ON ERROR, column3 LONGTEXT CHARACTER SET utf8mb4 PATH '$[2]' ERROR ON ERROR, column4 BIGINT PATH '$[3]' ERROR ON ERROR)) AS optlock_rows STRAIGHT_JOIN `item` ON `item`.`id` = `optlock_rows`.`column1` AND `item`.`version` = `optlock_rows`.`column2` SET `item`.`name` = `optlock_rows`.`column3`, `item`.`version` = `optlock_rows`.`column4`";
    let update = update(vec!["a\"\\\u{1}\n\r\té".into(), Value::String(None)]);
    for (rows, json) in [
        (0..2, r#"[[1,3,"a\"\\\u0001\n\r\té",4],[2,4,null,5]]"#),
        (1..2, "[[2,4,null,5]]"),
    ] {
        let statement = (MYSQL.update)(&update, rows);
        assert_eq!(statement.sql, sql);
        assert_eq!(values(&statement), [json.into()]);
    }
    assert_eq!((MYSQL.rows)(&update), 1_000);
}

#[test]
fn mysql_takes_bytes_as_hexadecimal_digits_and_large_numbers_as_they_are() {
    let update = update(vec![vec![0_u8, 0xab].into(), Value::Bytes(None)]);
    let statement = (MYSQL.update)(&update, 0..2);
    assert!(
        statement
            .sql
            .contains("SET `item`.`name` = UNHEX(`optlock_rows`.`column3`)"),
        "{}",
        statement.sql
    );
    assert_eq!(values(&statement), [r#"[[1,3,"00ab",4],[2,4,null,5]]"#.into()]);
    let update = self::update(vec![u64::MAX.into(), 0_u64.into()]);
    let statement = (MYSQL.update)(&update, 0..1);
    assert!(
        statement.sql.contains("column3 BIGINT UNSIGNED PATH"),
        "{}",
        statement.sql
    );
    assert_eq!(values(&statement), ["[[1,3,18446744073709551615,4]]".into()]);
}

#[test]
fn mysql_takes_a_value_of_each_kind_in_json() {
    let table: [(Value, &str); 15] = [
        (true.into(), "1"),
        (i8::MIN.into(), "-128"),
        (i16::MIN.into(), "-32768"),
        (i32::MIN.into(), "-2147483648"),
        (i64::MIN.into(), "-9223372036854775808"),
        (u8::MAX.into(), "255"),
        (u16::MAX.into(), "65535"),
        (u32::MAX.into(), "4294967295"),
        (u64::MAX.into(), "18446744073709551615"),
        ("text".into(), r#""text""#),
        ('"'.into(), r#""\"""#),
        (mood("glad"), r#""glad""#),
        (no_mood(), "null"),
        (vec![0xab_u8].into(), r#""ab""#),
        (Value::Char(None), "null"),
    ];
    for (value, json) in table {
        let statement = (MYSQL.update)(&update(vec![value.clone(), value.clone()]), 0..1);
        assert_eq!(values(&statement), [format!("[[1,3,{json},4]]").into()], "{value:?}");
    }
}

/// As its sixteen bytes, which is what the driver sends.
#[cfg(feature = "with-uuid")]
#[test]
fn mysql_takes_a_uuid_as_hexadecimal_digits() {
    let uuid = uuid::Uuid::from_u128(0xab);
    let statement = (MYSQL.update)(&update(vec![uuid.into(), uuid.into()]), 0..1);
    assert!(
        statement.sql.contains("UNHEX(`optlock_rows`.`column3`)"),
        "{}",
        statement.sql
    );
    let json = r#"[[1,3,"000000000000000000000000000000ab",4]]"#;
    assert_eq!(values(&statement), [json.into()]);
}

/// One row more, and the server would not take the statement.
#[test]
fn mysql_takes_as_many_cases_as_it_has_parameters_for() {
    let mut update = BatchUpdate {
        keys: vec![column("id", vec!["x".into(), "y".into()])],
        ..named()
    };
    update
        .assigned
        .extend((0..383).map(|_| column("more", vec![1.into(), 2.into()])));
    let of_a_row = values(&(MYSQL.update)(&update, 0..1)).len();
    assert_eq!(of_a_row, 772);
    assert_eq!((MYSQL.rows)(&update), MYSQL.max_parameters / of_a_row);
}

/// Only one that is larger than a statement of many rows goes alone as parameters.
#[test]
fn mysql_takes_a_row_in_json_up_to_the_size_of_a_statement() {
    // Beside the name there are three numbers.
    let room = Batching::BYTES - 3 * 8;
    for (length, is_json) in [(room, true), (room + 1, false)] {
        let update = update(vec!["x".repeat(length).into(), "".into()]);
        let statement = (MYSQL.update)(&update, 0..1);
        assert_eq!(statement.sql.contains("JSON_TABLE"), is_json, "{length}");
    }
}

/// A text to compare with has the collation of the column only as a parameter.
#[test]
fn mysql_takes_cases_where_json_does_not_do() {
    let by_text = || BatchUpdate {
        keys: vec![column("id", vec!["x".into(), "y".into()])],
        ..named()
    };
    let statement = (MYSQL.update)(&by_text(), 0..2);
    assert_eq!(
        statement.sql,
        "UPDATE `item` FORCE INDEX (PRIMARY) SET `name` = (CASE WHEN (`item`.`id` = ?) THEN ? WHEN (`item`.`id` = ?) THEN ? END), `version` = (CASE WHEN (`item`.`id` = ?) THEN ? WHEN (`item`.`id` = ?) THEN ? END) WHERE (`item`.`id` = ? AND `item`.`version` = ?) OR (`item`.`id` = ? AND `item`.`version` = ?)"
    );
    assert_eq!((MYSQL.rows)(&by_text()), 100);
    let mut wide = by_text();
    wide.assigned
        .extend((0..400).map(|_| column("more", vec![1.into(), 2.into()])));
    assert_eq!((MYSQL.rows)(&wide), 65_535 / (402 * 2 + 2));
    let of_floats = update(vec![0.5.into(), 1.5.into()]);
    let statement = (MYSQL.update)(&of_floats, 0..2);
    assert!(
        statement.sql.starts_with("UPDATE `item` FORCE INDEX (PRIMARY) SET"),
        "{}",
        statement.sql
    );
    let plain = (MYSQL.without_hint)(&statement).unwrap();
    assert!(plain.sql.starts_with("UPDATE `item` SET"), "{}", plain.sql);
    assert_eq!(plain.values, statement.values);
    assert!((MYSQL.without_hint)(&plain).is_none());
}

#[test]
fn mysql_deletes_by_the_primary_key() {
    let delete = |batching: Batching, table: TableRef| {
        let condition = Condition::any().add(Expr::col(Alias::new("id")).eq(1));
        (batching.delete)(table, condition).sql
    };
    assert_eq!(
        delete(MYSQL, Alias::new("item").into_table_ref()),
        "DELETE `item` FROM `item` FORCE INDEX (PRIMARY) WHERE `id` = ?"
    );
    assert_eq!(
        delete(MYSQL, (Alias::new("shop"), Alias::new("item")).into_table_ref()),
        "DELETE `shop`.`item` FROM `shop`.`item` FORCE INDEX (PRIMARY) WHERE `id` = ?"
    );
    assert_eq!(
        delete(SQLITE, Alias::new("item").into_table_ref()),
        r#"DELETE FROM "item" WHERE "id" = ?"#
    );
}

/// Its escapes would make it six times as large.
#[test]
fn mysql_takes_a_row_that_is_too_large_for_json_as_parameters() {
    let large = || Value::from("\u{1}".repeat(200_000));
    let update = update(vec![large(), large()]);
    assert_eq!(update.rows_within(0, 2, Batching::BYTES), 1);
    let statement = (MYSQL.update)(&update, 0..1);
    assert!(statement.sql.contains("CASE"), "{}", statement.sql);
    assert_eq!(values(&statement)[1], large());
}

#[test]
fn a_statement_ends_ahead_of_a_value_that_is_too_large() {
    let mut update = update(vec!["a".repeat(600).into(), "b".repeat(600).into()]);
    assert_eq!(update.rows_within(0, 10, 1_000), 1);
    assert_eq!(update.rows_within(1, 10, 1_000), 1);
    assert_eq!(update.rows_within(0, 10, 10), 1, "one there must be");
    assert_eq!(update.rows_within(2, 10, 1_000), 0);
    assert_eq!(update.rows_within(0, 1, 10_000), 1);
    update.assigned[0].values = vec!["a".into(), "b".into()];
    assert_eq!(update.rows_within(0, 10, 1_000), 2);
}

#[test]
fn a_value_is_as_long_as_it_may_get_in_a_statement() {
    let table: [(Value, usize); 11] = [
        ("".into(), 0),
        ("plain".into(), 5),
        ("\u{e4}".into(), 2),
        ("\"\\\n\r\t".into(), 10),
        ("\u{0}\u{1f}".into(), 12),
        (Value::String(None), 0),
        (vec![7_u8; 5].into(), 10),
        (Value::Bytes(None), 0),
        (1_i8.into(), 8),
        (i64::MIN.into(), 8),
        (Value::BigInt(None), 8),
    ];
    for (value, expected) in table {
        assert_eq!(size(&value), expected, "{value:?}");
    }
}

#[cfg(feature = "with-uuid")]
#[test]
fn a_value_of_another_kind_is_as_long_as_its_literal() {
    let literal = "'00000000-0000-0000-0000-000000000000'";
    assert_eq!(size(&uuid::Uuid::nil().into()), literal.len());
}

/// Rows of one text each.
fn texts(lengths: &[usize]) -> BatchUpdate {
    let texts = lengths.iter().map(|length| "x".repeat(*length).into()).collect();
    BatchUpdate {
        keys: Vec::new(),
        expected: Vec::new(),
        assigned: vec![column("name", texts)],
        ..named()
    }
}

#[test]
fn a_statement_takes_as_many_rows_as_it_has_room_for() {
    let update = texts(&[30, 30, 40, 1, 500]);
    assert_eq!(update.rows_within(0, 9, 100), 3, "exactly as many as fit");
    assert_eq!(update.rows_within(0, 9, 99), 2);
    assert_eq!(update.rows_within(0, 2, 100), 2);
    assert_eq!(update.rows_within(3, 9, 100), 1);
    assert_eq!(
        update.rows_within(4, 9, 100),
        1,
        "one that is too large for any goes alone"
    );
}

#[cfg(feature = "sqlx-mysql")]
#[tokio::test]
async fn only_a_key_that_does_not_exist_is_for_the_hint() {
    for (number, is_for_hint) in [(1176, true), (1213, false), (1062, false)] {
        let err = crate::backend::driver_error::of_mysql(number).await;
        assert_eq!((MYSQL.is_for_hint)(&err), is_for_hint, "{err:?}");
    }
    assert!(!(MYSQL.is_for_hint)(&DbErr::RecordNotInserted));
}
