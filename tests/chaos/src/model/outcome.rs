//! What a command comes to, whoever says so: the library or the reference.

use optlock::{Conflict, Error, Fault, Operation, RowKey};

use super::item;

pub(super) type Row = item::Model;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Row(Row),
    Rows(Vec<Row>),
    /// What a read has found.
    Found(Option<Row>),
    Count(u64),
    Upserted {
        is_inserted: bool,
        row: Row,
    },
    Verdicts(Vec<Result<Option<Row>, Loss>>),
    Conflict(Loss),
    Conflicts {
        rows: usize,
        losses: Vec<(usize, Loss)>,
    },
    Refused {
        operation: Operation,
        key: i64,
        current: Option<Row>,
    },
    Missing {
        wanted: usize,
        found: usize,
        missing: Vec<i64>,
    },
    NotSet {
        operation: Operation,
        column: String,
    },
    DuplicateKey {
        operation: Operation,
        key: i64,
    },
    VersionAssigned(Operation),
    Overflow(Operation),
    Unsupported,
    /// The error of a unique constraint.
    Unique,
    /// The error of the server for a version that it cannot advance.
    OutOfRange,
    TransactionFailed,
    /// The error of the closure's own.
    Own,
    Other(String),
}

/// A conflict, with all that it says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Loss {
    pub(super) operation: Operation,
    pub(super) key: i64,
    /// `None` where no row was expected.
    pub(super) expected: Option<i64>,
    pub(super) found: Found,
    pub(super) current: Option<Row>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Changed { version: i64 },
    Deleted,
    Blocked,
    Unknown,
}

impl Outcome {
    /// How many conflicts it tells.
    pub(super) fn conflicts(&self) -> u64 {
        let count = match self {
            Self::Conflict(_) => 1,
            Self::Conflicts { losses, .. } => losses.len(),
            Self::Verdicts(verdicts) => verdicts.iter().filter(|verdict| verdict.is_err()).count(),
            _ => 0,
        };
        count as u64
    }

    /// What is told, in a word.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        vec![match self {
            Self::Row(_) => "a row",
            Self::Rows(_) => "rows",
            Self::Found(Some(_)) => "a row that was found",
            Self::Found(None) => "no row",
            Self::Count(_) => "a count",
            Self::Upserted { is_inserted: true, .. } => "inserted",
            Self::Upserted { .. } => "updated",
            Self::Verdicts(verdicts) => {
                let losses = verdicts.iter().filter_map(|verdict| verdict.as_ref().err());
                return losses.map(Loss::kind).chain(["verdicts"]).collect();
            }
            Self::Conflict(loss) => loss.kind(),
            Self::Conflicts { losses, .. } => {
                let losses = losses.iter().map(|(_, loss)| loss.kind());
                return losses.chain(["conflicts"]).collect();
            }
            Self::Refused { .. } => "refused",
            Self::Missing { .. } => "missing rows",
            Self::NotSet { .. } => "not set",
            Self::DuplicateKey { .. } => "a key twice",
            Self::VersionAssigned(_) => "a version that is assigned",
            Self::Overflow(_) => "an overflow",
            Self::Unsupported => "unsupported",
            Self::Unique => "a key that is taken",
            Self::OutOfRange => "a number out of range",
            Self::TransactionFailed => "a transaction that had failed",
            Self::Own => "the closure's own error",
            Self::Other(_) => "another error",
        }]
    }

    /// The row that came back.
    pub(super) fn row(&self) -> Option<&Row> {
        match self {
            Self::Row(row) | Self::Found(Some(row)) | Self::Upserted { row, .. } => Some(row),
            _ => None,
        }
    }
}

impl Loss {
    fn kind(&self) -> &'static str {
        match self.found {
            Found::Changed { .. } => "changed",
            Found::Deleted => "deleted",
            Found::Blocked => "blocked",
            Found::Unknown => "unknown",
        }
    }
}

impl From<Error> for Outcome {
    fn from(err: Error) -> Self {
        match &err {
            Error::Conflict(conflict) => Self::Conflict(conflict.into()),
            Error::Conflicts(conflicts) => Self::Conflicts {
                rows: conflicts.rows(),
                losses: conflicts
                    .iter()
                    .map(|(index, conflict)| (index, conflict.into()))
                    .collect(),
            },
            Error::Refused(refused) => Self::Refused {
                operation: refused.operation(),
                key: key(refused.key()),
                current: refused.current().cloned(),
            },
            Error::MissingRows(missing) => Self::Missing {
                wanted: missing.wanted(),
                found: missing.found(),
                missing: missing.missing().iter().map(key).collect(),
            },
            Error::NotSet(not_set) => Self::NotSet {
                operation: not_set.operation(),
                column: not_set.column().to_owned(),
            },
            Error::DuplicateKey(twice) => Self::DuplicateKey {
                operation: twice.operation(),
                key: key(twice.key()),
            },
            Error::VersionAssigned(assigned) => Self::VersionAssigned(assigned.operation()),
            Error::Overflow(overflow) => Self::Overflow(overflow.operation()),
            Error::Unsupported(_) => Self::Unsupported,
            Error::TransactionFailed(_) => Self::TransactionFailed,
            Error::Database(err) if err.fault() == Fault::Unique => Self::Unique,
            Error::Database(err) if err.fault() == Fault::OutOfRange => Self::OutOfRange,
            _ => Self::Other(format!("{err:?}")),
        }
    }
}

impl From<&Conflict> for Loss {
    fn from(conflict: &Conflict) -> Self {
        assert_eq!(conflict.table(), "item");
        Self {
            operation: conflict.operation(),
            key: key(conflict.key()),
            expected: conflict.expected().get::<Option<i64>>().flatten(),
            found: match conflict.found() {
                optlock::Found::Changed { version } => Found::Changed {
                    version: version.get().expect("an i64"),
                },
                optlock::Found::Deleted => Found::Deleted,
                optlock::Found::Blocked => Found::Blocked,
                optlock::Found::Unknown => Found::Unknown,
            },
            current: conflict.current().cloned(),
        }
    }
}

fn key(key: &RowKey) -> i64 {
    key.to_string().parse().expect("an i64")
}
