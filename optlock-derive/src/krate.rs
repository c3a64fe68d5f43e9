//! Where the `optlock` crate is in the crate that uses a macro.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::Span;
use syn::{Path, parse_quote};

/// The path of the `optlock` crate: what the user says, or the name that it has in the user's `Cargo.toml`.
pub(crate) fn optlock(krate: Option<&Path>) -> Path {
    if let Some(path) = krate {
        return path.clone();
    }
    let name = match crate_name("optlock") {
        Ok(FoundCrate::Name(name)) => name,
        // Tests and examples of the crate itself. Where it is not found, the compiler says so.
        Ok(FoundCrate::Itself) | Err(_) => "optlock".to_owned(),
    };
    let name = proc_macro2::Ident::new(&name, Span::call_site());
    parse_quote!(::#name)
}
