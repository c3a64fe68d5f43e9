//! The one error of xtask: a sentence for the person at the terminal.

use std::fmt;
use std::io::Write as _;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) struct Error(String);

impl Error {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// Says what was being done when the cause struck; made for `map_err`.
    pub(crate) fn while_doing<E: fmt::Display>(action: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |cause| Self(format!("cannot {action}: {cause}"))
    }

    pub(crate) fn report(&self) {
        // Not `eprintln!`: the guard outlives its terminal, and must not panic for want of it.
        let _ = writeln!(std::io::stderr(), "xtask: {self}");
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The same: a unit test that fails with this error prints the sentence, line breaks and all.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
