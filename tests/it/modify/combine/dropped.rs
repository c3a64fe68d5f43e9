//! Callers who are gone before what they have changed is stored, meanwhile, or with a panic.

use optlock::{Error, Policy};

use crate::cancel::poll_times;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item::{self, stored};
use crate::modify::line::{COMBINED, Call, Gate, calls, ends, gated, go, in_time, is_pending, line_up, own_row, pair};

cases![
    whoever_writes_and_is_dropped_leaves_the_others_with_an_answer,
    whoever_would_write_and_is_dropped_leaves_it_to_the_next,
    if_all_are_dropped_ahead_of_the_write_nothing_is_written,
    a_closure_that_panics_has_all_others_stored,
    random_drops_leave_the_row_whole,
];

async fn whoever_writes_and_is_dropped_leaves_the_others_with_an_answer(context: Context) -> Outcome {
    let id = gated::create(&context, 1_300, 0).await?;
    let mut before = 0;
    // In a hook ahead of the write, and behind it.
    for (gate_id, stored) in [(id, 5), (-id, 6)] {
        let gate = Gate::at(gate_id);
        let mut lined_up = calls(6, |_| {
            let db = context.db.clone();
            async move { COMBINED.modify(gated::Entity, &db, id, |row| row.qty += 1).await }
        });
        line_up(gated::Entity, &context.db, id, &mut lined_up).await?;
        let mut tasks = go(lined_up);
        gate.reached().await?;
        let writer = tasks.remove(0);
        writer.abort();
        assert!(in_time(writer).await?.unwrap_err().is_cancelled());
        // For this write, for another one without the writer's change, and so that the next round's own gate is the only one.
        for _ in 0..3 {
            gate.open();
        }
        let mut quantities = Vec::new();
        for row in ends(tasks).await? {
            quantities.push(row?.qty);
        }
        quantities.sort_unstable();
        before += stored;
        assert!(quantities.into_iter().eq(before - 4..=before));
        assert_eq!(gated::stored(&context, id).await?.0, before);
    }
    Ok(())
}

/// Calls whose closures have been applied, and that wait for the write.
async fn applied(
    context: &Context,
    id: i64,
    count: usize,
) -> Result<Vec<Call<Result<item::Model, Error>>>, Box<dyn std::error::Error + Send + Sync>> {
    let mut lined_up = calls(count, |_| {
        let db = context.db.clone();
        async move { COMBINED.modify(item::Entity, &db, id, |row| row.qty += 1).await }
    });
    line_up(item::Entity, &context.db, id, &mut lined_up).await?;
    assert!(lined_up.iter_mut().all(is_pending));
    Ok(lined_up)
}

async fn whoever_would_write_and_is_dropped_leaves_it_to_the_next(context: Context) -> Outcome {
    let id = own_row(&context, 1_303, 0).await?;
    context.take_statements();
    let mut total = 0;
    for gone in [&[0][..], &[0, 1, 2], &[2], &[4, 3]] {
        total += 5 - i64::try_from(gone.len())?;
        let mut waiting = applied(&context, id, 5).await?;
        for place in gone.iter().rev() {
            drop(waiting.remove((*place).min(waiting.len() - 1)));
        }
        for row in ends(go(waiting)).await? {
            let row = row?;
            assert_eq!(row.qty + 1, row.version);
        }
        // Theirs are not in: nothing was sent when they went.
        assert_eq!(stored(&context, id).await?.1, total);
    }
    Ok(())
}

async fn if_all_are_dropped_ahead_of_the_write_nothing_is_written(context: Context) -> Outcome {
    let id = own_row(&context, 1_306, 0).await?;
    let waiting = applied(&context, id, 5).await?;
    drop(waiting);
    assert_eq!(stored(&context, id).await?.1, 0);
    let row = in_time(COMBINED.modify(item::Entity, &context.db, id, |row| row.qty += 1)).await?;
    assert_eq!(pair(row)?, (1, 2));
    Ok(())
}

async fn a_closure_that_panics_has_all_others_stored(context: Context) -> Outcome {
    let id = own_row(&context, 1_309, 0).await?;
    for gone in [0, 2, 5] {
        let (_, before, _) = stored(&context, id).await?;
        let mut lined_up = calls(6, |place| {
            let db = context.db.clone();
            async move {
                let change = |row: &mut item::Model| {
                    assert!(place != gone, "a mistake");
                    row.qty += 1;
                };
                COMBINED.modify(item::Entity, &db, id, change).await
            }
        });
        line_up(item::Entity, &context.db, id, &mut lined_up).await?;
        let mut tasks = go(lined_up);
        assert!(in_time(tasks.remove(gone)).await?.unwrap_err().is_panic());
        let mut rows = Vec::new();
        for row in ends(tasks).await? {
            let row = row?;
            assert_eq!(row.qty + 1, row.version);
            rows.push(row.qty - before);
        }
        rows.sort_unstable();
        assert_eq!(rows, [1, 2, 3, 4, 5]);
        assert_eq!(stored(&context, id).await?.1, before + 5);
    }
    Ok(())
}

async fn random_drops_leave_the_row_whole(context: Context) -> Outcome {
    let id = own_row(&context, 1_312, 0).await?;
    let db = context.connect(4).await?;
    let racing = calls(64, |task| {
        let db = db.clone();
        async move {
            let mut random = task * 7_919 + 13;
            let mut done = Vec::new();
            for _ in 0..6 {
                random = random.wrapping_mul(1_103_515_245).wrapping_add(12_345) % (1 << 31);
                let policy = Policy::new().without_deadline().attempts(300);
                let policy = if task % 8 == 0 { policy } else { policy.combine() };
                let work = Box::pin(policy.modify(item::Entity, &db, id, |row| row.qty += 1));
                if let Some(row) = poll_times(work, 1 + (random >> 8) % 9).await {
                    done.push(pair(row)?);
                }
            }
            Ok::<_, Error>(done)
        }
    });
    let mut done = Vec::new();
    for pairs in ends(go(racing)).await? {
        done.extend(pairs?);
    }
    let row = in_time(COMBINED.modify(item::Entity, &db, id, |row| row.qty += 1)).await?;
    let last = pair(row)?;
    done.push(last);
    done.sort_unstable();
    assert!(done.iter().all(|(qty, version)| qty + 1 == *version));
    assert!(
        done.windows(2).all(|two| two[0].1 < two[1].1),
        "a version was given out twice"
    );
    let after = stored(&context, id).await?;
    assert_eq!(after.1 + 1, after.2);
    let count = i64::try_from(done.len())?;
    println!("{:?}: {count} of 385 done, {} stored", context.backend, after.1);
    assert!((count..=385).contains(&after.1), "{count} done, {} stored", after.1);
    assert!((10..380).contains(&count), "the case shows nothing");
    Ok(())
}
