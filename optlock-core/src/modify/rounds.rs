//! Rounds, until one is won.

use std::future::Future;
use std::pin::Pin;

use sea_orm::{ActiveModelTrait, DatabaseConnection, IsolationLevel};
use tracing::Instrument;

use super::heat::Heat;
use super::known::Known;
use super::part::{Part, take_part};
use super::round::{Failure, Target, after, apply, before, change, send};
use super::turn;
use super::writers::to_write;
use crate::backend::Fault;
use crate::clock::TOKIO_CLOCK;
use crate::entity::{Versioned, table};
use crate::error::Error;
use crate::policy::{Policy, Queueing, Run, Stop, Undone};
use crate::queue::{Queue, Turn};
use crate::runner::attempt;
use crate::txn::Txn;

/// What the caller has of the row.
pub(super) enum Base<M> {
    /// Its key.
    Key,
    /// The row as it was read some time ago.
    InHand(M),
}

/// How a row that is not there is made, if it is to be.
pub(super) type New<'a, En> = Option<&'a mut (dyn FnMut() -> <En as sea_orm::EntityTrait>::ActiveModel + Send)>;

/// Changes a row on a connection: reads it unless the caller has, applies the closure, writes, and does so again with the row that has won, until
/// the policy stops. The callers of this process come one after another; after some lost rounds, which are lost to somebody else, the row is locked first.
///
/// What few rounds come to is boxed, so that the future is no larger for it.
pub(super) async fn on_connection<En, E>(
    policy: &Policy<'_>,
    db: &DatabaseConnection,
    target: &Target,
    base: Base<En::Model>,
    mut new: New<'_, En>,
    mut closure: impl FnMut(&mut En::Model) -> Result<(), E> + Send,
) -> Result<En::Model, E>
where
    En: Versioned,
    E: From<Error> + Send,
{
    let mut policy = *policy;
    let heat = Heat::of(table::<En>(), &target.key, policy.clock_id());
    let mut known = Known {
        won: None,
        in_hand: match base {
            Base::Key => None,
            Base::InHand(model) => Some(model),
        },
    };
    let queue = turn::queue::<En>(&policy, db, target);
    let mut combines = policy.queueing() == Queueing::Combine;
    let patience = policy.lost_rounds();
    let mut lost = 0;
    let mut was_taken = false;
    let span = tracing::debug_span!("optlock.modify", table = table::<En>(), key = %target.row_key());
    let rounds = async {
        let mut turn = next_turn(queue.as_ref()).await;
        let mut run = Run::start(&policy);
        loop {
            let span = run.begin_in_span();
            let locks = patience.is_some_and(|rounds| lost >= rounds || heat.is_hot(run.now()));
            let mut counts = true;
            let round = async {
                if let (false, true, Some(queue), Some(_)) = (locks, combines, &queue, &turn) {
                    let part = take_part::<En, E>(db, target, queue, &mut turn, &mut known, &mut closure);
                    match Box::pin(part).await {
                        Part::Done(model) => return Ok(Some(model)),
                        Part::Failed {
                            failure,
                            counts: is_counted,
                        } => {
                            counts = is_counted;
                            return Err(known_of(failure));
                        }
                        Part::Missing => return Ok(None),
                        Part::Alone => {
                            combines = false;
                            turn = next_turn(Some(queue)).await;
                        }
                    }
                }
                let left = turn::begin_alone::<En>(db, turn.as_ref()).await;
                if locks {
                    // What was left is not needed: the row is read under the lock.
                    let locked = locked::<En, E>(&policy, db, target, &mut closure);
                    return holding(queue.as_ref(), Box::pin(locked)).await;
                }
                let changed = alone::<En, E>(db, target, left, queue.as_ref(), &mut turn, &mut known, &mut closure);
                changed.await.map_err(known_of)
            };
            let outcome = round.instrument(span.clone()).await;
            if !matches!(outcome, Ok(None) | Err((Failure::Read(_), _))) {
                was_taken = false;
            }
            let outcome = match (outcome, &mut new) {
                (Ok(Some(model)), _) => Ok(model),
                (Ok(None), None) => Err(known_of(Failure::Read(target.missing::<En>()))),
                (Ok(None), Some(new)) => {
                    let insert = target.insert::<En, E>(new(), db);
                    let insert = holding(queue.as_ref(), Box::pin(insert));
                    insert.instrument(span).await.map_err(known_of)
                }
                (Err(failure), _) => Err(failure),
            };
            let (failure, undone) = match outcome {
                Ok(model) => {
                    run.succeeded();
                    return Ok(model);
                }
                Err(failure) => failure,
            };
            if new.is_none() && failure.is_of_a_deleted_row(table::<En>(), target) {
                // There is nothing to read again.
                return Err(failure.into_error());
            }
            let mut fault = failure.fault();
            // Somebody else has inserted the row. If it is not there after all, it is another constraint.
            if fault == Fault::Unique && failure.is_of_insert() && !std::mem::replace(&mut was_taken, true) {
                fault = Fault::Stale;
            }
            if fault.is_conflict() && counts {
                lost += 1;
                heat.lost(run.now(), patience.is_some_and(|rounds| lost >= rounds));
            }
            if locks && fault == Fault::Serialization && policy.options().0.is_none() {
                // The session's level is one at which whoever has waited for a lock finds what was committed meanwhile a reason to fail.
                policy = policy.isolation(IsolationLevel::ReadCommitted);
            }
            known.won = failure.winner(table::<En>(), target);
            let next = next_round(&mut run, fault, undone, queue.as_ref(), &mut turn, &mut known);
            if next.await.is_err() {
                return Err(failure.into_error());
            }
        }
    };
    rounds.instrument(span).await
}

/// A round in which the row is not locked. `None` if it is not there.
async fn alone<En, E>(
    db: &DatabaseConnection,
    target: &Target,
    left: Option<En::Model>,
    queue: Option<&Queue>,
    turn: &mut Option<Turn>,
    known: &mut Known<En::Model>,
    closure: &mut (impl FnMut(&mut En::Model) -> Result<(), E> + Send),
) -> Result<Option<En::Model>, Failure<E>>
where
    En: Versioned,
    E: From<Error> + Send,
{
    let backend = db.get_database_backend();
    // The write proves what was left. If there is nothing to write, the row has to be read after all.
    let changed = left.and_then(|row| {
        let model = apply::<En, E>(&row, backend, closure).ok()?;
        model.is_changed().then_some(model)
    });
    if let Some(model) = changed {
        match write_in_turn::<En, E>(db, queue, model).await {
            Ok(stored) => return finish::<En, E>(db, queue, turn, stored).await,
            // Nobody had read the row during this call, so this was no round of it.
            Err(failure) if failure.is_lost(table::<En>(), target) => {
                known.won = failure.winner(table::<En>(), target);
            }
            Err(failure) => return Err(failure),
        }
    }
    let read = known.take_or_read::<En>(db, target).await.map_err(Failure::Read)?;
    let Some((before, is_current)) = read else {
        return Ok(None);
    };
    let model = apply::<En, E>(&before, backend, closure)?;
    // A row that has just been read needs no proof that nothing has happened to it.
    if is_current && !model.is_changed() {
        turn::end::<En>(turn, &before);
        return Ok(Some(before));
    }
    let stored = write_in_turn::<En, E>(db, queue, model).await?;
    finish::<En, E>(db, queue, turn, stored).await
}

/// Writes what the closure has changed, when it is the caller's turn to write.
async fn write_in_turn<En: Versioned, E>(
    db: &DatabaseConnection,
    queue: Option<&Queue>,
    model: En::ActiveModel,
) -> Result<En::Model, Failure<E>> {
    let written = async {
        let model = before::<En, E>(db, model).await?;
        let _turn = match queue {
            Some(_) => to_write(db).await,
            None => None,
        };
        send::<En, E>(db, model).await
    };
    holding(queue, Box::pin(written)).await
}

/// Gives up the turn when the row is stored, and does what comes after that.
async fn finish<En: Versioned, E>(
    db: &DatabaseConnection,
    queue: Option<&Queue>,
    turn: &mut Option<Turn>,
    stored: En::Model,
) -> Result<Option<En::Model>, Failure<E>> {
    turn::end::<En>(turn, &stored);
    holding(queue, Box::pin(after::<En, E>(db, stored))).await.map(Some)
}

/// Waits until the next round may begin, and has the turn for it. The turn is kept only if there is nothing to wait for.
async fn next_round<M>(
    run: &mut Run<'_>,
    fault: Fault,
    undone: Undone,
    queue: Option<&Queue>,
    turn: &mut Option<Turn>,
    known: &mut Known<M>,
) -> Result<(), Stop> {
    let pause = run.pause(fault, undone)?;
    let Some(queue) = queue else {
        if let Some(pause) = pause {
            pause.await;
        }
        return Ok(());
    };
    if let Some(pause) = pause {
        // Others go on meanwhile.
        drop(turn.take());
        let turns = queue.turns();
        pause.await;
        *turn = next_turn(Some(queue)).await;
        if queue.turns() != turns {
            // Somebody has written since.
            known.won = None;
        }
    } else if turn.is_none() {
        *turn = next_turn(Some(queue)).await;
    }
    run.in_time(fault)
}

async fn next_turn(queue: Option<&Queue>) -> Option<Turn> {
    // By the time of the machine: a policy's clock is for its delays.
    queue?.turn(&TOKIO_CLOCK).await
}

/// Runs what may call hooks in a turn. Boxed, since it is moved on the way.
async fn holding<F: Future>(queue: Option<&Queue>, work: Pin<Box<F>>) -> F::Output {
    match queue {
        Some(queue) => queue.holding(work).await,
        None => work.await,
    }
}

/// A failure outside of a transaction, and what is known of it.
fn known_of<E: From<Error>>(failure: Failure<E>) -> (Failure<E>, Undone) {
    let undone = failure.undone();
    (failure, undone)
}

/// A round in a transaction of its own that locks the row first. `None` if it is not there.
async fn locked<En, E>(
    policy: &Policy<'_>,
    db: &DatabaseConnection,
    target: &Target,
    closure: &mut (impl FnMut(&mut En::Model) -> Result<(), E> + Send),
) -> Result<Option<En::Model>, (Failure<E>, Undone)>
where
    En: Versioned,
    E: From<Error> + Send,
{
    tracing::debug!("locks the row first");
    let wait = policy.lock_waits();
    let work = |txn: Txn| async move {
        match target.lock::<En>(&txn, wait).await.map_err(Failure::Read)? {
            Some(before) => change::<En, E>(&txn, &before, true, closure).await.map(Some),
            None => Ok(None),
        }
    };
    let outcome = attempt(policy, db, &Failure::fault, work).await;
    outcome.map_err(|failed| (failed.error, failed.undone))
}
