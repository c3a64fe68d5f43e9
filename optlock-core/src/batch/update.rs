//! Updates of rows, each with what its own active model sets.

use std::collections::{BTreeMap, HashMap};

use sea_orm::sea_query::ValueTuple;
use sea_orm::{ActiveModelTrait, DbBackend, EntityTrait, FromQueryResult, IdenStatic, ModelTrait, Statement};

use super::rows::{Mode, Rows};
use super::run::Batch;
use super::statement::Statements;
use super::write::{executed, sent};
use crate::advance::next;
use crate::diagnosis::{blocked, compare};
use crate::entity::Versioned;
use crate::error::{Conflict, Error, Operation};
use crate::lock_mode::LockWait;
use crate::readback::{Knowledge, stored};
use crate::returning::is_available;
use crate::row::version_of;
use crate::transaction::OpenTransaction;
use crate::update::changes;
use crate::version::{Kind, Repr, VersionType};

/// What is to be written to one row.
pub(super) struct Change<E: Versioned> {
    /// The columns that are `Set`, the version not among them.
    pub(super) columns: Vec<E::Column>,
    pub(super) next: E::Version,
    knowledge: Knowledge,
}

pub(super) struct Updates<E: Versioned> {
    pub(super) rows: Rows<E>,
    /// Each with its next version, if it has a change.
    pub(super) models: Vec<E::ActiveModel>,
    /// `None` for a row to which nothing is to be written.
    pub(super) changes: Vec<Option<Change<E>>>,
    mode: Mode,
    reads: Reads,
}

/// Which rows are read once they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// None.
    None,
    /// Those that are not known.
    Unknown,
    /// All, where that takes no further statement.
    All,
}

/// What came of a row: its model, if it was asked for.
pub(super) type Verdict<E> = Result<Option<<E as EntityTrait>::Model>, Conflict>;

/// What a number of statements have written.
struct Written<E: Versioned> {
    /// The rows that they returned, by their keys.
    returned: HashMap<ValueTuple, E::Model>,
    /// Those among which some were not written.
    short: Vec<usize>,
}

impl<E: Versioned> Updates<E> {
    pub(super) fn of(
        mut models: Vec<E::ActiveModel>,
        backend: DbBackend,
        operation: Operation,
        mode: Mode,
        reads: Reads,
    ) -> Result<Self, Error> {
        let rows = Rows::<E>::of(&models, operation)?;
        let mut all = Vec::with_capacity(models.len());
        for (index, model) in models.iter_mut().enumerate() {
            let columns: Vec<_> = changes::<E>(model).map(|(column, _)| column).collect();
            if columns.is_empty() {
                all.push(None);
                continue;
            }
            let next = next::<E>(backend, &rows.row(index).expected, operation)?;
            let knowledge = Knowledge::of_update::<E>(model);
            model.try_set(E::version_column(), next.clone().into())?;
            all.push(Some(Change {
                columns,
                next,
                knowledge,
            }));
        }
        // A version that the column may round must be seen.
        let is_rounded = <E::Version as VersionType>::Repr::KIND == Kind::Timestamp;
        Ok(Self {
            rows,
            models,
            changes: all,
            mode,
            reads: if is_rounded { Reads::All } else { reads },
        })
    }

    /// Sends the updates of these rows, and stops at the first that is not written if `stops` says so.
    async fn write<T: OpenTransaction>(&self, txn: &T, indices: &[usize], stops: bool) -> Result<Written<E>, Error> {
        let mut written = Written {
            returned: HashMap::new(),
            short: Vec::new(),
        };
        let mut groups: BTreeMap<Vec<&'static str>, Vec<usize>> = BTreeMap::new();
        for index in indices {
            groups.entry(self.columns_of(*index)).or_default().push(*index);
        }
        for group in groups.into_values() {
            let returns = self.returns(txn, &group);
            let statements = Statements::of(self, &group, txn.get_database_backend(), returns);
            for (chunk, statement) in statements.chunks() {
                let rows = if returns {
                    self.returning(txn, statement, &mut written.returned).await?
                } else {
                    executed::<E, T>(txn, self.rows.operation(), statement).await?
                };
                let is_short = self.rows.is_short(txn, chunk, rows).await?;
                if is_short {
                    written.short.extend(chunk);
                    if stops {
                        return Ok(written);
                    }
                }
            }
        }
        Ok(written)
    }

    /// The names of the columns that are set.
    fn columns_of(&self, index: usize) -> Vec<&'static str> {
        let change = self.changes[index].iter();
        change
            .flat_map(|change| change.columns.iter().map(IdenStatic::as_str))
            .collect()
    }

    /// Whether the update is to return these rows.
    fn returns<T: OpenTransaction>(&self, txn: &T, indices: &[usize]) -> bool {
        let is_wanted = match self.reads {
            Reads::None => false,
            Reads::Unknown => !indices.iter().all(|index| self.is_known(*index)),
            Reads::All => true,
        };
        is_wanted && is_available(txn)
    }

    fn is_known(&self, index: usize) -> bool {
        self.changes[index]
            .as_ref()
            .is_some_and(|change| change.knowledge == Knowledge::Exact)
    }

    async fn returning<T: OpenTransaction>(
        &self,
        txn: &T,
        statement: Statement,
        returned: &mut HashMap<ValueTuple, E::Model>,
    ) -> Result<u64, Error> {
        let rows = sent::<E, T, _>(txn, self.rows.operation(), txn.query_all_raw(statement)).await?;
        for row in &rows {
            let model = E::Model::from_query_result(row, "")?;
            returned.insert(model.get_primary_key_value(), model);
        }
        Ok(rows.len() as u64)
    }

    /// The models of rows that were written.
    async fn models<T: OpenTransaction>(
        &self,
        txn: &T,
        wait: LockWait,
        written: &mut Written<E>,
        indices: &[usize],
        verdicts: &mut [Option<Verdict<E>>],
    ) -> Result<(), Error> {
        let mut unread = Vec::new();
        for index in indices {
            let model = if self.reads == Reads::None {
                None
            } else if let Some(model) = written.returned.remove(self.rows.key(*index)) {
                Some(self.stored(*index, model)?)
            } else if self.is_known(*index) {
                Some(E::into_model(self.models[*index].clone())?)
            } else {
                unread.push(*index);
                None
            };
            verdicts[*index] = Some(Ok(model));
        }
        if !unread.is_empty() {
            // Nobody else can have changed them: we hold their locks.
            for (index, model) in unread.iter().zip(self.rows.hold(txn, wait, &unread).await?) {
                verdicts[*index] = Some(match model {
                    Some(model) => Ok(Some(self.stored(*index, model)?)),
                    // A trigger has deleted it after it was written.
                    None => compare(self.rows.row(*index), self.rows.operation(), None)?.map(Some),
                });
            }
        }
        Ok(())
    }

    fn stored(&self, index: usize, model: E::Model) -> Result<E::Model, Error> {
        match &self.changes[index] {
            Some(change) => stored::<E>(model, change.next.clone(), self.rows.operation()),
            None => Ok(model),
        }
    }

    /// Writes rows whose locks are held.
    pub(super) async fn write_held<T: OpenTransaction>(
        &self,
        txn: &T,
        wait: LockWait,
        mut changed: Vec<usize>,
        verdicts: &mut [Option<Verdict<E>>],
    ) -> Result<(), Error> {
        let mut written = self.write(txn, &changed, false).await?;
        if !written.short.is_empty() {
            self.held_back(txn, wait, &mut written, verdicts).await?;
            changed.retain(|index| !matches!(verdicts[*index], Some(Err(_))));
        }
        self.models(txn, wait, &mut written, &changed, verdicts).await
    }

    /// What became of rows that are locked, some of which an update has not reached: a trigger or a policy has held them back.
    async fn held_back<T: OpenTransaction>(
        &self,
        txn: &T,
        wait: LockWait,
        written: &mut Written<E>,
        verdicts: &mut [Option<Verdict<E>>],
    ) -> Result<(), Error> {
        let operation = self.rows.operation();
        let unclear = std::mem::take(&mut written.short);
        let held = self.rows.hold(txn, wait, &unclear).await?;
        for (index, model) in unclear.into_iter().zip(held) {
            let row = self.rows.row(index);
            let key = self.rows.key(index);
            let next = self.changes[index].as_ref().map(|change| &change.next);
            match model {
                _ if written.returned.contains_key(key) => {}
                Some(model) if version_of::<E>(&model)? == row.expected => {
                    verdicts[index] = Some(Err(blocked(row, operation, model)));
                }
                Some(model) if Some(&version_of::<E>(&model)?) == next => {
                    written.returned.insert(key.clone(), model);
                }
                model => verdicts[index] = Some(compare(row, operation, model)?.map(Some)),
            }
        }
        Ok(())
    }
}

impl<E: Versioned> Batch for Updates<E> {
    type Output = Vec<Verdict<E>>;

    async fn at_once<T: OpenTransaction>(&self, txn: &T, wait: LockWait) -> Result<Option<Self::Output>, Error> {
        let mut verdicts = self.rows.unknown();
        let unchanged = self.rows.ordered(|index| self.changes[index].is_none());
        if !unchanged.is_empty() {
            for (index, verdict) in unchanged.iter().zip(self.rows.judge(txn, wait, &unchanged).await?) {
                let Ok(model) = verdict else {
                    return Ok(None);
                };
                verdicts[*index] = Some(Ok(Some(model)));
            }
        }
        let changed = self.rows.ordered(|index| self.changes[index].is_some());
        let mut written = self.write(txn, &changed, true).await?;
        if !written.short.is_empty() {
            return Ok(None);
        }
        self.models(txn, wait, &mut written, &changed, &mut verdicts).await?;
        let verdicts: Vec<_> = verdicts.into_iter().flatten().collect();
        Ok(verdicts.iter().all(Result::is_ok).then_some(verdicts))
    }

    async fn under_locks<T: OpenTransaction>(&self, txn: &T, wait: LockWait) -> Result<Self::Output, Error> {
        let mut verdicts = self.rows.unknown();
        let all = self.rows.ordered(|_| true);
        for (index, verdict) in all.iter().zip(self.rows.judge(txn, wait, &all).await?) {
            verdicts[*index] = Some(verdict.map(Some));
        }
        if self.mode == Mode::AllOrNone {
            self.rows.all_or_none(&verdicts)?;
        }
        let is_to_write = |index: usize| self.changes[index].is_some() && matches!(verdicts[index], Some(Ok(_)));
        let changed = self.rows.ordered(is_to_write);
        self.write_held(txn, wait, changed, &mut verdicts).await?;
        if self.mode == Mode::AllOrNone {
            self.rows.all_or_none(&verdicts)?;
        }
        Ok(verdicts.into_iter().flatten().collect())
    }
}
