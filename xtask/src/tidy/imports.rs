//! Rule: a module imports only from lower layers.

use std::collections::BTreeSet;

use super::code::without_comments_and_strings;
use super::layers::Layers;
use super::source::SourceFile;

const TABLE: &str = "xtask/src/tidy/layers.rs";

pub(super) fn check(layers: &Layers, files: &[SourceFile]) -> Vec<String> {
    let modules: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| Module::of(file, layers))
        .map(|module| module.name)
        .collect();
    let mut complaints = disagreements(layers, &modules);
    for file in files {
        let Some(module) = Module::of(file, layers) else {
            continue;
        };
        let Some(level) = layers.level(module.name) else {
            continue;
        };
        let code = without_comments_and_strings(&file.text);
        for (offset, target) in references(&code, module.depth, file.non_test_text().len()) {
            let sentence = match layers.level(target) {
                _ if target == module.name => continue,
                Some(other) if other < level => continue,
                Some(_) => format!(
                    "`{}` may not import `{target}`, which is in no lower layer",
                    module.name
                ),
                // A module without a layer has its complaint already.
                None if modules.contains(target) => continue,
                None => {
                    format!("`{target}` is taken from the crate root, which is above: name the module that defines it")
                }
            };
            complaints.push(file.complaint(offset, &sentence));
        }
    }
    complaints
}

/// Complaints about modules that are in the table but not in the tree, or the other way round.
fn disagreements(layers: &Layers, modules: &BTreeSet<&str>) -> Vec<String> {
    let source = layers.source;
    let listed: BTreeSet<&str> = layers.layers.iter().copied().flatten().copied().collect();
    let fileless = listed
        .difference(modules)
        .map(|name| format!("{TABLE}: `{name}` has no file in {source}"));
    let unlisted = modules
        .difference(&listed)
        .map(|name| format!("{TABLE}: `{name}` of {source} has no layer"));
    fileless.chain(unlisted).collect()
}

impl Layers {
    fn level(&self, module: &str) -> Option<usize> {
        self.layers.iter().position(|layer| layer.contains(&module))
    }
}

/// Where a file stands in the tree of modules.
struct Module<'a> {
    /// The top-level module that the file belongs to.
    name: &'a str,
    /// How many `super::` lead from the file to the crate root.
    depth: usize,
}

impl<'a> Module<'a> {
    /// None for `lib.rs`, which is above every layer.
    fn of(file: &'a SourceFile, layers: &Layers) -> Option<Self> {
        let path = file
            .path
            .strip_prefix(layers.source)?
            .strip_prefix('/')?
            .strip_suffix(".rs")?;
        let path = path.strip_suffix("/mod").unwrap_or(path);
        let name = path.split('/').next().filter(|name| *name != "lib")?;
        Some(Self {
            name,
            depth: path.split('/').count(),
        })
    }
}

/// The names that follow `crate::` or its equivalent in `super::`, with their offsets.
fn references(code: &str, depth: usize, non_test_length: usize) -> Vec<(usize, &str)> {
    let absolute = code.match_indices("crate::").filter(|(offset, _)| {
        // `$crate` in a macro has to go through the root, wherever it is used.
        !code[..*offset].ends_with(|before: char| before == '$' || before == '_' || before.is_alphanumeric())
    });
    let climb = format!("use {}", "super::".repeat(depth));
    let relative = code.match_indices(&climb).filter(|(offset, _)| {
        // In a module of unit tests, one `super::` leads no further than the file's own module.
        *offset < non_test_length && !code[*offset + climb.len()..].starts_with("super::")
    });
    let paths = absolute
        .chain(relative)
        .map(|(offset, path)| (offset, &code[offset + path.len()..]));
    paths
        .flat_map(|(offset, rest)| first_names(rest).into_iter().map(move |name| (offset, name)))
        .collect()
}

/// The first name of the path at the start of `code`, or of each path in the braces there.
fn first_names(code: &str) -> Vec<&str> {
    let Some(group) = code.strip_prefix('{') else {
        return name(code).into_iter().collect();
    };
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (position, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.extend(name(&group[start..position]));
                start = position + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

fn name(path: &str) -> Option<&str> {
    let path = path.trim_start();
    let end = path
        .find(|character: char| character != '_' && !character.is_alphanumeric())
        .unwrap_or(path.len());
    match &path[..end] {
        "" => path.starts_with('*').then_some("*"),
        name => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::{Layers, SourceFile, check};

    const LAYERS: Layers = Layers {
        source: "c/src",
        layers: &[&["low", "other"], &["mid"], &["high"]],
    };

    /// Complaints about `text` in `path`, in a crate where every module has a file.
    fn complaints(path: &str, text: &str) -> Vec<String> {
        let mut files = vec![SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }];
        for module in ["low", "other", "mid", "high"] {
            files.push(SourceFile {
                path: format!("c/src/{module}.rs"),
                text: String::new(),
            });
        }
        check(&LAYERS, &files)
    }

    #[test]
    fn allows_lower_layers_and_own_files() {
        assert!(
            complaints(
                "c/src/mid/mod.rs",
                "mod sql;\nuse crate::low::A;\nuse crate::mid::sql::B;"
            )
            .is_empty()
        );
        assert!(complaints("c/src/mid/sql.rs", "use super::B;\nuse super::super::low::A;").is_empty());
        assert!(complaints("c/src/high.rs", "use crate::{low::A, mid::{B, high}};").is_empty());
        assert!(complaints("c/src/lib.rs", "use crate::high::A;").is_empty());
    }

    #[test]
    fn complains_about_upward_and_sideways_imports() {
        let expected = "c/src/mid.rs:2: `mid` may not import `high`, which is in no lower layer";
        assert_eq!(complaints("c/src/mid.rs", "\nuse crate::high::A;"), [expected]);
        assert_eq!(complaints("c/src/low.rs", "use crate::other::A;").len(), 1);
        assert_eq!(complaints("c/src/mid.rs", "fn f() -> crate::high::A {}").len(), 1);
        assert_eq!(complaints("c/src/mid.rs", "use super::high::A;").len(), 1);
        assert_eq!(complaints("c/src/mid/sql.rs", "use super::super::high::A;").len(), 1);
    }

    #[test]
    fn looks_into_braces_over_several_lines() {
        let text = "use crate::{\n    high::{A, low},\n    low::B,\n    mid::C,\n};";
        assert_eq!(complaints("c/src/low.rs", text).len(), 2);
    }

    #[test]
    fn complains_about_names_of_the_crate_root() {
        assert_eq!(complaints("c/src/high.rs", "use crate::Error;").len(), 1);
        assert_eq!(complaints("c/src/high.rs", "use crate::*;").len(), 1);
    }

    #[test]
    fn ignores_comments_strings_macros_and_the_parent_of_unit_tests() {
        let text = "\
//! See [A](crate::high::A).
const S: &str = \"crate::high\";
macro_rules! m { () => { $crate::high::A } }
#[cfg(test)]
mod tests {
    use super::S;
}
";
        assert!(complaints("c/src/low.rs", text).is_empty());
    }

    #[test]
    fn complains_when_table_and_tree_differ() {
        let unlisted = complaints("c/src/stray.rs", "");
        assert_eq!(unlisted.len(), 1);
        assert!(unlisted[0].contains("`stray` of c/src has no layer"), "{unlisted:?}");

        let missing = check(&LAYERS, &[]);
        assert_eq!(missing.len(), 4);
        assert!(missing[1].contains("`low` has no file"), "{missing:?}");
    }
}
