//! SeaORM's nested writes, which call the methods that the derive puts in the way.

use optlock::prelude::*;
use optlock::{Conflict, Error, Found, Operation};
use sea_orm::ActiveHasMany;

use crate::case::{Outcome, cases};
use crate::context::Context;
use crate::entity::nested::{
    self, badge, book, line, purchase, purchase_badge, purchase_tag, receipt, remark, shelf, tag,
};

cases![
    a_nested_insert_gives_every_row_its_first_version,
    a_nested_save_checks_and_advances_parent_and_children,
    a_stale_child_stops_the_whole_save,
    a_stale_second_child_undoes_the_first,
    a_deleted_child_stops_the_whole_save,
    a_stale_only_child_stops_the_whole_save,
    a_stale_parent_leaves_its_children_alone,
    a_stale_parent_stops_the_save_of_its_child,
    a_delete_of_a_fresh_parent_takes_the_children_along,
    a_delete_of_a_stale_parent_leaves_the_children,
    a_changed_child_does_not_advance_an_unchanged_parent,
    a_stale_parent_without_a_change_is_not_told,
    children_that_are_replaced_are_deleted_as_they_are_now,
    an_only_child_that_is_replaced_is_let_go_and_advances,
    a_versioned_parent_may_have_children_without_a_version,
    a_versioned_child_may_have_a_parent_without_a_version,
    links_are_made_where_their_version_has_a_default,
    links_are_refused_where_their_version_has_no_default,
    a_nested_save_in_a_transaction_can_be_undone_in_part,
];

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn new_line(qty: i64) -> line::ActiveModelEx {
    line::ActiveModel::builder().set_qty(qty)
}

/// Purchase 1 with lines 1 to 3 and receipt 1, all at version 1.
async fn create(context: &Context) -> Result<purchase::ModelEx> {
    nested::create(context).await?;
    let inserted = purchase::ActiveModel::builder()
        .set_name("p")
        .add_line(new_line(10))
        .add_line(new_line(20))
        .add_line(new_line(30))
        .set_receipt(receipt::ActiveModel::builder().set_total(60))
        .insert(&context.db)
        .await?;
    Ok(inserted)
}

/// Purchase 1 with its lines and receipt, as a caller reads it.
async fn load(context: &Context) -> Result<purchase::ActiveModelEx> {
    let loaded = purchase::Entity::load()
        .filter(purchase::Column::Id.eq(1))
        .with(line::Entity)
        .with(receipt::Entity)
        .one(&context.db)
        .await?;
    Ok(loaded.ok_or("gone")?.into_active_model())
}

/// The name and version of purchase 1, then quantity and version of each line, then total and version of the receipt.
async fn stored(context: &Context) -> Result<String> {
    let purchase = purchase::Entity::find_by_id(1).one(&context.other).await?;
    let mut lines = line::Entity::find().all(&context.other).await?;
    lines.sort_by_key(|line| line.id);
    let receipts = receipt::Entity::find().all(&context.other).await?;
    let mut parts = Vec::new();
    parts.extend(purchase.map(|row| format!("{}@{}", row.name, row.version)));
    parts.extend(lines.iter().map(|row| format!("{}@{}", row.qty, row.version)));
    parts.extend(receipts.iter().map(|row| format!("{}@{}", row.total, row.version)));
    Ok(parts.join(" "))
}

/// The conflict that crossed SeaORM's code as a `DbErr`.
fn conflict(err: DbErr) -> Result<Conflict> {
    match Error::from(err) {
        Error::Conflict(conflict) => Ok(conflict),
        other => Err(format!("not a conflict: {other:?}").into()),
    }
}

async fn a_nested_insert_gives_every_row_its_first_version(context: Context) -> Outcome {
    let inserted = create(&context).await?;
    assert_eq!(inserted.version, 1);
    let lines: Vec<_> = inserted.lines.iter().map(|line| (line.qty, line.version)).collect();
    assert_eq!(lines, [(10, 1), (20, 1), (30, 1)]);
    assert_eq!(inserted.receipt.as_ref().map(|receipt| receipt.version), Some(1));
    assert_eq!(stored(&context).await?, "p@1 10@1 20@1 30@1 60@1");
    Ok(())
}

async fn a_nested_save_checks_and_advances_parent_and_children(context: Context) -> Outcome {
    create(&context).await?;
    let mut change = load(&context).await?;
    change.name = Set("q".to_owned());
    change.lines[0].qty = Set(11);
    change.lines.push(new_line(40));
    change.receipt.as_mut().ok_or("no receipt")?.total = Set(100);
    let saved = change.save(&context.db).await?;
    assert_eq!(saved.version, Unchanged(2));
    let versions: Vec<_> = saved.lines.as_slice().iter().map(|line| line.version.clone()).collect();
    assert_eq!(versions, [Unchanged(2), Unchanged(1), Unchanged(1), Unchanged(1)]);
    assert_eq!(stored(&context).await?, "q@2 11@2 20@1 30@1 40@1 100@2");

    // What was returned can be saved again.
    let mut again = saved;
    again.name = Set("r".to_owned());
    again.lines[0].qty = Set(12);
    again.lines[3].qty = Set(41);
    again.receipt.as_mut().ok_or("no receipt")?.total = Set(102);
    let updated = again.update(&context.db).await?;
    assert_eq!(updated.version, 3);
    assert_eq!(stored(&context).await?, "r@3 12@3 20@1 30@1 41@2 102@3");
    Ok(())
}

async fn a_stale_child_stops_the_whole_save(context: Context) -> Outcome {
    create(&context).await?;
    let mut change = load(&context).await?;
    change.name = Set("q".to_owned());
    change.lines[0].qty = Set(11);
    change.receipt.as_mut().ok_or("no receipt")?.total = Set(100);
    context
        .sql("UPDATE line SET qty = 99, version = 2 WHERE id = 1")
        .await?;
    for err in [
        change.clone().save(&context.db).await.map(drop).unwrap_err(),
        change.update(&context.db).await.map(drop).unwrap_err(),
    ] {
        let conflict = conflict(err)?;
        assert_eq!((conflict.table(), conflict.operation()), ("line", Operation::Update));
        assert_eq!(conflict.key().to_string(), "1");
        assert_eq!(conflict.expected().get::<i64>(), Some(1));
        assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
        assert_eq!(conflict.current::<line::Model>().map(|line| line.qty), Some(99));
        assert_eq!(stored(&context).await?, "p@1 99@2 20@1 30@1 60@1");
    }
    Ok(())
}

async fn a_stale_second_child_undoes_the_first(context: Context) -> Outcome {
    create(&context).await?;
    let mut change = load(&context).await?;
    change.lines[0].qty = Set(11);
    change.lines[1].qty = Set(21);
    change.lines[2].qty = Set(31);
    context.sql("UPDATE line SET version = 2 WHERE id = 2").await?;
    let conflict = conflict(change.save(&context.db).await.map(drop).unwrap_err())?;
    assert_eq!((conflict.table(), conflict.key().to_string().as_str()), ("line", "2"));
    assert_eq!(stored(&context).await?, "p@1 10@1 20@2 30@1 60@1");
    Ok(())
}

async fn a_deleted_child_stops_the_whole_save(context: Context) -> Outcome {
    create(&context).await?;
    let mut change = load(&context).await?;
    change.name = Set("q".to_owned());
    change.lines[2].qty = Set(31);
    context.sql("DELETE FROM line WHERE id = 3").await?;
    let conflict = conflict(change.save(&context.db).await.map(drop).unwrap_err())?;
    assert_eq!((conflict.table(), conflict.found()), ("line", &Found::Deleted));
    assert_eq!(stored(&context).await?, "p@1 10@1 20@1 60@1");
    Ok(())
}

async fn a_stale_only_child_stops_the_whole_save(context: Context) -> Outcome {
    create(&context).await?;
    let mut change = load(&context).await?;
    change.name = Set("q".to_owned());
    change.lines[0].qty = Set(11);
    change.receipt.as_mut().ok_or("no receipt")?.total = Set(100);
    context.sql("UPDATE receipt SET version = 2").await?;
    let conflict = conflict(change.save(&context.db).await.map(drop).unwrap_err())?;
    assert_eq!(
        (conflict.table(), conflict.key().to_string().as_str()),
        ("receipt", "1")
    );
    assert_eq!(stored(&context).await?, "p@1 10@1 20@1 30@1 60@2");
    Ok(())
}

async fn a_stale_parent_leaves_its_children_alone(context: Context) -> Outcome {
    create(&context).await?;
    let mut change = load(&context).await?;
    change.name = Set("q".to_owned());
    change.lines[0].qty = Set(11);
    change.lines.push(new_line(40));
    context.sql("UPDATE purchase SET version = 2").await?;
    let conflict = conflict(change.save(&context.db).await.map(drop).unwrap_err())?;
    assert_eq!(
        conflict.to_string(),
        "update of purchase 1 at version 1 conflicts: the row is at version 2"
    );
    assert_eq!(stored(&context).await?, "p@2 10@1 20@1 30@1 60@1");
    Ok(())
}

/// The other way round: a child that is saved saves its parent first.
async fn a_stale_parent_stops_the_save_of_its_child(context: Context) -> Outcome {
    create(&context).await?;
    let loaded = line::Entity::load()
        .filter(line::Column::Id.eq(1))
        .with(purchase::Entity)
        .one(&context.db)
        .await?;
    let mut change: line::ActiveModelEx = loaded.ok_or("gone")?.into_active_model();
    change.qty = Set(11);
    change.purchase.as_mut().ok_or("no purchase")?.name = Set("q".to_owned());
    let stale = change.clone();
    change.save(&context.db).await?;
    assert_eq!(stored(&context).await?, "q@2 11@2 20@1 30@1 60@1");
    context.sql("UPDATE line SET version = 1 WHERE id = 1").await?;
    let conflict = conflict(stale.save(&context.db).await.map(drop).unwrap_err())?;
    assert_eq!(conflict.table(), "purchase");
    assert_eq!(stored(&context).await?, "q@2 11@1 20@1 30@1 60@1");
    Ok(())
}

async fn a_delete_of_a_fresh_parent_takes_the_children_along(context: Context) -> Outcome {
    let inserted = create(&context).await?;
    inserted.delete(&context.db).await?;
    // A receipt can be without its purchase: it is let go, which is a change like any other.
    assert_eq!(stored(&context).await?, "60@2");
    assert_eq!(
        context
            .number("SELECT COUNT(*) FROM receipt WHERE purchase_id IS NULL")
            .await?,
        1
    );
    Ok(())
}

async fn a_delete_of_a_stale_parent_leaves_the_children(context: Context) -> Outcome {
    let stale = create(&context).await?;
    let model = purchase::Entity::find_by_id(1).one(&context.db).await?.ok_or("gone")?;
    context.sql("UPDATE purchase SET name = 'theirs', version = 2").await?;
    for err in [
        stale.clone().delete(&context.db).await.map(drop).unwrap_err(),
        stale
            .into_active_model()
            .delete(&context.db)
            .await
            .map(drop)
            .unwrap_err(),
        model.cascade_delete(&context.db).await.map(drop).unwrap_err(),
    ] {
        let conflict = conflict(err)?;
        assert_eq!(
            (conflict.table(), conflict.operation()),
            ("purchase", Operation::Delete)
        );
        assert_eq!(*conflict.found(), Found::Changed { version: 2_i64.into() });
        assert_eq!(stored(&context).await?, "theirs@2 10@1 20@1 30@1 60@1");
    }
    Ok(())
}

/// SeaORM does not write a parent in which nothing is `Set`. To guard the whole with the version of its root, `touch` it.
async fn a_changed_child_does_not_advance_an_unchanged_parent(context: Context) -> Outcome {
    create(&context).await?;
    let mut change = load(&context).await?;
    change.lines[0].qty = Set(11);
    let saved = change.save(&context.db).await?;
    assert_eq!(saved.version, Unchanged(1));
    assert_eq!(stored(&context).await?, "p@1 11@2 20@1 30@1 60@1");
    Ok(())
}

/// Nor does it ask whether such a parent is still there as it was.
async fn a_stale_parent_without_a_change_is_not_told(context: Context) -> Outcome {
    create(&context).await?;
    let mut change = load(&context).await?;
    change.lines[0].qty = Set(11);
    context.sql("UPDATE purchase SET version = 2").await?;
    context.sql("UPDATE line SET version = 2 WHERE id = 2").await?;
    change.save(&context.db).await?;
    assert_eq!(stored(&context).await?, "p@2 11@2 20@2 30@1 60@1");
    Ok(())
}

/// Children that are left out of a replacement are read and deleted in the same transaction, so they are deleted at
/// whatever version they are. Those that are kept are checked.
async fn children_that_are_replaced_are_deleted_as_they_are_now(context: Context) -> Outcome {
    create(&context).await?;
    let mut change = load(&context).await?;
    let mut kept = change.lines[1].clone();
    kept.qty = Set(21);
    change.lines.replace_all([kept, new_line(40)]);
    let stale = change.clone();
    context
        .sql("UPDATE line SET qty = 99, version = 2 WHERE id = 1")
        .await?;
    change.save(&context.db).await?;
    assert_eq!(stored(&context).await?, "p@1 21@2 40@1 60@1");

    let conflict = conflict(stale.save(&context.db).await.map(drop).unwrap_err())?;
    assert_eq!((conflict.table(), conflict.key().to_string().as_str()), ("line", "2"));
    assert_eq!(
        stored(&context).await?,
        "p@1 21@2 40@1 60@1",
        "line 4, which was to be replaced, is still there"
    );
    Ok(())
}

async fn an_only_child_that_is_replaced_is_let_go_and_advances(context: Context) -> Outcome {
    create(&context).await?;
    let change = load(&context).await?;
    let change = change.set_receipt(receipt::ActiveModel::builder().set_total(70));
    change.save(&context.db).await?;
    assert_eq!(stored(&context).await?, "p@1 10@1 20@1 30@1 60@2 70@1");
    assert_eq!(
        context
            .number("SELECT total FROM receipt WHERE purchase_id IS NULL")
            .await?,
        60
    );
    Ok(())
}

async fn a_versioned_parent_may_have_children_without_a_version(context: Context) -> Outcome {
    nested::create(&context).await?;
    let inserted = purchase::ActiveModel::builder()
        .set_name("p")
        .add_remark(remark::ActiveModel::builder().set_body("a"))
        .insert(&context.db)
        .await?;
    let mut change = inserted.into_active_model();
    change.name = Set("q".to_owned());
    change.remarks[0].body = Set("b".to_owned());
    let stale = change.clone();
    change.save(&context.db).await?;
    let bodies = "SELECT COUNT(*) FROM remark WHERE body = 'b'";
    assert_eq!(
        (stored(&context).await?.as_str(), context.number(bodies).await?),
        ("q@2", 1)
    );

    let mut stale = stale;
    stale.remarks[0].body = Set("c".to_owned());
    let conflict = conflict(stale.save(&context.db).await.map(drop).unwrap_err())?;
    assert_eq!(conflict.table(), "purchase");
    assert_eq!(
        (stored(&context).await?.as_str(), context.number(bodies).await?),
        ("q@2", 1)
    );
    Ok(())
}

async fn a_versioned_child_may_have_a_parent_without_a_version(context: Context) -> Outcome {
    nested::create(&context).await?;
    let inserted = shelf::ActiveModel::builder()
        .set_name("s")
        .add_book(book::ActiveModel::builder().set_title("a"))
        .add_book(book::ActiveModel::builder().set_title("b"))
        .insert(&context.db)
        .await?;
    assert_eq!(
        inserted.books.iter().map(|book| book.version).collect::<Vec<_>>(),
        [1, 1]
    );
    let stale = inserted.clone();
    let mut change = inserted.into_active_model();
    change.name = Set("t".to_owned());
    change.books[0].title = Set("x".to_owned());
    let saved = change.save(&context.db).await?;
    assert_eq!(saved.books[0].version, Unchanged(2));

    let mut late = stale.clone().into_active_model();
    late.name = Set("u".to_owned());
    late.books[0].title = Set("y".to_owned());
    let conflict = conflict(late.save(&context.db).await.map(drop).unwrap_err())?;
    assert_eq!(
        conflict.to_string(),
        "update of book 1 at version 1 conflicts: the row is at version 2"
    );
    let names = "SELECT COUNT(*) FROM shelf WHERE name = 't'";
    assert_eq!(context.number(names).await?, 1, "the parent is not written either");

    // Deleting the shelf lets the books go, each as it is now.
    stale.delete(&context.db).await?;
    let books = book::Entity::find().all(&context.db).await?;
    let mut versions: Vec<_> = books
        .iter()
        .map(|book| (book.id, book.shelf_id, book.version))
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, [(1, None, 3), (2, None, 2)]);
    Ok(())
}

/// SeaORM makes the rows of a junction in generic code, past the derive: their version is what the column's default
/// says, and links that are dropped are dropped at whatever version they are.
async fn links_are_made_where_their_version_has_a_default(context: Context) -> Outcome {
    nested::create(&context).await?;
    let inserted = purchase::ActiveModel::builder()
        .set_name("p")
        .add_tag(tag::ActiveModel::builder().set_label("a"))
        .add_tag(tag::ActiveModel::builder().set_label("b"))
        .insert(&context.db)
        .await?;
    assert_eq!(inserted.tags.iter().map(|tag| tag.version).collect::<Vec<_>>(), [1, 1]);
    let links = purchase_tag::Entity::find().all(&context.db).await?;
    assert_eq!(links.iter().map(|link| link.version).collect::<Vec<_>>(), [1, 1]);

    // The rows at the other end are checked like children, and a stale one takes the links back with it.
    let mut change = inserted.into_active_model();
    change.tags[0].label = Set("x".to_owned());
    change.tags.push(tag::ActiveModel::builder().set_label("c"));
    let stale = change.clone();
    let mut saved = change.save(&context.db).await?;
    assert_eq!(saved.tags[0].version, Unchanged(2));
    assert_eq!(context.number("SELECT COUNT(*) FROM purchase_tag").await?, 3);
    let conflict = conflict(stale.save(&context.db).await.map(drop).unwrap_err())?;
    assert_eq!((conflict.table(), conflict.key().to_string().as_str()), ("tag", "1"));
    assert_eq!(context.number("SELECT COUNT(*) FROM tag").await?, 3);

    context
        .sql("UPDATE purchase_tag SET version = 9 WHERE tag_id = 2")
        .await?;
    saved.tags = ActiveHasMany::Replace(vec![saved.tags[0].clone()]);
    saved.save(&context.db).await?;
    assert_eq!(context.number("SELECT COUNT(*) FROM purchase_tag").await?, 1);
    assert_eq!(context.number("SELECT COUNT(*) FROM tag").await?, 3);
    Ok(())
}

async fn links_are_refused_where_their_version_has_no_default(context: Context) -> Outcome {
    nested::create(&context).await?;
    let insert = purchase::ActiveModel::builder()
        .set_name("p")
        .add_badge(badge::ActiveModel::builder().set_label("a"));
    let err = Error::from(insert.insert(&context.db).await.map(drop).unwrap_err());
    assert_eq!(err.fault(), Some(optlock::Fault::NotNull), "{err:?}");
    for table in ["purchase", "badge", "purchase_badge"] {
        assert_eq!(context.number(&format!("SELECT COUNT(*) FROM {table}")).await?, 0);
    }
    // By hand it is a row like any other.
    let purchase = purchase::ActiveModel::builder()
        .set_name("p")
        .insert(&context.db)
        .await?;
    let badge = badge::ActiveModel::builder().set_label("a").insert(&context.db).await?;
    let link = purchase_badge::ActiveModel {
        purchase_id: Set(purchase.id),
        badge_id: Set(badge.id),
        version: NotSet,
    };
    assert_eq!(link.insert(&context.db).await?.version, 1);
    Ok(())
}

async fn a_nested_save_in_a_transaction_can_be_undone_in_part(context: Context) -> Outcome {
    use sea_orm::TransactionTrait;

    create(&context).await?;
    let mut change = load(&context).await?;
    change.name = Set("q".to_owned());
    change.lines[0].qty = Set(11);
    context.sql("UPDATE line SET version = 2 WHERE id = 1").await?;
    let txn = context.db.begin().await?;
    purchase::ActiveModel::builder().set_name("before").insert(&txn).await?;
    let conflict = conflict(change.save(&txn).await.map(drop).unwrap_err())?;
    assert_eq!(conflict.table(), "line");
    // The nested save was a savepoint: what came before it stands, and the transaction goes on.
    purchase::ActiveModel::builder().set_name("after").insert(&txn).await?;
    txn.commit().await?;
    assert_eq!(stored(&context).await?, "p@1 10@2 20@1 30@1 60@1");
    let others = "SELECT COUNT(*) FROM purchase WHERE name IN ('before', 'after')";
    assert_eq!(context.number(others).await?, 2);
    Ok(())
}
