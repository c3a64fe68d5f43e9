//! Keys that are no single number.

use optlock::prelude::*;
use optlock::{Error, Found};

use super::{QUICK, meanwhile};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::keys::{by_text, pair, triple};

cases![
    a_key_of_two_columns_is_changed_read_again_and_inserted,
    a_key_of_three_columns_is_changed,
    a_key_of_text_is_changed_and_inserted,
    many_rows_with_composite_keys_keep_their_order,
    a_part_of_a_key_that_is_changed_is_refused,
];

async fn create_pairs(context: &Context) -> Outcome {
    context.create(pair::Entity).await?;
    for (left, right) in [(1, 1), (1, 2), (2, 1)] {
        context
            .sql(&format!("INSERT INTO pair VALUES ({left}, {right}, {left}{right}, 1)"))
            .await?;
    }
    Ok(())
}

async fn a_key_of_two_columns_is_changed_read_again_and_inserted(context: Context) -> Outcome {
    create_pairs(&context).await?;
    let mut seen = Vec::new();
    let row = pair::Entity::modify(&context.db, (1, 2), |row| {
        seen.push(row.qty);
        if seen.len() == 1 {
            let (left, right) = context.backend.pick(
                (r#""left""#, r#""right""#),
                (r#""left""#, r#""right""#),
                ("`left`", "`right`"),
            );
            meanwhile(
                &context,
                &format!("UPDATE pair SET qty = 99, version = 2 WHERE {left} = 1 AND {right} = 2"),
            );
        }
        row.qty += 1;
    })
    .await?;
    assert_eq!((row.left, row.right, row.qty, row.version), (1, 2, 100, 3));
    assert_eq!(seen, [12, 99]);
    let others = "SELECT COUNT(*) FROM pair WHERE version = 1";
    assert_eq!(context.number(others).await?, 2, "and no other row");

    let Err(Error::MissingRows(missing)) = pair::Entity::modify(&context.db, (2, 2), |_| ()).await else {
        panic!("not missing");
    };
    assert_eq!(missing.missing()[0].to_string(), "(2, 2)");
    let new = || pair::ActiveModel {
        qty: Set(5),
        ..Default::default()
    };
    for qty in [5, 6] {
        let row = pair::Entity::modify_or_insert(&context.db, (2, 2), new, |row| row.qty += 1).await?;
        assert_eq!((row.left, row.right, row.qty), (2, 2, qty));
    }
    let other = || pair::ActiveModel {
        left: Set(3),
        right: Set(4),
        qty: Set(5),
        ..Default::default()
    };
    let err = pair::Entity::modify_or_insert(&context.db, (3, 3), other, |_| ()).await;
    assert!(matches!(err, Err(Error::Unsupported(_))), "{err:?}");
    Ok(())
}

async fn a_key_of_three_columns_is_changed(context: Context) -> Outcome {
    context.create(triple::Entity).await?;
    let new = triple::ActiveModel {
        tenant: Set(1),
        region: Set("north".to_owned()),
        number: Set(7),
        qty: Set(10),
        version: NotSet,
    };
    let row = new.insert(&context.db).await?;
    let key = || (1, "north".to_owned(), 7);
    let changed = triple::Entity::modify(&context.db, key(), |row| row.qty += 1).await?;
    assert_eq!((changed.qty, changed.version), (11, 2));
    let changed = QUICK
        .lock_after(0)
        .modify(triple::Entity, &context.db, key(), |row| row.qty += 1)
        .await?;
    assert_eq!((changed.qty, changed.version), (12, 3));
    let changed = row.modify(&context.db, |row| row.qty += 1).await?;
    assert_eq!((changed.qty, changed.version), (13, 4));
    let Err(Error::MissingRows(missing)) =
        triple::Entity::modify(&context.db, (1, "south".to_owned(), 7), |_| ()).await
    else {
        panic!("not missing");
    };
    assert_eq!(missing.missing()[0].to_string(), "(1, 'south', 7)");
    Ok(())
}

async fn a_key_of_text_is_changed_and_inserted(context: Context) -> Outcome {
    context.create(by_text::Entity).await?;
    context.sql("INSERT INTO keyed VALUES ('it''s', 10, 1)").await?;
    let row = by_text::Entity::modify(&context.db, "it's", |row| row.qty += 1).await?;
    assert_eq!((row.id.as_str(), row.qty, row.version), ("it's", 11, 2));
    let new = || by_text::ActiveModel {
        qty: Set(1),
        ..Default::default()
    };
    let row = by_text::Entity::modify_or_insert(&context.db, "new".to_owned(), new, |_| ()).await?;
    assert_eq!((row.id.as_str(), row.version), ("new", 1));
    let rows = by_text::Entity::try_modify_all(&context.db, ["new", "it's", "new"], |row| {
        row.qty *= 2;
        Ok::<_, Error>(())
    })
    .await?;
    let rows: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.qty)).collect();
    assert_eq!(rows, [("new", 2), ("it's", 22)]);
    Ok(())
}

async fn many_rows_with_composite_keys_keep_their_order(context: Context) -> Outcome {
    create_pairs(&context).await?;
    let rows = pair::Entity::try_modify_all(&context.db, [(2, 1), (1, 2), (2, 1), (1, 1)], |row| {
        row.qty += 100;
        Ok::<_, Error>(())
    })
    .await?;
    let rows: Vec<_> = rows.iter().map(|row| (row.left, row.right, row.qty)).collect();
    assert_eq!(rows, [(2, 1, 121), (1, 2, 112), (1, 1, 111)]);
    let result = pair::Entity::try_modify_all(&context.db, [(1, 1), (9, 9)], |_| Ok::<_, Error>(()));
    let Err(Error::MissingRows(missing)) = result.await else {
        panic!("not missing");
    };
    assert_eq!(missing.missing()[0].to_string(), "(9, 9)");
    Ok(())
}

async fn a_part_of_a_key_that_is_changed_is_refused(context: Context) -> Outcome {
    create_pairs(&context).await?;
    for change in [
        |row: &mut pair::Model| row.left = 9,
        |row: &mut pair::Model| row.right = 9,
    ] {
        let err = pair::Entity::modify(&context.db, (1, 1), change).await.unwrap_err();
        assert!(matches!(err, Error::Unsupported(_)), "{err:?}");
    }
    // A model in hand names its row by its key.
    let model = pair::Entity::find_by_id((1, 1))
        .one(&context.db)
        .await?
        .ok_or("no row")?;
    let stale = pair::Model { version: 0, ..model };
    let once = QUICK
        .attempts(1)
        .try_modify_model(stale, &context.db, |_| Ok::<_, Error>(()));
    let Err(Error::Conflict(conflict)) = once.await else {
        panic!("not a conflict");
    };
    assert_eq!(conflict.key().to_string(), "(1, 1)");
    assert_eq!(*conflict.found(), Found::Changed { version: 1_i64.into() });
    Ok(())
}
