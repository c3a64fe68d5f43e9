//! All the version checks of a batch that failed.

use std::fmt;
use std::iter::Map;
use std::slice;
use std::sync::Arc;

use super::reason::Reason;
use super::{Conflict, Operation};
use crate::backend::Fault;

/// The rows of a batch that are not as the caller read them: every one of them, each with its [`Conflict`] and its place in the caller's list. None of the
/// batch was written. There is always at least one.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use optlock::Error;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, stale) = fixture::stale().await?;
/// let mug = product::ActiveModel { id: Set(8), stock: Set(1), version: Set(1), ..Default::default() };
/// let batch = product::Entity::update_batch([stale, mug]);
/// let Err(Error::Conflicts(conflicts)) = batch.exec(&db).await else { panic!("conflicts") };
/// assert_eq!(conflicts.len(), 2);
/// for (index, conflict) in &conflicts {
///     println!("{index}: {conflict}");
/// }
/// assert_eq!(
///     conflicts.to_string(),
///     "2 of 2 rows of product are not as expected; \
///      the first: update_batch of product 7 at version 1 conflicts: the row is at version 2",
/// );
/// # Ok(())
/// # }
/// ```
// Behind an `Arc`, as a conflict is.
#[derive(Clone)]
pub struct Conflicts(Arc<Facts>);

struct Facts {
    rows: usize,
    conflicts: Vec<(usize, Conflict)>,
    reason: Reason,
}

impl Conflicts {
    /// `None` without a conflict. They are in the caller's order.
    pub(crate) fn new(rows: usize, conflicts: Vec<(usize, Conflict)>) -> Option<Self> {
        let mut faults = conflicts.iter().map(|(_, conflict)| conflict.fault());
        let first = faults.next()?;
        // Doing it all again helps only if it helps with each.
        let fault = faults.fold(
            first,
            |worst, fault| if fault == Fault::Blocked { fault } else { worst },
        );
        let reason = Reason::new(fault, None);
        Some(Self(Arc::new(Facts {
            rows,
            conflicts,
            reason,
        })))
    }

    /// The places of the rows in the caller's list, from zero, and their conflicts, in the caller's order.
    pub fn iter(&self) -> Iter<'_> {
        self.0.conflicts.iter().map(|(index, conflict)| (*index, conflict))
    }

    /// How many rows are not as expected.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.0.conflicts.len()
    }

    /// How many rows the batch has.
    pub fn rows(&self) -> usize {
        self.0.rows
    }

    /// The table of the rows.
    pub fn table(&self) -> &str {
        self.0.conflicts.first().map_or("", |(_, conflict)| conflict.table())
    }

    /// What was tried.
    pub fn operation(&self) -> Operation {
        let first = self.0.conflicts.first();
        first.map_or(Operation::UpdateBatch, |(_, conflict)| conflict.operation())
    }

    /// What they mean: as each of them means, but a blocked one counts for all.
    pub(crate) fn fault(&self) -> Fault {
        self.0.reason.fault()
    }
}

/// An iterator over [`Conflicts`].
type Iter<'a> = Map<slice::Iter<'a, (usize, Conflict)>, fn(&'a (usize, Conflict)) -> (usize, &'a Conflict)>;

impl<'a> IntoIterator for &'a Conflicts {
    type Item = (usize, &'a Conflict);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { rows, conflicts, .. } = &*self.0;
        write!(
            f,
            "{} of {rows} rows of {} are not as expected",
            conflicts.len(),
            self.table()
        )?;
        match conflicts.first() {
            Some((_, first)) => write!(f, "; the first: {first}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Conflicts {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.reason)
    }
}

/// Shows no column but the keys and the versions, like the message.
impl fmt::Debug for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflicts")
            .field("rows", &self.0.rows)
            .field("conflicts", &self.0.conflicts)
            .finish()
    }
}
