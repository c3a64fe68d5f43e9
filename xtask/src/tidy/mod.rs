//! `cargo xtask tidy`: the rules of this code base that the compiler does not check.
//!
//! Each rule is a file here: a function from what it reads to what it complains about.

mod backend_names;
mod code;
mod core_mentions;
mod error_codes;
mod file_length;
mod guarantees;
mod imports;
mod layers;
mod machine_paths;
mod module_docs;
mod rust_version;
mod source;

use std::process::ExitCode;

use crate::error::{Error, Result};
use source::SourceFile;

pub(crate) fn run() -> Result<ExitCode> {
    check()?;
    Ok(ExitCode::SUCCESS)
}

/// Fails with every complaint about the tree.
pub(crate) fn check() -> Result<()> {
    let complaints = complaints()?;
    if complaints.is_empty() {
        return Ok(());
    }
    Err(Error::new(format!("the tree is not tidy:\n{}", complaints.join("\n"))))
}

fn complaints() -> Result<Vec<String>> {
    let core = source::under("optlock-core/src", ".rs")?;
    let derive = source::under("optlock-derive/src", ".rs")?;
    let facade = source::under("src", ".rs")?;
    let library: Vec<SourceFile> = [&core[..], &derive, &facade].concat();
    let own = [
        source::under("xtask/src", ".rs")?,
        source::under("tests", ".rs")?,
        source::under("benches/src", ".rs")?,
        source::under("benches/toasty-sqlite/src", ".rs")?,
    ]
    .concat();
    let public = [
        source::under("examples", ".rs")?,
        source::under("docs", ".md")?,
        source::under("README.md", ".md")?,
    ];

    let mut complaints = Vec::new();
    complaints.extend(module_docs::check(&[&library[..], &own].concat()));
    complaints.extend(imports::check(&layers::CORE, &core));
    complaints.extend(imports::check(&layers::DERIVE, &derive));
    complaints.extend(error_codes::check(&core));
    complaints.extend(backend_names::check(&core));
    complaints.extend(rust_version::check(&source::manifest()?, &source::metadata()?));
    complaints.extend(file_length::check(&library));
    complaints.extend(machine_paths::check(&source::tracked()?));
    complaints.extend(core_mentions::check(&public.concat()));
    let promises = [
        source::under("GUARANTEES.md", ".md")?,
        source::under("BACKENDS.md", ".md")?,
    ]
    .concat();
    complaints.extend(guarantees::check(&promises, &source::under("tests/it", ".rs")?));
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() -> crate::error::Result<()> {
        super::check()
    }
}
