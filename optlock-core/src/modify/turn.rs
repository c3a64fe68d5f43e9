//! A turn in the queue for a row, in which the caller writes alone.

use std::any::TypeId;

use sea_orm::DatabaseConnection;

use super::group::{Left, store};
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
pub(super) async fn begin_alone<En: Versioned>(db: &DatabaseConnection, turn: &mut Option<Turn>) -> Option<En::Model> {
    let mut mine = turn.take()?;
    let mut left = mine.take();
    if let Some(Left::Group(group)) = left {
        mine = store::<En>(db, mine, group).await;
        left = mine.take();
    }
    *turn = Some(mine);
    match left? {
        Left::Row(row) => Some(row),
        Left::Group(_) => None,
    }
}

/// Ends a turn in which the row was read or stored as it is.
pub(super) fn end<M: Clone + Send + 'static>(turn: &mut Option<Turn>, row: &M) {
    if let Some(mut turn) = turn.take()
        && turn.has_followers()
    {
        turn.leave(Left::Row(row.clone()));
    }
}
