//! Writes to one row, and those that know no version.

use optlock::prelude::*;
use optlock::{Error, Upserted};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{Condition, TryIntoModel};

use super::super::command::{Cells, Delete, Draft, Form, InsertMany, Update, Write};
use super::super::item::{ActiveModel, Column, Entity};
use super::super::outcome::{Outcome, Row};
use super::{Handles, Site, batch, modify, told};

pub(in super::super) async fn write<S: Site>(site: &S, handles: &Handles, write: &Write) -> Outcome {
    match write {
        Write::Load { key, .. } => told(
            Entity::find_by_id(*key).one(site).await.map_err(Error::from),
            Outcome::Found,
        ),
        Write::Insert {
            key, cells, version, ..
        } => told(cells.active(*key, *version).insert(site).await, Outcome::Row),
        Write::InsertMany { rows, how } => insert_many(site, rows, *how).await,
        Write::Update { draft, how, .. } => update(site, handles, draft, *how).await,
        Write::Delete { handle, form, how } => delete(site, &handles[*handle], *form, *how).await,
        Write::Upsert { draft, .. } => upsert(site, draft.active(handles)).await,
        Write::UpsertNew {
            key, cells, version, ..
        } => upsert(site, cells.active(*key, *version)).await,
        Write::UpdateById {
            key,
            add,
            at_least,
            returns,
            ..
        } => {
            let update = Entity::update_by_id(*key)
                .col_expr(Column::Qty, qty_plus(*add))
                .filter(at_least_of(*at_least));
            if *returns {
                told(update.exec(site).await, Outcome::Row)
            } else {
                told(update.exec_without_returning(site).await, |result| {
                    Outcome::Count(result.rows_affected)
                })
            }
        }
        Write::UpdateMany {
            add,
            at_least,
            returns,
            assigns_version,
        } => {
            let mut update = Entity::update_many()
                .col_expr(Column::Qty, qty_plus(*add))
                .filter(at_least_of(*at_least));
            if *assigns_version {
                update = update.col_expr(Column::Version, Expr::val(7));
            }
            if *returns {
                told(update.exec_with_returning(site).await, in_order)
            } else {
                told(update.exec(site).await, |result| Outcome::Count(result.rows_affected))
            }
        }
        Write::DeleteById { key } => {
            let deleted = Entity::delete_by_id(*key).exec(site).await;
            told(deleted.map_err(Error::from), |result| {
                Outcome::Count(result.rows_affected)
            })
        }
        Write::DeleteMany { at_least } => {
            let deleted = Entity::delete_many().filter(at_least_of(*at_least)).exec(site).await;
            told(deleted.map_err(Error::from), |result| {
                Outcome::Count(result.rows_affected)
            })
        }
        Write::Modify { .. } | Write::ModifyModel { .. } | Write::ModifyOrInsert { .. } | Write::ModifyAll { .. } => {
            modify::modify(site, handles, write).await
        }
        Write::UpdateBatch { drafts, mode } => batch::update(site, handles, drafts, *mode).await,
        Write::DeleteBatch { drafts, mode } => batch::delete(site, handles, drafts, *mode).await,
    }
}

async fn insert_many<S: Site>(site: &S, rows: &[(i64, Cells)], how: InsertMany) -> Outcome {
    let insert = Entity::insert_many(rows.iter().map(|(key, cells)| cells.active(*key, None)));
    match how {
        InsertMany::WithoutReturning => told(insert.exec_without_returning(site).await, Outcome::Count),
        InsertMany::InParts => told(insert.exec_in_parts(site).await, Outcome::Count),
        InsertMany::Returning => told(insert.exec_with_returning(site).await, in_order),
    }
}

async fn update<S: Site>(site: &S, handles: &Handles, draft: &Draft, how: Update) -> Outcome {
    let draft = Draft {
        change: draft.change_of(how),
        ..draft.clone()
    };
    let active = draft.active(handles);
    let updated = match how {
        Update::Method => active.update(site).await,
        Update::Touch => active.touch(site).await,
        Update::Save => match active.save(site).await {
            Ok(saved) => saved.try_into_model().map_err(Error::from),
            Err(err) => Err(err),
        },
        Update::Where { at_least } => {
            let update = Entity::update(active).filter(at_least_of(Some(at_least)));
            update.exec(site).await
        }
        Update::Expression { add } => {
            let update = Entity::update(active).col_expr(Column::Qty, qty_plus(add));
            update.exec(site).await
        }
        Update::WithoutReturning => {
            return told(active.update_without_returning(site).await, |result| {
                Outcome::Count(result.rows_affected)
            });
        }
    };
    told(updated, Outcome::Row)
}

async fn delete<S: Site>(site: &S, handle: &Row, form: Form, how: Delete) -> Outcome {
    let active = form.active(handle);
    let deleted = match how {
        Delete::Method if form == Form::Loaded => handle.clone().delete(site).await,
        Delete::Method => active.delete(site).await,
        Delete::Where { at_least } => {
            let delete = Entity::delete(active).filter(at_least_of(Some(at_least)));
            delete.exec(site).await
        }
        Delete::Returning => return told(Entity::delete(active).exec_with_returning(site).await, Outcome::Found),
    };
    told(deleted, |result| Outcome::Count(result.rows_affected))
}

async fn upsert<S: Site>(site: &S, active: ActiveModel) -> Outcome {
    told(Entity::upsert(active).exec(site).await, |upserted| {
        let is_inserted = matches!(upserted, Upserted::Inserted(_));
        Outcome::Upserted {
            is_inserted,
            row: upserted.into_model(),
        }
    })
}

/// The order of what one statement returns is not promised.
fn in_order(mut rows: Vec<Row>) -> Outcome {
    rows.sort_by_key(|row| row.id);
    Outcome::Rows(rows)
}

fn qty_plus(number: i64) -> Expr {
    Expr::col(Column::Qty).add(number)
}

fn at_least_of(least: Option<i64>) -> Condition {
    Condition::all().add_option(least.map(|least| Column::Qty.gte(least)))
}
