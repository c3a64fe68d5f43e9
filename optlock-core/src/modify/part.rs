//! A caller's part in what those who want the same row store together.

use std::pin::Pin;

use sea_orm::DatabaseConnection;
use tokio::sync::oneshot::Receiver;

use super::group::{Group, Joined, Left, NotStored, Outcome};
use super::known::Known;
use super::round::{Failure, Target};
use crate::clock::TOKIO_CLOCK;
use crate::entity::Versioned;
use crate::error::fault;
use crate::queue::{Queue, Turn};

/// What a part in a group comes to.
pub(super) enum Part<M, E> {
    Done(M),
    Failed {
        failure: Failure<E>,
        /// Whether it is this caller by whom a loss is counted.
        counts: bool,
    },
    /// There is no row.
    Missing,
    /// To be done without the others.
    Alone,
}

impl<M, E> Part<M, E> {
    fn failed(failure: Failure<E>) -> Self {
        Self::Failed { failure, counts: true }
    }
}

/// Takes part in what the callers in the queue store together.
///
/// Each applies its closure when its turn has come, and queues up again. Whoever has the turn again first, and so after all those who had been waiting
/// by then, writes. If that one is gone, it is the next.
pub(super) async fn take_part<En, E>(
    db: &DatabaseConnection,
    target: &Target,
    queue: &Queue,
    turn: &mut Option<Turn>,
    known: &mut Known<En::Model>,
    closure: &mut (impl FnMut(&mut En::Model) -> Result<(), E> + Send),
) -> Part<En::Model, E>
where
    En: Versioned,
    E: Send,
{
    let mut has_lost_before = false;
    loop {
        if turn.is_none() {
            *turn = queue.turn(&TOKIO_CLOCK).await;
        }
        let Some(mine) = turn.take() else {
            return Part::Alone;
        };
        let mut group = match mine.take() {
            Some(Left::Group(group)) => group,
            Some(Left::<En>::Row(row)) => Group::new(target, row, false),
            None => match known.take_or_read::<En>(db, target).await {
                Ok(Some((row, is_current))) => Group::new(target, row, is_current),
                Ok(None) => {
                    *turn = Some(mine);
                    return Part::Missing;
                }
                Err(err) => return Part::failed(Failure::Read(err)),
            },
        };
        let joined = group.join::<E>(db.get_database_backend(), closure);
        if !group.is_empty() {
            mine.leave(Left::Group(group));
        }
        drop(mine);
        let Joined { own, has_changed, told } = match joined {
            Ok(joined) => joined,
            Err(err) => return Part::failed(Failure::Write(err)),
        };
        let own = own.map_err(|refusal| Part::failed(Failure::Refused(refusal)));
        match outcome::<En>(db, queue, told).await {
            Some(Outcome::Stored(stored)) => {
                return own.map_or_else(|refused| refused, |own| Part::Done(stored.unwrap_or(own)));
            }
            Some(Outcome::AfterStored(err)) if has_changed => return Part::failed(Failure::After(err)),
            // Nothing of what has failed is this caller's.
            Some(Outcome::AfterStored(_)) => return own.map_or_else(|refused| refused, Part::Done),
            Some(Outcome::NotStored(_)) if !has_changed => return Part::Alone,
            Some(Outcome::NotStored(NotStored {
                error,
                can_be_split,
                was_inherited,
                counts,
            })) => {
                if was_inherited && fault(&error).is_conflict() && !has_lost_before {
                    // Nobody has read the row during this call: it was never this caller's.
                    has_lost_before = true;
                } else if can_be_split {
                    return Part::Alone;
                } else {
                    let failure = Failure::Write(error);
                    return Part::Failed { failure, counts };
                }
            }
            Some(Outcome::Misread) => return Part::Alone,
            // Nothing was sent: whoever held the group is gone, or somebody whose change was in it.
            None => {}
        }
    }
}

/// Waits for the outcome, and writes if the turn comes first.
async fn outcome<En: Versioned>(
    db: &DatabaseConnection,
    queue: &Queue,
    mut told: Receiver<Outcome<En::Model>>,
) -> Option<Outcome<En::Model>> {
    let turn = match queue.turn_unless(Pin::new(&mut told), &TOKIO_CLOCK).await {
        Err(outcome) => return outcome.ok(),
        Ok(turn) => turn,
    };
    // Without a turn, too, if the queue stands still: the version guards the row.
    match queue.take::<Left<En>>() {
        Some(Left::Group(group)) => group.store(db, queue, turn).await,
        Some(row @ Left::Row(_)) => {
            if let Some(turn) = turn {
                turn.leave(row);
            }
        }
        None => drop(turn),
    }
    // It was stored, by this caller or meanwhile.
    told.await.ok()
}
