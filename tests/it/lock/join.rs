//! Locks on the rows of two entities.

use optlock::Error;
use optlock::prelude::*;
use sea_orm::{JoinType, QueryOrder, QuerySelect, TransactionTrait};

use super::{begin, is_locked};
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::keys::elsewhere;
use crate::entity::{account, item};

cases![
    rows_of_both_entities_are_locked_and_typed,
    an_outer_join_is_locked_where_the_server_can,
    a_lock_is_narrowed_to_the_first_entity_where_the_server_can,
    a_join_that_selects_one_entity_locks_it,
    a_right_join_is_locked_where_the_server_can,
    a_row_that_is_skipped_is_never_taken_for_one_that_is_not_there,
    a_parent_of_several_children_is_written_through_one_of_its_rows,
    children_come_with_their_parent_and_are_locked_where_the_server_can;
    POSTGRES:
    a_table_of_another_schema_is_locked_by_its_bare_name;
];

async fn rows_of_both_entities_are_locked_and_typed(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    let txn = begin(&context.db).await?;
    let both = account::Entity::find_by_id(1).find_both_related(item::Entity);
    let (account, item) = both.for_update().one(&txn).await?.ok_or("no row")?;
    assert_eq!((account.id, item.id), (1, 1));
    if context.backend.expected().has_row_locks {
        assert!(is_locked(&context, 1).await?);
    }
    assert_eq!(item.update(|item| item.qty -= 1).await?.version, 2);
    txn.commit().await?;
    Ok(())
}

async fn an_outer_join_is_locked_where_the_server_can(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    let txn = begin(&context.db).await?;
    context.take_statements();
    let left = account::Entity::find()
        .find_also_related(item::Entity)
        .order_by_asc(account::Column::Id);
    let read = left.for_update().all(&txn).await;
    if context.backend == crate::backend::Backend::Postgres {
        let Err(Error::Unsupported(err)) = read else {
            panic!("PostgreSQL cannot: {read:?}");
        };
        assert!(err.to_string().contains("outer join"), "{err}");
        assert_eq!(context.take_statements(), <Vec<String>>::new());
        return Ok(());
    }
    let rows = read?;
    let ids: Vec<_> = rows
        .iter()
        .map(|(account, item)| (account.id, item.as_ref().map(|item| item.id)))
        .collect();
    assert_eq!(ids, [(1, Some(1)), (2, Some(2)), (3, None), (4, None)]);
    Ok(())
}

async fn a_lock_is_narrowed_to_the_first_entity_where_the_server_can(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    let txn = begin(&context.db).await?;
    let left = account::Entity::find_by_id(1).find_also_related(item::Entity);
    let read = left.for_update().of(account::Entity).one(&txn).await;
    if !context.backend.expected().locks_one_table_of_several {
        assert!(matches!(read, Err(Error::Unsupported(_))), "{read:?}");
        return Ok(());
    }
    let (account, item): (optlock::Locked<'_, account::Model>, Option<item::Model>) = read?.ok_or("no row")?;
    assert_eq!((account.id, item.map(|item| item.id)), (1, Some(1)));
    let both = account::Entity::find().find_both_related(item::Entity);
    let pairs = both
        .order_by_asc(account::Column::Id)
        .for_update()
        .of(account::Entity)
        .all(&txn)
        .await?;
    let ids: Vec<(i64, i64)> = pairs.iter().map(|(account, item)| (account.id, item.id)).collect();
    assert_eq!(ids, [(1, 1), (2, 2)]);
    if context.backend.expected().has_row_locks {
        assert!(!is_locked(&context, 1).await?, "the item is not locked");
    }
    Ok(())
}

/// The rows of the first entity are the ones that may be left out.
async fn a_right_join_is_locked_where_the_server_can(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    let txn = begin(&context.db).await?;
    let right = account::Entity::find_by_id(1).join(JoinType::RightJoin, account::Relation::Item.def());
    context.take_statements();
    if context.backend == crate::backend::Backend::Postgres {
        let narrowed = right.for_update().of(account::Entity).all(&txn).await;
        assert!(matches!(narrowed, Err(Error::Unsupported(_))), "{narrowed:?}");
        assert_eq!(context.take_statements(), <Vec<String>>::new());
    } else {
        assert_eq!(right.for_update().all(&txn).await?.len(), 1);
    }
    Ok(())
}

/// The account is free and its item is not: skipping the item would look like an account without one.
async fn a_row_that_is_skipped_is_never_taken_for_one_that_is_not_there(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    let rival = begin(&context.other).await?;
    if context.backend.expected().has_row_locks {
        let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
    } else {
        rival.rollback().await?;
    }
    let txn = context.db.begin().await?;
    let left = || account::Entity::find_by_id(1).find_also_related(item::Entity);
    let read = left().for_update().skip_locked().one(&txn).await;
    if context.backend.expected().has_row_locks {
        assert!(matches!(read, Err(Error::Unsupported(_))), "{read:?}");
    } else {
        assert!(read?.is_some_and(|(_, item)| item.is_some()));
    }
    let both = account::Entity::find_by_id(1).find_both_related(item::Entity);
    let both = both.for_update().skip_locked().one(&txn).await?;
    assert_eq!(
        both.is_none(),
        context.backend.expected().has_row_locks,
        "an inner join leaves the pair out"
    );
    Ok(())
}

async fn a_parent_of_several_children_is_written_through_one_of_its_rows(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    context.sql("UPDATE account SET item_id = 1").await?;
    let txn = begin(&context.db).await?;
    let pairs = account::Entity::find()
        .find_both_related(item::Entity)
        .for_update()
        .all(&txn)
        .await?;
    assert_eq!(pairs.len(), 4);
    let mut items = pairs.into_iter().map(|(_, item)| item);
    let (first, second) = (items.next().ok_or("no row")?, items.next().ok_or("no row")?);
    assert_eq!(first.update(|item| item.qty += 1).await?.version, 2);
    assert!(second.update(|item| item.qty += 1).await.unwrap_err().is_conflict());
    Ok(())
}

async fn children_come_with_their_parent_and_are_locked_where_the_server_can(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    context.sql("UPDATE account SET item_id = 1 WHERE id IN (1, 3)").await?;
    let txn = begin(&context.db).await?;
    let families = || {
        let parents = item::Entity::find().find_with_related(account::Entity);
        parents.order_by_asc(item::Column::Id).order_by_asc(account::Column::Id)
    };
    let shape = |id: i64, children: Vec<i64>| (id, children);
    let expected = [shape(1, vec![1, 3]), shape(2, vec![2]), shape(3, vec![])];

    let both = families().for_update().all(&txn).await;
    if context.backend == crate::backend::Backend::Postgres {
        assert!(matches!(both, Err(Error::Unsupported(_))), "{both:?}");
    } else {
        let rows = both?.into_iter();
        let found = rows.map(|(item, accounts)| (item.id, accounts.iter().map(|account| account.id).collect()));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
    let parents = families().for_update().of(item::Entity).all(&txn).await;
    if !context.backend.expected().locks_one_table_of_several {
        assert!(matches!(parents, Err(Error::Unsupported(_))), "{parents:?}");
        return Ok(());
    }
    let mut parents = parents?;
    let found = parents
        .iter()
        .map(|(item, accounts)| (item.id, accounts.iter().map(|account| account.id).collect()));
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let (first, _): (_, Vec<account::Model>) = parents.remove(0);
    assert_eq!(first.update(|item| item.qty += 1).await?.version, 2);
    Ok(())
}

async fn a_table_of_another_schema_is_locked_by_its_bare_name(context: Context) -> Outcome {
    let db = context.connect(1).await?;
    db.execute_unprepared(
        "CREATE TEMPORARY TABLE elsewhere (id BIGINT PRIMARY KEY, qty BIGINT NOT NULL, version BIGINT NOT NULL); \
         INSERT INTO pg_temp.elsewhere VALUES (1, 10, 1), (2, 20, 1)",
    )
    .await?;
    let txn = begin(&db).await?;
    let narrowed = elsewhere::Entity::find_by_id(1).for_update().of(elsewhere::Entity);
    assert_eq!(narrowed.one(&txn).await?.map(|row| row.qty), Some(10));
    let [two, one] = elsewhere::Entity::lock_all(&txn, [2, 1]).await?.into_array()?;
    assert_eq!(
        (two.update(|row| row.qty = 0).await?.version, one.touch().await?.version),
        (2, 2)
    );
    Ok(())
}

async fn a_join_that_selects_one_entity_locks_it(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    let txn = begin(&context.db).await?;
    let joined = account::Entity::find()
        .join(JoinType::InnerJoin, account::Relation::Item.def())
        .filter(item::Column::Name.eq("b"));
    let rows = joined.for_update().all(&txn).await?;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [2]);
    Ok(())
}
