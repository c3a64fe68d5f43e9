//! A turn in the queue for a row, in which the caller writes alone.

use std::any::TypeId;

use sea_orm::DatabaseConnection;

use super::group::{Left, is_left_whole};
use super::round::Target;
use crate::backend::pool;
use crate::entity::Versioned;
use crate::policy::{Policy, Queueing};
use crate::queue::{Queue, Turn};

/// The queue for a row, if the policy has its callers queue up.
pub(super) fn queue<En: Versioned>(policy: &Policy<'_>, db: &DatabaseConnection, target: &Target) -> Option<Queue> {
    if policy.queueing() == Queueing::Never {
        return None;
    }
    Some(Queue::of(pool(db)?, TypeId::of::<En>(), &target.key))
}

/// Begins a turn in which the caller writes alone: what others wait for is stored first. Returns the row that the last one has left.
pub(super) async fn begin_alone<En: Versioned>(db: &DatabaseConnection, turn: Option<&Turn>) -> Option<En::Model> {
    let turn = turn?;
    match turn.take()? {
        Left::<En>::Row(row) => Some(row),
        Left::Group(group) => {
            Box::pin(group.store(db, turn.queue(), None)).await;
            None
        }
    }
}

/// Ends a turn in which the row was read or stored as it is.
pub(super) fn end<En: Versioned>(turn: &mut Option<Turn>, row: &En::Model) {
    if let Some(turn) = turn.take()
        && turn.has_followers()
        && is_left_whole::<En>()
    {
        turn.leave(Left::<En>::Row(row.clone()));
    }
}
