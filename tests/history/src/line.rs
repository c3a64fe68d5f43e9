//! An attempt as one line of text, for processes that print what they did:
//!
//! ```text
//! 17 1000 2500 committed 1:3@16:4 2:7:- 3:-:5
//! ```
//!
//! is the attempt with the id 17 from 1000 to 2500, which read key 1 at the version 3, stored by 16, and wrote 4; read key 2 at 7; and wrote key 3 at 5 without a look.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use crate::attempt::{Access, Attempt, Id, Outcome, Seen};

const NOTHING: &str = "-";

/// A line that is no attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnAttempt(String);

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            start,
            end,
            outcome,
            accesses,
        } = self;
        write!(f, "{} {start} {end} {outcome}", id.0)?;
        accesses.iter().try_for_each(|access| write!(f, " {access}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Committed => "committed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.key)?;
        match self.read {
            None => f.write_str(NOTHING)?,
            Some(Seen { version, writer: None }) => write!(f, "{version}")?,
            Some(Seen {
                version,
                writer: Some(writer),
            }) => write!(f, "{version}@{}", writer.0)?,
        }
        match self.wrote {
            None => write!(f, ":{NOTHING}"),
            Some(version) => write!(f, ":{version}"),
        }
    }
}

impl FromStr for Attempt {
    type Err = NotAnAttempt;

    fn from_str(line: &str) -> Result<Self, NotAnAttempt> {
        attempt(line).ok_or_else(|| NotAnAttempt(line.to_owned()))
    }
}

impl fmt::Display for NotAnAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an attempt: {}", self.0)
    }
}

impl Error for NotAnAttempt {}

fn attempt(line: &str) -> Option<Attempt> {
    let mut words = line.split_ascii_whitespace();
    Some(Attempt {
        id: Id(words.next()?.parse().ok()?),
        start: words.next()?.parse().ok()?,
        end: words.next()?.parse().ok()?,
        outcome: outcome(words.next()?)?,
        accesses: words.map(access).collect::<Option<_>>()?,
    })
}

fn outcome(word: &str) -> Option<Outcome> {
    [Outcome::Committed, Outcome::Refused, Outcome::Unknown]
        .into_iter()
        .find(|outcome| outcome.to_string() == word)
}

fn access(word: &str) -> Option<Access> {
    let [key, read, wrote] = word.split(':').collect::<Vec<_>>()[..] else {
        return None;
    };
    Some(Access {
        key: key.parse().ok()?,
        read: if read == NOTHING { None } else { Some(seen(read)?) },
        wrote: if wrote == NOTHING {
            None
        } else {
            Some(wrote.parse().ok()?)
        },
    })
}

fn seen(word: &str) -> Option<Seen> {
    Some(match word.split_once('@') {
        None => Seen::at(word.parse().ok()?),
        Some((version, writer)) => Seen::by(Id(writer.parse().ok()?), version.parse().ok()?),
    })
}
