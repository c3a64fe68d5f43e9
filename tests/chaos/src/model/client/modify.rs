//! Read, change and write as one call.

use optlock::Policy;
use optlock::prelude::*;

use super::super::command::Write;
use super::super::item::{ActiveModel, Entity};
use super::super::outcome::{Outcome, Row};
use super::{Handles, Refusal, Site};

const COMBINED: Policy<'static> = Policy::new().combine();

/// In a transaction there is no policy, and nobody to combine with.
pub(super) async fn modify<S: Site>(site: &S, handles: &Handles, write: &Write) -> Outcome {
    let combining = |combines: &bool| site.connection().filter(|_| *combines);
    let modified = match write {
        Write::Modify {
            key, edit, combines, ..
        } => {
            let edit = |row: &mut Row| edit.make(row);
            match combining(combines) {
                Some(db) => COMBINED.try_modify(Entity, db, *key, edit).await,
                None => Entity::try_modify(site, *key, edit).await,
            }
        }
        Write::ModifyModel {
            handle, edit, combines, ..
        } => {
            let model = handles[*handle].clone();
            let edit = |row: &mut Row| edit.make(row);
            match combining(combines) {
                Some(db) => COMBINED.try_modify_model(model, db, edit).await,
                None => model.try_modify(site, edit).await,
            }
        }
        Write::ModifyOrInsert {
            key,
            new,
            edit,
            combines,
            ..
        } => {
            // The key is set by the library.
            let new = || ActiveModel {
                id: NotSet,
                ..new.active(*key, None)
            };
            let edit = |row: &mut Row| edit.make(row);
            match combining(combines) {
                Some(db) => COMBINED.try_modify_or_insert(Entity, db, *key, new, edit).await,
                None => Entity::try_modify_or_insert(site, *key, new, edit).await,
            }
        }
        Write::ModifyAll { keys, edit } => {
            let modified = Entity::try_modify_all(site, keys.iter().copied(), |row: &mut Row| edit.make(row));
            return modified.await.map_or_else(refused, Outcome::Rows);
        }
        _ => unreachable!("no modification: {write:?}"),
    };
    modified.map_or_else(refused, Outcome::Row)
}

fn refused(refusal: Refusal) -> Outcome {
    match refusal {
        Refusal::Own => Outcome::Own,
        Refusal::Store(err) => err.into(),
    }
}
