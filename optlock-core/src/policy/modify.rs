//! What a policy says about changes of rows.

use std::time::Duration;

use super::Policy;
use crate::lock_mode::LockWait;

/// What callers of one process who want the same row do about each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queueing {
    /// Nothing.
    Never,
    /// They come one after another.
    Queue,
    /// They do that, and what those who wait have changed is stored by one write.
    Combine,
}

impl Policy<'_> {
    /// After how many conflicts [`modify`](Self::modify) locks the row ahead of the next round; 3 by default, 0 for always. A row that many callers of this
    /// process have lost at within the last seconds is locked from the first round on.
    pub const fn lock_after(mut self, conflicts: u32) -> Self {
        self.lost_rounds = Some(conflicts);
        self
    }

    /// Never locks a row for [`modify`](Self::modify), however many conflicts it has.
    pub const fn never_lock(mut self) -> Self {
        self.lost_rounds = None;
        self
    }

    /// How long [`modify`](Self::modify) and [`modify_all`](Self::modify_all) wait for a lock, in place of what the session is set to (for ever on PostgreSQL,
    /// 50 seconds on MySQL and MariaDB); whole seconds, rounded up, on MySQL and MariaDB. Then it is
    /// [`Fault::LockTimeout`](crate::Fault::LockTimeout). On SQLite it is the `BEGIN` that waits, for the busy timeout of the connection, 5 seconds by default.
    pub const fn lock_wait(mut self, limit: Duration) -> Self {
        self.lock_wait = Some(limit);
        self
    }

    /// Lets the callers of [`modify`](Self::modify) in this process who want the same row get in each other's way, as those of other processes
    /// do. Without it they queue up, in memory and ahead of the pool, so that none of them conflicts with another; on SQLite, those who want
    /// different rows do so for the write, too. A queue in which nothing moves
    /// for five seconds, half a second where it is for the write, is left by those who wait in it. The wait counts neither as an attempt nor, ahead of the first one, for the deadline.
    pub const fn never_queue(mut self) -> Self {
        self.queueing = Queueing::Never;
        self
    }

    /// Stores with one write what all callers of [`modify`](Self::modify) have changed who wait for the same row in this process, if they say this, too. That is many
    /// times as fast for a row that everybody wants.
    ///
    /// The closures are applied one after another, each to the row as the one before has left it, and the version advances once for each.
    /// Every caller is answered after the write, with the row as its own closure has left it; one that refuses or changes nothing has no part
    /// in it. A write that fails stores nothing of anybody: after a conflict all are applied again, and after an error that can be due to one
    /// of them, each is stored on its own. So a closure can run several times in one attempt.
    ///
    /// What differs from a write for each: triggers and audit tables see one update, of all that has changed. SeaORM's
    /// save hooks run once for it. Columns that the database rounds or fills are as stored in the last caller's row alone. A check by the
    /// database applies to the row that is stored, and not to what it was in between. Of a caller who is dropped before the write asks for a connection, nothing is stored; after that, its change is stored with the
    /// others'. Hooks run in a task of their own, without the task-locals of the caller's.
    ///
    /// Outside of a pool, for a round that locks the row, and for a caller who has left a queue that stood still, it is as if it were not said.
    pub const fn combine(mut self) -> Self {
        self.queueing = Queueing::Combine;
        self
    }

    pub(crate) const fn queueing(&self) -> Queueing {
        self.queueing
    }

    /// `None` for any number of them.
    pub(crate) const fn lost_rounds(&self) -> Option<u32> {
        self.lost_rounds
    }

    pub(crate) fn lock_waits(&self) -> LockWait {
        self.lock_wait.map_or(LockWait::AsSet, LockWait::at_most)
    }
}
