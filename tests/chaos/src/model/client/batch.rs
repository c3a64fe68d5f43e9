//! Many rows that were loaded, each at its own version.

use super::super::command::{Draft, Mode};
use super::super::item::{ActiveModel, Entity};
use super::super::outcome::{Loss, Outcome};
use super::{Handles, Site, told};

pub(super) async fn update<S: Site>(site: &S, handles: &Handles, drafts: &[Draft], mode: Mode) -> Outcome {
    let batch = Entity::update_batch(active(handles, drafts));
    match mode {
        Mode::AllOrNone => told(batch.exec(site).await, Outcome::Rows),
        Mode::WithoutReturning => told(batch.exec_without_returning(site).await, |result| {
            Outcome::Count(result.rows_affected)
        }),
        Mode::Each => told(batch.exec_each(site).await, |verdicts| {
            let verdicts = verdicts.into_iter();
            Outcome::Verdicts(
                verdicts
                    .map(|verdict| verdict.map(Some).map_err(|conflict| Loss::from(&conflict)))
                    .collect(),
            )
        }),
    }
}

pub(super) async fn delete<S: Site>(site: &S, handles: &Handles, drafts: &[Draft], mode: Mode) -> Outcome {
    let batch = Entity::delete_batch(active(handles, drafts));
    match mode {
        Mode::AllOrNone | Mode::WithoutReturning => {
            told(batch.exec(site).await, |result| Outcome::Count(result.rows_affected))
        }
        Mode::Each => told(batch.exec_each(site).await, |verdicts| {
            let verdicts = verdicts.into_iter();
            Outcome::Verdicts(
                verdicts
                    .map(|verdict| verdict.map(|()| None).map_err(|conflict| Loss::from(&conflict)))
                    .collect(),
            )
        }),
    }
}

fn active(handles: &Handles, drafts: &[Draft]) -> Vec<ActiveModel> {
    drafts.iter().map(|draft| draft.active(handles)).collect()
}
