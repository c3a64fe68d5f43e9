//! What a write of one row has come to.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult, QueryResult, Statement};

use crate::backend::Compound;
use crate::error::{Error, OutcomeUnknown, fault};
use crate::policy::Policy;
use crate::runner::attempt;
use crate::txn::Txn;

/// What a write has come to.
pub(super) struct Answer<M> {
    /// How many rows it has reached.
    pub(super) rows: u64,
    /// The row as it is now: as the write has stored it, if it has.
    pub(super) current: Result<Option<M>, DbErr>,
}

impl<M: FromQueryResult> Answer<M> {
    /// What a write has returned: its rows.
    pub(super) fn returned(rows: &[QueryResult]) -> Self {
        let row = rows.first().map(|row| M::from_query_result(row, ""));
        Self {
            rows: rows.len() as u64,
            current: row.transpose(),
        }
    }

    /// What a compound statement has returned: the number of rows, and the row.
    fn of(rows: &[QueryResult]) -> Result<Self, DbErr> {
        let (count, rows) = rows.split_first().ok_or(DbErr::RecordNotUpdated)?;
        let count: i64 = count.try_get_by_index(0)?;
        Ok(Self {
            rows: count.unsigned_abs(),
            ..Self::returned(rows)
        })
    }
}

/// Writes, reads and commits in one statement.
pub(super) async fn in_one<M>(
    db: &DatabaseConnection,
    compound: Compound,
    statement: Statement,
) -> Result<Answer<M>, Error>
where
    M: FromQueryResult + Send,
{
    let mut committed = None;
    let answer = &mut committed;
    let work = |txn: Txn| async move {
        let err = match txn.query_all_raw(statement).await {
            Ok(rows) => {
                *answer = Some(Answer::of(&rows));
                return Ok(());
            }
            Err(err) => err,
        };
        if compound.has_stored_nothing(&txn, &err).await {
            return Err(err.into());
        }
        Err(OutcomeUnknown::new(err).into())
    };
    let outcome = attempt(&Policy::new(), db, &|err: &Error| fault(err), work).await;
    match (committed, outcome) {
        // Whatever has become of the transaction: the write has been committed within it.
        (Some(answer), _) => answer.map_err(|err| OutcomeUnknown::new(err).into()),
        (None, Err(failed)) => Err(failed.error),
        (None, Ok(())) => Err(DbErr::RecordNotUpdated.into()),
    }
}
