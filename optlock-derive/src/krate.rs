//! Where the `optlock` crate is in the crate that uses a macro.

use syn::{Path, parse_quote};

/// The path of the `optlock` crate: what the user says, or its own name. The name in the user's `Cargo.toml` is not looked up: what could do that would be four crates
/// that an application of SeaORM does not build already.
pub(crate) fn optlock(krate: Option<&Path>) -> Path {
    krate.cloned().unwrap_or_else(|| parse_quote!(::optlock))
}
