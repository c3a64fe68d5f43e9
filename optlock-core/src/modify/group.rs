//! Callers who want the same row, and store what they have changed by one write.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use sea_orm::{ActiveModelBehavior, ActiveModelTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, ModelTrait};
use tokio::sync::oneshot::{Receiver, Sender, channel};

use super::known::Known;
use super::round::{Failure, Target};
use crate::advance::next;
use crate::backend::Redo;
use crate::change::changes;
use crate::entity::Versioned;
use crate::error::{Error, Operation, OutcomeUnknown, fault};
use crate::queue::{Queue, Turn};
use crate::row::version_of;
use crate::to_its_end::to_its_end;
use crate::update::UpdateOne;

/// What a turn leaves for the next one.
pub(super) enum Left<M> {
    /// The row as it was stored. Whoever takes it over need not read it, but must prove it: the write does.
    Row(M),
    /// What several callers have made of the row, which nobody has stored yet.
    Group(Group<M>),
}

/// What several callers have made of a row, until one of them stores it.
pub(super) struct Group<M> {
    target: Target,
    /// The row as it is stored, as far as is known.
    stored: M,
    /// Whether that is known to be so since the first member came.
    is_current: bool,
    /// The row with the changes of all members.
    row: M,
    /// The last member who has changed it.
    last: Option<usize>,
    members: Vec<Sender<Outcome<M>>>,
}

/// How it went, for one member.
enum Outcome<M> {
    /// What the group has made of the row is stored. The last one who has changed it is told how.
    Stored(Option<M>),
    /// It is stored, and SeaORM's hook after that has failed.
    AfterStored(Error),
    NotStored {
        error: Error,
        /// Whether it can be due to what somebody else has changed.
        is_shared: bool,
    },
    /// Nobody has changed anything, and the row is not what it was taken for.
    Misread,
}

/// What a member's part in a group comes to.
pub(super) enum Part<M, E> {
    Done(M),
    Failed(Failure<E>),
    /// There is no row.
    Missing,
    /// To be done without the others: one of them, or this one, cannot be stored.
    Alone,
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
    loop {
        let mut mine = match turn.take() {
            Some(turn) => turn,
            None => queue.turn_in_time().await,
        };
        let mut group = match mine.take() {
            Some(Left::Group(group)) => group,
            Some(Left::Row(row)) => Group::new(target, row, false),
            None => match known.take_or_read::<En>(db, target).await {
                Ok(Some((row, is_current))) => Group::new(target, row, is_current),
                Ok(None) => {
                    *turn = Some(mine);
                    return Part::Missing;
                }
                Err(err) => return Part::Failed(Failure::Read(err)),
            },
        };
        let joined = group.join::<En, E>(db.get_database_backend(), closure);
        mine.leave(Left::Group(group));
        drop(mine);
        let (own, told) = match joined {
            Ok(joined) => joined,
            Err(err) => return Part::Failed(Failure::Write(err)),
        };
        match outcome::<En>(db, queue, told).await {
            Some(Outcome::Stored(stored)) => {
                return own.map_or_else(
                    |refusal| Part::Failed(Failure::Refused(refusal)),
                    |own| Part::Done(stored.unwrap_or(own)),
                );
            }
            Some(Outcome::AfterStored(err)) => return Part::Failed(Failure::After(err)),
            Some(Outcome::NotStored { error, is_shared }) => {
                return if is_shared && fault(&error).redo() == Redo::Never {
                    Part::Alone
                } else {
                    Part::Failed(Failure::Write(error))
                };
            }
            // Without an outcome, whoever held the group is gone, and nothing was sent.
            Some(Outcome::Misread) | None => {}
        }
    }
}

/// Stores what a group has made of a row, and tells its members. Once begun, it comes to its end, whoever is still there.
pub(super) async fn store<En: Versioned>(db: &DatabaseConnection, turn: Turn, group: Group<En::Model>) -> Turn {
    let db = db.clone();
    to_its_end(true, async move { group.store::<En>(&db, turn).await }).await
}

/// Waits for the outcome, and writes if the turn comes first.
async fn outcome<En: Versioned>(
    db: &DatabaseConnection,
    queue: &Queue,
    mut told: Receiver<Outcome<En::Model>>,
) -> Option<Outcome<En::Model>> {
    let first = {
        let mut turn = pin!(queue.turn_in_time());
        poll_fn(|cx| match Pin::new(&mut told).poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Err(outcome.ok())),
            Poll::Pending => turn.as_mut().poll(cx).map(Ok),
        })
        .await
    };
    match first {
        Err(outcome) => return outcome,
        Ok(mut turn) => match turn.take::<Left<En::Model>>() {
            Some(Left::Group(group)) => drop(store::<En>(db, turn, group).await),
            // The group has been stored meanwhile.
            Some(row @ Left::Row(_)) => turn.leave(row),
            None => {}
        },
    }
    told.await.ok()
}

impl<M: ModelTrait + Send + 'static> Group<M> {
    fn new(target: &Target, row: M, is_current: bool) -> Self {
        Self {
            target: target.clone(),
            stored: row.clone(),
            is_current,
            row,
            last: None,
            members: Vec::new(),
        }
    }

    /// Applies a closure to what the others have made of the row. Returns what it has made of that, and how the outcome will be told.
    fn join<En, E>(
        &mut self,
        backend: DbBackend,
        closure: &mut impl FnMut(&mut M) -> Result<(), E>,
    ) -> Result<(Result<M, E>, Receiver<Outcome<M>>), Error>
    where
        En: Versioned<Model = M>,
        M: ModelTrait<Entity = En>,
    {
        let mut after = self.row.clone();
        let own = match closure(&mut after) {
            Ok(()) => {
                if changes::<M>(&self.row, &after, backend)?.is_changed() {
                    let version = next::<En>(backend, &version_of::<En>(&self.row)?, Operation::Update)?;
                    after.try_set(En::version_column(), version.into())?;
                    self.row = after.clone();
                    self.last = Some(self.members.len());
                }
                Ok(after)
            }
            Err(refusal) => Err(refusal),
        };
        let (tell, told) = channel();
        self.members.push(tell);
        Ok((own, told))
    }

    async fn is_still_stored<En>(&self, db: &DatabaseConnection) -> Result<bool, Error>
    where
        En: Versioned<Model = M>,
        M: ModelTrait<Entity = En>,
    {
        Ok(match self.target.read::<En>(db).await? {
            Some(row) => version_of::<En>(&row)? == version_of::<En>(&self.stored)?,
            None => false,
        })
    }

    async fn store<En>(mut self, db: &DatabaseConnection, mut turn: Turn) -> Turn
    where
        En: Versioned<Model = M>,
        M: ModelTrait<Entity = En>,
    {
        let members = Writing(std::mem::take(&mut self.members));
        let Some(last) = self.last else {
            // There is no write that would prove it, and who came later may know better than who came first.
            let proof = if self.is_current && members.len() == 1 {
                Ok(true)
            } else {
                self.is_still_stored::<En>(db).await
            };
            if matches!(proof, Ok(true)) && turn.has_followers() {
                turn.leave(Left::Row(self.stored));
            }
            members.tell(|_| match &proof {
                Ok(true) => Outcome::Stored(None),
                Ok(false) => Outcome::Misread,
                Err(error) => Outcome::NotStored {
                    error: error.clone(),
                    is_shared: false,
                },
            });
            return turn;
        };
        let stored = match update::<En>(db, &self.stored, &self.row).await {
            Ok(stored) => stored,
            Err(error) => {
                let is_shared = members.len() > 1;
                members.tell(|_| Outcome::NotStored {
                    error: error.clone(),
                    is_shared,
                });
                return turn;
            }
        };
        if turn.has_followers() {
            turn.leave(Left::Row(stored.clone()));
        }
        match En::ActiveModel::after_save(stored, db, false).await {
            Ok(stored) => members.tell(|member| Outcome::Stored((member == last).then(|| stored.clone()))),
            Err(err) => {
                let err = Error::from(err);
                members.tell(|_| Outcome::AfterStored(err.clone()));
            }
        }
        turn
    }
}

/// Writes a row over the one that is stored, at the version that the changes of all have come to.
async fn update<En: Versioned>(
    db: &DatabaseConnection,
    stored: &En::Model,
    row: &En::Model,
) -> Result<En::Model, Error> {
    let version = version_of::<En>(row)?;
    let mut at_version = row.clone();
    at_version.try_set(En::version_column(), stored.get(En::version_column()))?;
    let model = changes::<En::Model>(stored, &at_version, db.get_database_backend())?;
    let model = <En as EntityTrait>::ActiveModel::before_save(model, db, false).await?;
    UpdateOne::<En>::advance_to(model, version).exec(db).await
}

/// Those who wait for the outcome of a write that has begun. If it does not come to its end, they are told that, too.
struct Writing<M>(Vec<Sender<Outcome<M>>>);

impl<M> Writing<M> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn tell(mut self, outcome: impl Fn(usize) -> Outcome<M>) {
        for (member, tell) in std::mem::take(&mut self.0).into_iter().enumerate() {
            // Whoever is gone does not want to know.
            let _ = tell.send(outcome(member));
        }
    }
}

impl<M> Drop for Writing<M> {
    fn drop(&mut self) {
        for tell in self.0.drain(..) {
            let cause = DbErr::Custom("the write was given up half-way".to_owned());
            let _ = tell.send(Outcome::NotStored {
                error: OutcomeUnknown::new(cause).into(),
                is_shared: true,
            });
        }
    }
}
