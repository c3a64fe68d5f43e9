//! Error types that a retry can look into.

use std::error::Error as StdError;

use super::find::fault;
use crate::backend::Fault;

/// An error that a retry can look into: each type that implements `std::error::Error`, a boxed one, and what gives one out as
/// `AsRef<dyn Error + Send + Sync>`, which is what anyhow's and eyre's errors do.
///
/// `Kind` says by which of these; it is found by the compiler, and never written. For other types there are
/// [`Policy::retry_with`](crate::Policy::retry_with) and its siblings, which take a function.
#[diagnostic::on_unimplemented(
    message = "a retry cannot look into `{Self}`",
    label = "neither an error nor one that is boxed",
    note = "derive `thiserror::Error` for it, or say what it means: `policy.retry_with(|err| …, work)`"
)]
pub trait Classify<Kind> {
    /// What the error means: [`fault`](crate::fault()).
    fn classify(&self) -> Fault;
}

/// [`Classify`] by `std::error::Error`.
#[derive(Debug)]
pub enum ByError {}

/// [`Classify`] by `AsRef`.
#[derive(Debug)]
pub enum ByReference {}

/// [`Classify`] of a box whose error need not cross threads.
#[derive(Debug)]
pub enum ByBox {}

impl<E: StdError + 'static> Classify<ByError> for E {
    fn classify(&self) -> Fault {
        fault(self)
    }
}

impl<E: AsRef<dyn StdError + Send + Sync>> Classify<ByReference> for E {
    fn classify(&self) -> Fault {
        fault(self.as_ref())
    }
}

impl Classify<ByBox> for Box<dyn StdError> {
    fn classify(&self) -> Fault {
        fault(&**self)
    }
}
