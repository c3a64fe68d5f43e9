//! What must not be.

use std::fmt;

use crate::attempt::{Id, Key, Version};

/// What must not be, with all that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// These attempts changed the same version of a row, each without what the others wrote.
    LostUpdate {
        key: Key,
        read: Version,
        /// With the version that each stored.
        by: Vec<(Id, Version)>,
    },
    /// A version of a row has several writers.
    WrittenTwice { key: Key, version: Version, by: Vec<Id> },
    /// Versions that nobody wrote, and the first of those who read them, if anybody did.
    Skipped {
        key: Key,
        from: Version,
        to: Version,
        read_by: Option<Id>,
        /// Stored by somebody who has logged nothing.
        unlogged: Option<Id>,
    },
    /// The row ends at a higher version than all who wrote it explain.
    Surplus {
        key: Key,
        explained: Version,
        last: Version,
    },
    /// A version that was written or read is gone: the row ends at a lower one.
    Vanished {
        key: Key,
        version: Version,
        last: Version,
        by: Id,
        is_write: bool,
    },
    /// A version that was written or read is not above the one that the row had at first.
    Rewound {
        key: Key,
        version: Version,
        first: Version,
        by: Id,
        is_write: bool,
    },
    /// A write did not store the version after the one that it decided on.
    StaleRead {
        key: Key,
        by: Id,
        read: Version,
        wrote: Version,
    },
    /// One attempt is the writer of more versions of a row than it wrote.
    CountedTwice { key: Key, by: Id, versions: Vec<Version> },
    /// An attempt is the writer of another version than it says.
    Misplaced {
        key: Key,
        by: Id,
        said: Vec<Version>,
        seen: Vec<Version>,
    },
    /// A version is there that only refused attempts can have written.
    RefusedSeen { key: Key, version: Version, by: Vec<Id> },
    /// What began after an outcome was known has not seen it.
    OutOfOrder {
        key: Key,
        earlier: Id,
        /// What the earlier one wrote or read.
        version: Version,
        ended: u64,
        later: Id,
        /// What the later one saw.
        saw: Version,
        started: u64,
    },
    /// No order of these transactions explains what they saw: the shortest such cycle.
    Cycle(Vec<Edge>),
    /// Two attempts have one name, so that nothing that follows can be relied on.
    SameId(Id),
}

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub from: Id,
    pub to: Id,
    pub dependency: Dependency,
    pub key: Key,
    /// What the earlier one wrote or read.
    pub before: Version,
    /// What the later one wrote or read.
    pub after: Version,
}

/// What two transactions did to a row, the earlier one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    WriteWrite,
    WriteRead,
    ReadWrite,
}

impl fmt::Display for Violation {
    #[allow(clippy::too_many_lines, reason = "one arm for each")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LostUpdate { key, read, by } => {
                write!(
                    f,
                    "lost update of key {key}: read at version {read} and written by each of"
                )?;
                listed(f, by, |f, (id, version)| write!(f, "{id} (as {version})"))
            }
            Self::WrittenTwice { key, version, by } => {
                write!(f, "version {version} of key {key} was written by each of")?;
                listed(f, by, |f, id| write!(f, "{id}"))
            }
            Self::Skipped {
                key,
                from,
                to,
                read_by,
                unlogged,
            } => {
                write!(f, "nobody wrote version {from}")?;
                if to != from {
                    write!(f, " to {to}")?;
                }
                write!(f, " of key {key}, which is there")?;
                if let Some(id) = read_by {
                    write!(f, ", and was read by {id}")?;
                }
                match unlogged {
                    Some(id) => write!(f, "; it is said to be of {id}, which is in no log"),
                    None => Ok(()),
                }
            }
            Self::Surplus { key, explained, last } => {
                write!(
                    f,
                    "key {key} ends at version {last}, and all who wrote it explain no more than {explained}"
                )
            }
            Self::Vanished {
                key,
                version,
                last,
                by,
                is_write,
            } => {
                let did = did(*is_write);
                write!(f, "key {key} ends at version {last}, but {by} {did} version {version}")
            }
            Self::Rewound {
                key,
                version,
                first,
                by,
                is_write,
            } => {
                let did = did(*is_write);
                write!(
                    f,
                    "key {key} was at version {first} at first, but {by} {did} version {version}"
                )
            }
            Self::StaleRead { key, by, read, wrote } => {
                write!(
                    f,
                    "{by} decided on version {read} of key {key}, and its write stored {wrote}"
                )
            }
            Self::CountedTwice { key, by, versions } => {
                write!(f, "{by} is the writer of several versions of key {key}:")?;
                listed(f, versions, |f, version| write!(f, "{version}"))
            }
            Self::Misplaced { key, by, said, seen } => {
                write!(f, "{by} is the writer of key {key} at version")?;
                listed(f, seen, |f, version| write!(f, "{version}"))?;
                if said.is_empty() {
                    return f.write_str(", and says that it did not write it");
                }
                f.write_str(", and says that it wrote")?;
                listed(f, said, |f, version| write!(f, "{version}"))
            }
            Self::RefusedSeen { key, version, by } => {
                write!(
                    f,
                    "version {version} of key {key} is there, and only who was refused can have written it:"
                )?;
                listed(f, by, |f, id| write!(f, "{id}"))
            }
            Self::OutOfOrder {
                key,
                earlier,
                version,
                ended,
                later,
                saw,
                started,
            } => write!(
                f,
                "{later} began at {started} and saw key {key} at version {saw}, but {earlier} had known of version {version} by {ended}"
            ),
            Self::Cycle(edges) => {
                write!(f, "a cycle of {} transactions:", edges.len())?;
                edges.iter().try_for_each(|edge| write!(f, "\n  {edge}"))
            }
            Self::SameId(id) => write!(f, "several attempts have the name {id}"),
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from,
            to,
            key,
            before,
            after,
            ..
        } = self;
        match self.dependency {
            Dependency::WriteWrite => write!(
                f,
                "{from} wrote version {before} of key {key}, and {to} wrote {after} (ww)"
            ),
            Dependency::WriteRead => write!(f, "{from} wrote version {before} of key {key}, and {to} read it (wr)"),
            Dependency::ReadWrite => write!(
                f,
                "{from} read version {before} of key {key}, and {to} wrote {after} (rw)"
            ),
        }
    }
}

const fn did(is_write: bool) -> &'static str {
    if is_write { "wrote" } else { "read" }
}

/// As many as a reader has use for.
fn listed<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    const MOST: usize = 8;

    for (place, item) in items.iter().take(MOST).enumerate() {
        f.write_str(if place == 0 { " " } else { ", " })?;
        write(f, item)?;
    }
    match items.len().saturating_sub(MOST) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}
