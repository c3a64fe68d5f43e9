//! Many rows, locked in one order.

use optlock::prelude::*;
use optlock::{Error, Fault};
use sea_orm::{QueryOrder, QuerySelect, TransactionTrait};

use super::{begin, fault, is_locked};
use crate::backend::Backend;
use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::item;
use crate::entity::keys::{pair, triple};
use crate::entity::{account, keys};
use crate::wait::until_blocked;

cases![
    rows_come_in_the_callers_order_once_each_and_missing_ones_are_named,
    no_keys_send_no_sql,
    thousands_of_keys_keep_their_order,
    more_keys_than_parameters_are_locked_in_pieces,
    composite_keys_are_locked,
    an_enum_is_a_key,
    another_strength_and_wait_can_be_said,
    a_filter_leaves_room_for_its_own_parameters,
    an_index_hint_is_refused,
    more_text_keys_than_parameters_are_refused_where_rows_are_locked,
    rows_of_several_entities_are_locked_in_one_order,
    one_table_twice_is_refused_before_any_sql;
    SERVERS:
    keys_are_locked_in_their_order_whatever_the_callers,
    many_keys_lock_no_other_rows,
    pieces_are_locked_in_the_order_of_their_keys,
    tables_are_locked_in_the_order_of_their_names;
    POSTGRES:
    rows_that_move_while_they_are_waited_for_keep_their_place;
    MARIADB:
    a_filter_changes_nothing_of_the_order,
    a_key_that_the_server_takes_for_another_one_is_not_missing;
    SQLITE:
    more_pairs_than_parameters_are_locked_in_pieces;
];

fn ids(rows: &[optlock::Locked<'_, item::Model>]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

async fn rows_come_in_the_callers_order_once_each_and_missing_ones_are_named(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let (rows, missing) = item::Entity::lock_all(&txn, [3, 99, 1, 3]).await?.into_parts();
    assert_eq!(ids(&rows), [3, 1]);
    assert_eq!(missing.iter().map(ToString::to_string).collect::<Vec<_>>(), ["99"]);
    if context.backend.expected().has_row_locks {
        assert!(is_locked(&context, 1).await? && !is_locked(&context, 2).await? && is_locked(&context, 3).await?);
    }

    let Err(Error::MissingRows(err)) = item::Entity::lock_all(&txn, [98, 2, 99]).await?.into_vec() else {
        panic!("two rows are missing");
    };
    assert_eq!((err.table(), err.found(), err.wanted()), ("item", 1, 3));
    assert_eq!(
        err.to_string(),
        "3 rows of item were wanted, but these are not there: 98, 99"
    );

    let [two, one] = item::Entity::lock_all(&txn, [2, 1]).await?.into_array()?;
    assert_eq!((two.id, one.id), (2, 1));
    let shifted = item::Entity::lock_all(&txn, [1, 99, 2]).await?.into_array::<2>();
    assert!(matches!(shifted, Err(Error::MissingRows(err)) if err.missing().len() == 1));
    let twice = item::Entity::lock_all(&txn, [2, 2]).await?.into_array::<2>();
    assert!(matches!(twice, Err(Error::MissingRows(err)) if err.missing().is_empty()));
    Ok(())
}

async fn no_keys_send_no_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    context.take_statements();
    assert!(
        item::Entity::lock_all(&txn, <[i64; 0]>::default())
            .await?
            .into_vec()?
            .is_empty()
    );
    assert_eq!(context.take_statements(), <Vec<String>>::new());
    Ok(())
}

/// Rows 1 to `count`, in place of the usual ones.
async fn create_many(context: &Context, count: i64) -> Outcome {
    context.create(item::Entity).await?;
    for first in (1..=count).step_by(5000) {
        let rows: Vec<_> = (first..=count.min(first + 4999))
            .map(|id| format!("({id}, '{id}', 0, 1)"))
            .collect();
        context
            .sql(&format!(
                "INSERT INTO item (id, name, qty, version) VALUES {}",
                rows.join(", ")
            ))
            .await?;
    }
    Ok(())
}

async fn thousands_of_keys_keep_their_order(context: Context) -> Outcome {
    create_many(&context, 2500).await?;
    let txn = begin(&context.db).await?;
    let keys: Vec<i64> = (0..2500).map(|number| number * 1201 % 2500 + 1).collect();
    let rows = item::Entity::lock_all(&txn, keys.clone()).await?.into_vec()?;
    assert_eq!(ids(&rows), keys);
    Ok(())
}

async fn more_keys_than_parameters_are_locked_in_pieces(context: Context) -> Outcome {
    create_many(&context, 3).await?;
    let txn = begin(&context.db).await?;
    context.take_statements();
    let (rows, missing) = item::Entity::lock_all(&txn, (1..=70_000).rev()).await?.into_parts();
    assert_eq!((ids(&rows), missing.len()), (vec![3, 2, 1], 69_997));
    let selects = context
        .take_statements()
        .iter()
        .filter(|sql| sql.starts_with("SELECT"))
        .count();
    assert_eq!(selects, context.backend.pick(3, 2, 9));
    Ok(())
}

/// Two pieces, the later keys first. A rival holds the first key of all.
async fn pieces_are_locked_in_the_order_of_their_keys(context: Context) -> Outcome {
    create_many(&context, 3).await?;
    context
        .sql("INSERT INTO item (id, name, qty, version) VALUES (70000, 'last', 0, 1)")
        .await?;
    let rival = begin(&context.other).await?;
    let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
    let waiting = tokio::spawn({
        let db = context.db.clone();
        async move {
            let txn = begin(&db).await?;
            let (rows, _) = item::Entity::lock_all(&txn, (1..=70_000).rev()).await?.into_parts();
            Ok::<_, Error>(ids(&rows))
        }
    });
    until_blocked(&context).await?;
    assert!(!is_locked(&context, 70_000).await?);
    rival.rollback().await?;
    assert_eq!(waiting.await??, [70_000, 3, 2, 1]);
    Ok(())
}

/// The names are in the opposite order, and their index would be the better one for the filter.
async fn a_filter_changes_nothing_of_the_order(context: Context) -> Outcome {
    context.create(item::Entity).await?;
    for id in 1..=200 {
        let row = format!(
            "INSERT INTO item (id, name, qty, version) VALUES ({id}, '{}', 0, 1)",
            1000 - id
        );
        context.sql(&row).await?;
    }
    let rival = begin(&context.other).await?;
    let _held = item::Entity::find_by_id(10).for_update().one(&rival).await?;
    let waiting = tokio::spawn({
        let db = context.db.clone();
        async move {
            let txn = begin(&db).await?;
            let two = item::Entity::find().filter(item::Column::Name.is_in(["980", "990"]));
            let (rows, _) = two.for_update().all_by_key(&txn, 1..=200).await?.into_parts();
            Ok::<_, Error>(ids(&rows))
        }
    });
    until_blocked(&context).await?;
    assert!(
        !is_locked(&context, 20).await?,
        "it comes after the one that is waited for"
    );
    rival.rollback().await?;
    assert_eq!(waiting.await??, [10, 20]);
    Ok(())
}

/// MariaDB gives the range of an index up where a list is too long, and locks the whole of it.
async fn many_keys_lock_no_other_rows(context: Context) -> Outcome {
    create_many(&context, 40_000).await?;
    let txn = begin(&context.db).await?;
    let rows = item::Entity::lock_all(&txn, (1..=33_000).filter(|id| *id != 500))
        .await?
        .into_vec()?;
    assert_eq!(rows.len(), 32_999);
    for id in [500, 33_001, 40_000] {
        assert!(!is_locked(&context, id).await?, "{id}");
    }
    assert!(is_locked(&context, 33_000).await?);
    let other = context.connect(1).await?;
    other
        .execute_unprepared("INSERT INTO item (id, name, qty, version) VALUES (50000, 'new', 0, 1)")
        .await?;
    Ok(())
}

async fn a_filter_leaves_room_for_its_own_parameters(context: Context) -> Outcome {
    create_many(&context, 3).await?;
    let txn = begin(&context.db).await?;
    let filtered = item::Entity::find().filter(item::Column::Qty.eq(0)).for_update();
    let (rows, missing) = filtered.all_by_key(&txn, 1..=70_000).await?.into_parts();
    assert_eq!((rows.len(), missing.len()), (3, 69_997));
    Ok(())
}

/// Two hints exclude each other, and the rows would be locked in the order of the wrong index.
async fn an_index_hint_is_refused(context: Context) -> Outcome {
    use sea_orm::sea_query::extension::mysql::{IndexHintScope, MySqlSelectStatementExt as _};

    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    let mut hinted = item::Entity::find();
    QuerySelect::query(&mut hinted).use_index("item-name", IndexHintScope::All);
    context.take_statements();
    let locked = hinted.for_update().all_by_key(&txn, [1]).await;
    if context.backend == Backend::MariaDb {
        assert!(matches!(locked, Err(Error::NotLockable(_))), "{locked:?}");
        assert_eq!(context.take_statements(), <Vec<String>>::new());
    } else {
        // The others know no hints, and are sent none.
        assert_eq!(locked?.into_vec()?.len(), 1);
    }
    Ok(())
}

async fn composite_keys_are_locked(context: Context) -> Outcome {
    context.create(pair::Entity).await?;
    context.create(triple::Entity).await?;
    context
        .sql("INSERT INTO pair VALUES (1, 1, 0, 1), (1, 2, 0, 1), (2, 1, 0, 1), (2, 2, 0, 1)")
        .await?;
    context
        .sql("INSERT INTO triple (tenant, qty, region, version, number) VALUES (1, 0, 'eu', 1, 1), (1, 0, 'us', 1, 1)")
        .await?;
    let txn = begin(&context.db).await?;
    let (rows, missing) = pair::Entity::lock_all(&txn, [(2, 1), (9, 9), (1, 2)])
        .await?
        .into_parts();
    assert_eq!(
        rows.iter().map(|row| (row.left, row.right)).collect::<Vec<_>>(),
        [(2, 1), (1, 2)]
    );
    assert_eq!(missing[0].to_string(), "(9, 9)");
    for row in rows {
        assert_eq!(row.update(|row| row.qty = 5).await?.version, 2);
    }
    let [us] = triple::Entity::lock_all(&txn, [(1, "us".to_owned(), 1)])
        .await?
        .into_array()?;
    assert_eq!(us.region, "us");
    txn.commit().await?;
    assert_eq!(context.number("SELECT COUNT(*) FROM pair WHERE qty = 5").await?, 2);
    Ok(())
}

async fn more_pairs_than_parameters_are_locked_in_pieces(context: Context) -> Outcome {
    const PAIRS: i32 = 17_000;

    context.create(pair::Entity).await?;
    context
        .sql("INSERT INTO pair VALUES (1, 0, 0, 1), (1, 16999, 0, 1)")
        .await?;
    let txn = begin(&context.db).await?;
    context.take_statements();
    let pairs = (0..PAIRS).map(|right| (1, right));
    let (rows, missing) = pair::Entity::lock_all(&txn, pairs).await?.into_parts();
    assert_eq!(rows.iter().map(|row| row.right).collect::<Vec<_>>(), [0, PAIRS - 1]);
    assert_eq!(missing.len(), usize::try_from(PAIRS)? - 2);
    Ok(())
}

async fn an_enum_is_a_key(context: Context) -> Outcome {
    if context.backend == Backend::Postgres {
        context.sql("CREATE TYPE shade AS ENUM ('light', 'dark')").await?;
    }
    context.create(keys::by_enum::Entity).await?;
    for shade in [keys::Shade::Light, keys::Shade::Dark] {
        let row = keys::by_enum::ActiveModel {
            id: Set(shade),
            qty: Set(1),
            version: NotSet,
        };
        row.insert(&context.db).await?;
    }
    let txn = begin(&context.db).await?;
    let [dark, light] = keys::by_enum::Entity::lock_all(&txn, [keys::Shade::Dark, keys::Shade::Light])
        .await?
        .into_array()?;
    assert_eq!((dark.id, light.id), (keys::Shade::Dark, keys::Shade::Light));
    Ok(())
}

async fn another_strength_and_wait_can_be_said(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    let rival = begin(&context.other).await?;
    let _held = item::Entity::find_by_id(1).for_update().one(&rival).await?;
    let txn = context.db.begin().await?;
    let lock = item::Entity::find().for_share().nowait();
    let accounts = account::Entity::find().for_share().nowait().keys([1]);
    let keys = (accounts, lock.clone().keys([2, 1]));
    assert_eq!(fault(optlock::lock_in_order(&txn, keys).await), Fault::LockNotAvailable);
    txn.rollback().await?;
    let txn = context.db.begin().await?;
    assert_eq!(fault(lock.all_by_key(&txn, [2, 1]).await), Fault::LockNotAvailable);
    txn.rollback().await?;
    rival.rollback().await?;

    let txn = begin(&context.db).await?;
    let lock = item::Entity::find().filter(item::Column::Qty.gt(10)).for_share();
    let (rows, missing) = lock.all_by_key(&txn, [3, 1]).await?.into_parts();
    assert_eq!((ids(&rows), missing.len()), (vec![3], 1));
    Ok(())
}

/// The order of text is the server's own, so two statements could lock in two orders.
async fn more_text_keys_than_parameters_are_refused_where_rows_are_locked(context: Context) -> Outcome {
    context.create(keys::by_text::Entity).await?;
    let txn = begin(&context.db).await?;
    context.take_statements();
    let locked = keys::by_text::Entity::lock_all(&txn, (0..70_000).map(|number| number.to_string())).await;
    if context.backend.expected().has_row_locks {
        assert!(matches!(locked, Err(Error::Unsupported(_))));
        assert_eq!(context.take_statements(), <Vec<String>>::new());
        // As many as one statement takes are in no need of an order.
        let most = context.backend.pick(0, 65_535, 8_000);
        let keys = (0..most).map(|number| number.to_string());
        let locked = keys::by_text::Entity::lock_all(&txn, keys).await?;
        assert_eq!(locked.into_parts().1.len(), most);
    } else {
        assert_eq!(locked?.into_parts().1.len(), 70_000);
    }
    Ok(())
}

async fn rows_of_several_entities_are_locked_in_one_order(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    let txn = begin(&context.db).await?;
    context.take_statements();
    let keys = (item::Entity::keys([2, 1]), account::Entity::keys([4]));
    let (items, accounts) = optlock::lock_in_order(&txn, keys).await?;
    assert_eq!(ids(&items.into_vec()?), [2, 1]);
    let [account] = accounts.into_array()?;
    assert_eq!(account.balance, 100);
    let selects: Vec<_> = context
        .take_statements()
        .into_iter()
        .filter(|sql| sql.starts_with("SELECT"))
        .collect();
    assert!(
        selects[0].contains("account") && selects[1].contains("item"),
        "{selects:?}"
    );
    Ok(())
}

async fn one_table_twice_is_refused_before_any_sql(context: Context) -> Outcome {
    item::create(&context).await?;
    let txn = begin(&context.db).await?;
    context.take_statements();
    let keys = (
        item::Entity::keys([2]),
        account::Entity::keys([4]),
        item::Entity::keys([1]),
    );
    let err = optlock::lock_in_order(&txn, keys).await.unwrap_err();
    assert_eq!(err.to_string(), "a locking read of item cannot have one table twice");
    assert_eq!(context.take_statements(), <Vec<String>>::new());
    Ok(())
}

/// A rival holds row 2. Who waits for it holds what comes before it, and nothing that comes after.
async fn keys_are_locked_in_their_order_whatever_the_callers(context: Context) -> Outcome {
    item::create(&context).await?;
    // PostgreSQL then stores the first row behind the others, and reads so few rows in the order in which they are stored.
    context.sql("UPDATE item SET qty = 11 WHERE id = 1").await?;
    if context.backend == Backend::Postgres {
        context.sql("ANALYZE item").await?;
    }
    for keys in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        let rival = begin(&context.other).await?;
        let _held = item::Entity::find_by_id(2).for_update().one(&rival).await?;
        let waiting = tokio::spawn({
            let db = context.db.clone();
            async move {
                let txn = begin(&db).await?;
                let rows = item::Entity::lock_all(&txn, keys).await?.into_vec()?;
                Ok::<_, Error>(ids(&rows))
            }
        });
        until_blocked(&context).await?;
        assert!(is_locked(&context, 1).await?, "{keys:?}");
        assert!(!is_locked(&context, 3).await?, "{keys:?}");
        rival.rollback().await?;
        assert_eq!(waiting.await??, keys);
    }
    Ok(())
}

async fn tables_are_locked_in_the_order_of_their_names(context: Context) -> Outcome {
    item::create(&context).await?;
    account::create(&context).await?;
    let rival = begin(&context.other).await?;
    let _held = account::Entity::find_by_id(1).for_update().one(&rival).await?;
    let waiting = tokio::spawn({
        let db = context.db.clone();
        async move {
            let txn = begin(&db).await?;
            let keys = (item::Entity::keys([1]), account::Entity::keys([1]));
            optlock::lock_in_order(&txn, keys).await.map(drop)
        }
    });
    crate::wait::until_blocked_on(&context, "account").await?;
    assert!(!is_locked(&context, 1).await?, "accounts come before items");
    rival.rollback().await?;
    waiting.await??;
    Ok(())
}

/// The server sorts, then locks, and does not sort again.
async fn rows_that_move_while_they_are_waited_for_keep_their_place(context: Context) -> Outcome {
    item::create(&context).await?;
    for by_key in [false, true] {
        context.sql("UPDATE item SET qty = 10 WHERE id = 1").await?;
        let rival = begin(&context.other).await?;
        rival
            .execute_unprepared("UPDATE item SET qty = 100 WHERE id = 1")
            .await?;
        let waiting = tokio::spawn({
            let db = context.db.clone();
            async move {
                let txn = begin(&db).await?;
                let rows = if by_key {
                    item::Entity::lock_all(&txn, [3, 1, 2]).await?.into_vec()?
                } else {
                    let by_quantity = item::Entity::find().order_by_asc(item::Column::Qty);
                    by_quantity.for_update().all(&txn).await?
                };
                Ok::<_, Error>(rows.iter().map(|row| (row.id, row.qty)).collect::<Vec<_>>())
            }
        });
        until_blocked(&context).await?;
        rival.commit().await?;
        let expected = if by_key {
            [(3, 30), (1, 100), (2, 20)]
        } else {
            [(1, 100), (2, 20), (3, 30)]
        };
        assert_eq!(waiting.await??, expected);
    }
    Ok(())
}

/// By its collation, the server does not tell the two apart; the row has one spelling.
async fn a_key_that_the_server_takes_for_another_one_is_not_missing(context: Context) -> Outcome {
    context.create(keys::by_text::Entity).await?;
    let row = keys::by_text::ActiveModel {
        id: Set("blue".to_owned()),
        qty: Set(1),
        version: NotSet,
    };
    row.insert(&context.db).await?;
    let txn = begin(&context.db).await?;
    for (keys, found) in [
        (&["red", "BLUE"][..], 1),
        (&["BLUE", "blue", "red"], 1),
        (&["BLUE", "Blue", "red"], 1),
        (&["red"], 0),
    ] {
        let locked = keys::by_text::Entity::lock_all(&txn, keys.iter().map(ToString::to_string)).await?;
        let (rows, missing) = locked.into_parts();
        let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, &["blue"][..found], "{keys:?}");
        assert_eq!(
            missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["'red'"],
            "{keys:?}"
        );
    }
    Ok(())
}
