//! What servers are started for, which decides about their settings.

use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Fast, and not durable: the data lives no longer than the run.
    Tests,
    /// Durable, since what a commit costs is a part of what is measured.
    Figures,
}

impl Purpose {
    pub(super) fn from_name(name: &str) -> Result<Self> {
        [Self::Tests, Self::Figures]
            .into_iter()
            .find(|purpose| purpose.name() == name)
            .ok_or_else(|| Error::new(format!("servers are started for no such purpose as `{name}`")))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tests => "tests",
            Self::Figures => "figures",
        }
    }
}
