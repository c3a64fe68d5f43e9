//! What several callers have made of a row, stored by one write.

use std::panic::resume_unwind;

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, Iterable, ModelTrait,
};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tracing::Instrument;

use super::round::Target;
use super::writers::to_write;
use crate::advance::next;
use crate::backend::{Fault, Redo};
use crate::change::changes;
use crate::entity::{Role, Versioned};
use crate::error::{Error, Operation, OutcomeUnknown, fault};
use crate::queue::{Queue, Turn};
use crate::row::version_of;
use crate::update::UpdateOne;

/// What a turn leaves for the next one.
pub(super) enum Left<En: Versioned> {
    /// The row as it was stored. Whoever takes it over need not read it, but must prove it: the write does.
    Row(En::Model),
    /// What several callers have made of the row, which nobody has stored yet.
    Group(Group<En>),
}

/// What several callers have made of a row, until one of them stores it.
pub(super) struct Group<En: Versioned> {
    target: Target,
    /// The row as it is stored, as far as is known.
    stored: En::Model,
    /// Whether that is known to be so since the first member came.
    is_current: bool,
    /// The row with the changes of all members.
    row: En::Model,
    members: Vec<Member<En::Model>>,
}

struct Member<M> {
    tell: Sender<Outcome<M>>,
    has_changed: bool,
}

/// How it went, for one member.
pub(super) enum Outcome<M> {
    /// What the group has made of the row is stored. Those who left it as it is now are told how.
    Stored(Option<M>),
    /// It is stored, and SeaORM's hook after that has failed.
    AfterStored(Error),
    NotStored(NotStored),
    /// Nobody has changed anything, and the row is not what it was taken for.
    Misread,
}

#[derive(Clone)]
pub(super) struct NotStored {
    pub(super) error: Error,
    /// Whether nothing was done for certain, and what kept it from being done can be due to one member.
    pub(super) can_be_split: bool,
    /// Whether the row was taken over from whoever wrote it last, and nobody had read it.
    pub(super) was_inherited: bool,
    /// Whether this is the member by whom the group's loss is counted.
    pub(super) counts: bool,
}

/// How a closure has taken part.
pub(super) struct Joined<M, E> {
    /// The row as it has left it.
    pub(super) own: Result<M, E>,
    pub(super) has_changed: bool,
    /// How the outcome will be told. If it is not, nothing was sent.
    pub(super) told: Receiver<Outcome<M>>,
}

/// Whether the row that a write returns is all that the next closure needs. A trigger can change one after it was returned: only a read has its columns.
pub(super) fn is_left_whole<En: Versioned>() -> bool {
    En::Column::iter().all(|column| En::role(&column) != Role::Generated)
}

impl<En: Versioned> Group<En> {
    pub(super) fn new(target: &Target, row: En::Model, is_current: bool) -> Self {
        Self {
            target: target.clone(),
            stored: row.clone(),
            is_current,
            row,
            members: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Applies a closure to what the others have made of the row.
    pub(super) fn join<E>(
        &mut self,
        backend: DbBackend,
        closure: &mut impl FnMut(&mut En::Model) -> Result<(), E>,
    ) -> Result<Joined<En::Model, E>, Error> {
        let mut after = self.row.clone();
        let mut has_changed = false;
        let own = match closure(&mut after) {
            Ok(()) => {
                has_changed = changes::<En::Model>(&self.row, &after, backend)?.is_changed();
                if has_changed {
                    let version = next::<En>(backend, &version_of::<En>(&self.row)?, Operation::Update)?;
                    after.try_set(En::version_column(), version.into())?;
                    self.row = after.clone();
                }
                Ok(after)
            }
            Err(refusal) => Err(refusal),
        };
        let (tell, told) = channel();
        self.members.push(Member { tell, has_changed });
        Ok(Joined { own, has_changed, told })
    }

    /// Stores the row and tells the members. Once begun, it comes to its end in a task of its own, whoever is still there.
    pub(super) async fn store(self, db: &DatabaseConnection, queue: &Queue, turn: Option<Turn>) {
        let db = db.clone();
        let store = queue.holding(async move { self.store_here(&db, turn).await });
        let store = store.in_current_span();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                if let Err(err) = runtime.spawn(store).await
                    && let Ok(panic) = err.try_into_panic()
                {
                    // A hook's. The members have been told.
                    resume_unwind(panic);
                }
            }
            Err(_) => store.await,
        }
    }

    async fn store_here(self, db: &DatabaseConnection, turn: Option<Turn>) {
        let Some(last) = self.members.iter().rposition(|member| member.has_changed) else {
            return self.prove(db, turn).await;
        };
        let mut members = Writing {
            members: self.members,
            is_stored: false,
        };
        let stored = match update::<En>(db, &self.stored, &self.row, || members.has_lost_one()).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return members.apply_again(),
            Err(failed) => {
                let has_others = members.changes() > 1;
                members.tell(|member| {
                    Outcome::NotStored(NotStored {
                        error: failed.error.clone(),
                        can_be_split: has_others && failed.is_undone(),
                        was_inherited: !self.is_current,
                        counts: member == last,
                    })
                });
                return;
            }
        };
        members.is_stored = true;
        if let Some(turn) = turn
            && turn.has_followers()
            && is_left_whole::<En>()
        {
            turn.leave(Left::<En>::Row(stored.clone()));
        }
        match En::ActiveModel::after_save(stored, db, false).await {
            Ok(stored) => members.tell(|member| Outcome::Stored((member >= last).then(|| stored.clone()))),
            Err(err) => {
                let err = Error::from(err);
                members.tell(|_| Outcome::AfterStored(err.clone()));
            }
        }
    }

    /// There is nothing to write that would prove the row, and who came later may know better than who came first.
    async fn prove(mut self, db: &DatabaseConnection, turn: Option<Turn>) {
        let is_proved = (self.is_current && self.members.len() == 1)
            || match self.target.read::<En>(db).await {
                Ok(Some(row)) => {
                    matches!((version_of::<En>(&row), version_of::<En>(&self.stored)), (Ok(a), Ok(b)) if a == b)
                }
                // Each asks by itself, and has an error of its own.
                Ok(None) | Err(_) => false,
            };
        if let Some(turn) = turn
            && is_proved
            && turn.has_followers()
            && is_left_whole::<En>()
        {
            turn.leave(Left::<En>::Row(self.stored));
        }
        for member in self.members.drain(..) {
            let outcome = if is_proved {
                Outcome::Stored(None)
            } else {
                Outcome::Misread
            };
            // Whoever is gone does not want to know.
            let _ = member.tell.send(outcome);
        }
    }
}

/// An update that failed.
struct Failed {
    error: Error,
    is_sent: bool,
}

impl Failed {
    fn unsent(error: impl Into<Error>) -> Self {
        Self {
            error: error.into(),
            is_sent: false,
        }
    }

    /// Whether nothing was done for certain, by a decision of the schema's or of a hook's. What comes after the write is not among it.
    fn is_undone(&self) -> bool {
        let fault = fault(&self.error);
        if !self.is_sent {
            // What a hook has sent by itself may have been done.
            return fault.redo() != Redo::Unknown;
        }
        fault.is_constraint()
            || matches!(
                fault,
                Fault::Blocked | Fault::Raised | Fault::Cancelled | Fault::ReadOnly | Fault::OutOfLocks
            )
    }
}

/// Writes a row over the one that is stored, at the version that the changes of all have come to. `None` if it is not to be written any more.
async fn update<En: Versioned>(
    db: &DatabaseConnection,
    stored: &En::Model,
    row: &En::Model,
    is_void: impl Fn() -> bool + Send + Sync,
) -> Result<Option<En::Model>, Failed> {
    let version = version_of::<En>(row).map_err(Failed::unsent)?;
    let mut at_version = row.clone();
    let expected = stored.get(En::version_column());
    at_version
        .try_set(En::version_column(), expected)
        .map_err(Failed::unsent)?;
    let model = changes::<En::Model>(stored, &at_version, db.get_database_backend()).map_err(Failed::unsent)?;
    let model = <En as EntityTrait>::ActiveModel::before_save(model, db, false).await;
    let update = UpdateOne::<En>::advance_to(model.map_err(Failed::unsent)?, version);
    let _turn = to_write(db).await;
    if is_void() {
        return Ok(None);
    }
    let updated = update.exec(db).await;
    updated.map(Some).map_err(|error| Failed { error, is_sent: true })
}

/// Those who wait for the outcome of a write that has begun. If it does not come to its end, they are told that, too.
struct Writing<M> {
    members: Vec<Member<M>>,
    is_stored: bool,
}

impl<M> Writing<M> {
    fn changes(&self) -> usize {
        self.members.iter().filter(|member| member.has_changed).count()
    }

    /// Whether somebody is gone whose change is in the row. It must not be stored any more.
    fn has_lost_one(&self) -> bool {
        let is_lost = |member: &Member<M>| member.has_changed && member.tell.is_closed();
        self.members.iter().any(is_lost)
    }

    /// Has those who are left apply their closures again: nothing was sent.
    fn apply_again(mut self) {
        self.members.clear();
    }

    fn tell(mut self, outcome: impl Fn(usize) -> Outcome<M>) {
        while let Some(member) = self.members.pop() {
            // Whoever is gone does not want to know.
            let _ = member.tell.send(outcome(self.members.len()));
        }
    }
}

impl<M> Drop for Writing<M> {
    fn drop(&mut self) {
        for member in self.members.drain(..) {
            let outcome = if self.is_stored {
                Outcome::Stored(None)
            } else {
                let cause = DbErr::Custom("the write was given up half-way".to_owned());
                Outcome::NotStored(NotStored {
                    error: OutcomeUnknown::new(cause).into(),
                    can_be_split: false,
                    was_inherited: false,
                    counts: false,
                })
            };
            let _ = member.tell.send(outcome);
        }
    }
}
