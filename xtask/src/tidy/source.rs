//! What the rules read: files of the tree, and what git and cargo say about it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};
use crate::workspace;

/// A text file of the tree.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    /// From the root of the workspace, with `/` between the parts.
    pub(super) path: String,
    pub(super) text: String,
}

impl SourceFile {
    /// The part before the module of its unit tests, which by convention comes last. One that is a file of its own is only declared.
    pub(super) fn non_test_text(&self) -> &str {
        const MARK: &str = "#[cfg(test)]\nmod ";

        let is_body = |offset: &usize| {
            self.text[*offset + MARK.len()..]
                .lines()
                .next()
                .is_some_and(|name| name.contains('{'))
        };
        let mut modules = self.text.match_indices(MARK).map(|(offset, _)| offset);
        match modules.find(is_body) {
            Some(end) => &self.text[..end],
            None => &self.text,
        }
    }

    /// A complaint about the line at `offset` of the text.
    pub(super) fn complaint(&self, offset: usize, sentence: &str) -> String {
        let line = self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        format!("{}:{line}: {sentence}", self.path)
    }
}

/// The file `path`, or every file below it, whose name ends in `suffix`; nothing if there is no such path.
pub(super) fn under(path: &str, suffix: &str) -> Result<Vec<SourceFile>> {
    let full = workspace::root().join(path);
    if full.is_dir() {
        let mut names = Vec::new();
        for entry in fs::read_dir(&full).map_err(Error::while_doing(format_args!("list {path}")))? {
            let entry = entry.map_err(Error::while_doing(format_args!("list {path}")))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        let files = names.iter().map(|name| under(&format!("{path}/{name}"), suffix));
        return Ok(files.collect::<Result<Vec<_>>>()?.concat());
    }
    if path.ends_with(suffix) {
        Ok(read(path)?.into_iter().collect())
    } else {
        Ok(Vec::new())
    }
}

/// Every file that git tracks and that is still there.
pub(super) fn tracked() -> Result<Vec<SourceFile>> {
    let list = output("git", &["ls-files", "-z"])?;
    let files = list.split('\0').filter(|path| !path.is_empty()).map(read);
    Ok(files.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The workspace's `Cargo.toml`.
pub(super) fn manifest() -> Result<String> {
    let manifest = read("Cargo.toml")?;
    manifest
        .map(|file| file.text)
        .ok_or_else(|| Error::new("there is no Cargo.toml"))
}

/// What `cargo metadata` prints.
pub(super) fn metadata() -> Result<String> {
    let cargo = workspace::cargo(&["metadata", "--format-version", "1", "--locked"]);
    output_of(cargo)
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    output_of(workspace::command(program, arguments))
}

fn output_of(mut command: std::process::Command) -> Result<String> {
    let output = command
        .output()
        .map_err(Error::while_doing(format_args!("start {command:?}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!("{command:?} failed: {}", reason.trim())))
}

fn read(path: &str) -> Result<Option<SourceFile>> {
    let bytes = match fs::read(workspace::root().join(Path::new(path))) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::while_doing(format_args!("read {path}"))(error)),
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Some(SourceFile {
        path: path.to_owned(),
        text,
    }))
}
