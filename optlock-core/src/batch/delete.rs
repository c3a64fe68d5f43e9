//! Deletes of rows, each at its own version.

use sea_orm::sea_query::Condition;

use super::rows::{Mode, Rows};
use super::run::Batch;
use super::write::executed;
use crate::backend::capabilities;
use crate::diagnosis::{blocked, compare};
use crate::entity::Versioned;
use crate::error::{Conflict, Error, Operation};
use crate::lock_mode::LockWait;
use crate::row::version_of;
use crate::transaction::OpenTransaction;

pub(super) struct Deletes<E: Versioned> {
    rows: Rows<E>,
    mode: Mode,
}

impl<E: Versioned> Deletes<E> {
    pub(super) fn of(models: &[E::ActiveModel], mode: Mode) -> Result<Self, Error> {
        let rows = Rows::of(models, Operation::DeleteBatch)?;
        Ok(Self { rows, mode })
    }

    /// Deletes these rows, and returns those among which some are left, all of them or up to the first if it `stops`.
    async fn write<T: OpenTransaction>(&self, txn: &T, indices: &[usize], stops: bool) -> Result<Vec<usize>, Error> {
        let batching = capabilities(txn.get_database_backend()).batching;
        let mut short = Vec::new();
        for chunk in indices.chunks(batching.deleted_rows) {
            let rows = chunk.iter().map(|index| self.rows.row(*index).as_expected());
            let any = rows.fold(Condition::any(), Condition::add);
            let delete = (batching.delete)(E::default().table_ref(), any);
            let deleted = executed::<E, T>(txn, self.rows.operation(), delete).await?;
            if self.rows.is_short(txn, chunk, deleted).await? {
                short.extend_from_slice(chunk);
                if stops {
                    break;
                }
            }
        }
        Ok(short)
    }
}

impl<E: Versioned> Batch for Deletes<E> {
    type Output = Vec<Result<(), Conflict>>;

    async fn at_once<T: OpenTransaction>(&self, txn: &T, _: LockWait) -> Result<Option<Self::Output>, Error> {
        let short = self.write(txn, &self.rows.ordered(|_| true), true).await?;
        Ok(short.is_empty().then(|| (0..self.rows.len()).map(|_| Ok(())).collect()))
    }

    async fn under_locks<T: OpenTransaction>(&self, txn: &T, wait: LockWait) -> Result<Self::Output, Error> {
        let mut verdicts = self.rows.unknown();
        let all = self.rows.ordered(|_| true);
        for (index, verdict) in all.iter().zip(self.rows.judge(txn, wait, &all).await?) {
            verdicts[*index] = Some(verdict.map(drop));
        }
        if self.mode == Mode::AllOrNone {
            self.rows.all_or_none(&verdicts)?;
        }
        let expected = self.rows.ordered(|index| matches!(verdicts[index], Some(Ok(()))));
        let short = self.write(txn, &expected, false).await?;
        let held = self.rows.hold(txn, wait, &short).await?;
        let operation = self.rows.operation();
        for (index, model) in short.iter().zip(held) {
            let row = self.rows.row(*index);
            match model {
                // It was deleted: nobody else could have.
                None => {}
                Some(model) if version_of::<E>(&model)? == row.expected => {
                    verdicts[*index] = Some(Err(blocked(row, operation, model)));
                }
                Some(model) => verdicts[*index] = Some(compare(row, operation, Some(model))?.map(drop)),
            }
        }
        if self.mode == Mode::AllOrNone {
            self.rows.all_or_none(&verdicts)?;
        }
        Ok(verdicts.into_iter().flatten().collect())
    }
}
