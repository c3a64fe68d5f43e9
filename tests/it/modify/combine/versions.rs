//! One write that advances versions of all kinds, once for each.

use optlock::Error;
use optlock::prelude::*;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::versions::{by_i16, by_naive, by_uuid, create};
use crate::modify::line::{COMBINED, calls, ends, go, line_up};
use crate::modify::writes;

cases![
    a_version_that_ends_amid_others_is_an_error_of_those_who_come_after,
    tokens_are_different_for_each,
    timestamps_advance_for_each,
];

/// What four changes in one write return, in order, and what is stored.
macro_rules! four_changes {
    ($context:ident, $module:ident, $id:expr) => {{
        let id = $id;
        let mut lined_up = calls(4, |place| {
            let db = $context.db.clone();
            async move {
                let change = move |row: &mut $module::Model| row.name = format!("{}{place}", row.name);
                COMBINED.modify($module::Entity, &db, id, change).await
            }
        });
        $context.take_statements();
        line_up($module::Entity, &$context.db, id, &mut lined_up).await?;
        let outcomes = ends(go(lined_up)).await?;
        assert_eq!(writes(&$context.take_statements()).len(), 1);
        let stored = $module::Entity::find_by_id(id)
            .one(&$context.other)
            .await?
            .ok_or("no row")?;
        (outcomes, stored)
    }};
}

fn own(context: &Context) -> i64 {
    context.backend.pick(1_400, 1_401, 1_402)
}

async fn a_version_that_ends_amid_others_is_an_error_of_those_who_come_after(context: Context) -> Outcome {
    create(&context, "SMALLINT").await?;
    let id = own(&context);
    context
        .sql(&format!("INSERT INTO doc VALUES ({id}, 'a', 32765)"))
        .await?;
    let (outcomes, stored) = four_changes!(context, by_i16, id);
    for (place, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(row) => assert_eq!(usize::from(row.version.unsigned_abs()), 32_766 + place),
            Err(Error::Overflow(_)) => assert!(place > 1),
            Err(err) => return Err(err.into()),
        }
    }
    assert_eq!((stored.name.as_str(), stored.version), ("a01", i16::MAX));
    Ok(())
}

async fn tokens_are_different_for_each(context: Context) -> Outcome {
    create(&context, context.backend.pick("BLOB", "UUID", "BINARY(16)")).await?;
    let id = own(&context);
    let first = by_uuid::ActiveModel {
        id: Set(id),
        name: Set("a".to_owned()),
        ..Default::default()
    };
    let first = first.insert(&context.other).await?;
    let (outcomes, stored) = four_changes!(context, by_uuid, id);
    let rows = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["a0", "a01", "a012", "a0123"]);
    let mut versions: Vec<_> = rows.iter().map(|row| row.version).chain([first.version]).collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), 5);
    assert_eq!(rows.last(), Some(&stored));
    // Whoever has been told of one in between is behind.
    let err = rows[1].clone().touch(&context.db).await.unwrap_err();
    assert!(err.is_conflict());
    Ok(())
}

async fn timestamps_advance_for_each(context: Context) -> Outcome {
    create(&context, context.backend.pick("TEXT", "TIMESTAMP", "DATETIME(6)")).await?;
    let id = own(&context);
    for year in ["2001", "2090"] {
        // The one is behind the clock, the other ahead of it.
        context.sql("DELETE FROM doc").await?;
        let first = by_naive::ActiveModel {
            id: Set(id),
            name: Set("a".to_owned()),
            version: Set(format!("{year}-01-01T00:00:00").parse()?),
        };
        first.insert(&context.other).await?;
        let (outcomes, stored) = four_changes!(context, by_naive, id);
        let rows = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
        assert!(rows.windows(2).all(|two| two[0].version < two[1].version), "{rows:?}");
        assert_eq!(rows.last(), Some(&stored));
    }
    Ok(())
}
