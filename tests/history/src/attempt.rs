//! What a client logs.

use std::fmt;

/// The key of a row. Workloads with several tables give each its own range.
pub type Key = i64;

/// The version of a row: one more for each write.
pub type Version = i64;

/// The name of an attempt, of all processes. A workload can store it in the row beside the version, so that whoever reads the row sees whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

/// A row, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    pub version: Version,
    /// Who stored it, if the row says so.
    pub writer: Option<Id>,
}

/// What an attempt did to one row. One that writes a row twice has two of them for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    pub key: Key,
    /// The row that it decided on. `None` if it wrote without a look.
    pub read: Option<Seen>,
    /// The version that it stored, as it says, or would have stored if nobody knows. `None` if it wrote nothing. With neither of the two, and an unknown outcome, it may have
    /// stored one version, whichever was next.
    pub wrote: Option<Version>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// All of its writes are done.
    Committed,
    /// None of its writes is done, nor ever will be.
    Refused,
    /// All or none of them are done, or will be.
    Unknown,
}

/// One attempt to change rows, all or none: a write, or a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    pub id: Id,
    /// Nanoseconds of one clock, before the first read that it decided on.
    pub start: u64,
    /// Of the same clock, once the outcome was known, or known to be unknown.
    pub end: u64,
    pub outcome: Outcome,
    pub accesses: Vec<Access>,
}

impl Seen {
    /// A row that does not say who stored it.
    pub const fn at(version: Version) -> Self {
        Self { version, writer: None }
    }

    /// A row that says who stored it.
    pub const fn by(writer: Id, version: Version) -> Self {
        Self {
            version,
            writer: Some(writer),
        }
    }
}

impl Access {
    /// A row that was read, and written with the next version.
    pub const fn changed(key: Key, read: Seen) -> Self {
        Self {
            key,
            read: Some(read),
            wrote: Some(read.version + 1),
        }
    }

    /// A row that was read, and decided on.
    pub const fn read(key: Key, read: Seen) -> Self {
        Self {
            key,
            read: Some(read),
            wrote: None,
        }
    }

    /// A row that was written without a look.
    pub const fn wrote(key: Key, version: Version) -> Self {
        Self {
            key,
            read: None,
            wrote: Some(version),
        }
    }

    /// A row that may have been written without a look, with whatever version was next.
    pub const fn blind(key: Key) -> Self {
        Self {
            key,
            read: None,
            wrote: None,
        }
    }

    pub(crate) const fn is_blind(&self) -> bool {
        self.read.is_none() && self.wrote.is_none()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
