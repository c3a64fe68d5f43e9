//! Ten thousand rows.

use optlock::prelude::*;
use optlock::{Conflict, Found};

use super::{rows, shuffle, with_qty};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;

cases![
    exactly_the_rows_that_are_not_as_expected_are_reported,
    one_row_that_is_not_as_expected_keeps_all_from_being_written,
    exactly_the_rows_that_are_as_expected_are_deleted,
];

const ROWS: i64 = 10_000;

/// Makes the table hold the rows 1 to this one, at version 1.
pub(super) async fn fill(context: &Context, rows: i64) -> Outcome {
    for from in (4..=rows).step_by(1_000) {
        let values: Vec<_> = (from..(from + 1_000).min(rows + 1))
            .map(|id| format!("({id}, 'n{id}', {id}, 1)"))
            .collect();
        context
            .sql(&format!(
                "INSERT INTO item (id, name, qty, version) VALUES {}",
                values.join(", ")
            ))
            .await?;
    }
    Ok(())
}

fn is_stale(id: i64) -> bool {
    id % 100 == 17
}

fn is_deleted(id: i64) -> bool {
    id % 200 == 63
}

/// Everybody's rows as they were, a hundred of which are changed and fifty deleted.
async fn outdated(context: &Context) -> super::Result<Vec<item::Model>> {
    item::create(context).await?;
    fill(context, ROWS).await?;
    let mut loaded = rows(context).await?;
    context
        .sql("UPDATE item SET qty = -1, version = 9 WHERE id % 100 = 17")
        .await?;
    context.sql("DELETE FROM item WHERE id % 200 = 63").await?;
    shuffle(&mut loaded, &mut 7);
    Ok(loaded)
}

fn assert_is_right(id: i64, conflict: &Conflict) {
    assert_eq!(conflict.key().values(), [id.into()]);
    if is_stale(id) {
        assert_eq!(*conflict.found(), Found::Changed { version: 9_i64.into() });
        assert_eq!(
            conflict.current::<item::Model>().map(|row| (row.id, row.qty)),
            Some((id, -1))
        );
    } else {
        assert!(is_deleted(id), "{conflict}");
        assert_eq!(*conflict.found(), Found::Deleted);
    }
}

async fn exactly_the_rows_that_are_not_as_expected_are_reported(context: Context) -> Outcome {
    let loaded = outdated(&context).await?;
    let batch: Vec<_> = loaded.iter().map(|row| with_qty(row, 20_000 + row.id)).collect();
    let verdicts = item::Entity::update_batch(batch).exec_each(&context.db).await?;
    assert_eq!(verdicts.len(), loaded.len());
    let mut conflicts = 0;
    for (row, verdict) in loaded.iter().zip(verdicts) {
        match verdict {
            Ok(updated) => {
                assert!(!is_stale(row.id) && !is_deleted(row.id), "{updated:?}");
                let expected = item::Model {
                    qty: 20_000 + row.id,
                    version: 2,
                    ..row.clone()
                };
                assert_eq!(updated, expected);
            }
            Err(conflict) => {
                assert_is_right(row.id, &conflict);
                conflicts += 1;
            }
        }
    }
    assert_eq!(conflicts, 150);
    for row in rows(&context).await? {
        let expected = if is_stale(row.id) {
            (-1, 9)
        } else {
            (20_000 + row.id, 2)
        };
        assert_eq!((row.qty, row.version), expected);
    }
    assert_eq!(context.number("SELECT COUNT(*) FROM item").await?, ROWS - 50);
    Ok(())
}

async fn one_row_that_is_not_as_expected_keeps_all_from_being_written(context: Context) -> Outcome {
    let loaded = outdated(&context).await?;
    let before = rows(&context).await?;
    let batch: Vec<_> = loaded.iter().map(|row| with_qty(row, 20_000 + row.id)).collect();
    let err = item::Entity::update_batch(batch.clone())
        .exec(&context.db)
        .await
        .unwrap_err();
    let conflicts = err.conflicts().ok_or_else(|| format!("{err:?}"))?;
    assert_eq!((conflicts.len(), conflicts.rows()), (150, 10_000));
    for (index, conflict) in conflicts {
        assert_is_right(loaded[index].id, conflict);
    }
    assert_eq!(rows(&context).await?, before);
    let err = item::Entity::delete_batch(batch).exec(&context.db).await.unwrap_err();
    assert_eq!(err.conflicts().map(optlock::Conflicts::len), Some(150));
    assert_eq!(rows(&context).await?, before);

    // One is enough.
    let mut batch: Vec<_> = before.iter().map(|row| with_qty(row, 0)).collect();
    batch[5_000].version = Unchanged(1_000);
    let err = item::Entity::update_batch(batch).exec(&context.db).await.unwrap_err();
    let conflicts: Vec<_> = err.conflicts().into_iter().flatten().map(|(index, _)| index).collect();
    assert_eq!(conflicts, [5_000]);
    assert_eq!(rows(&context).await?, before);
    Ok(())
}

async fn exactly_the_rows_that_are_as_expected_are_deleted(context: Context) -> Outcome {
    let loaded = outdated(&context).await?;
    let batch = loaded.iter().map(|row| row.clone().into_active_model());
    let verdicts = item::Entity::delete_batch(batch).exec_each(&context.db).await?;
    let mut conflicts = 0;
    for (row, verdict) in loaded.iter().zip(verdicts) {
        match verdict {
            Ok(()) => assert!(!is_stale(row.id) && !is_deleted(row.id)),
            Err(conflict) => {
                assert_is_right(row.id, &conflict);
                conflicts += 1;
            }
        }
    }
    assert_eq!(conflicts, 150);
    let left = rows(&context).await?;
    assert_eq!(left.len(), 100);
    assert!(left.iter().all(|row| is_stale(row.id) && row.version == 9));
    Ok(())
}
