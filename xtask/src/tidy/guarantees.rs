//! Rule: a test that GUARANTEES.md or BACKENDS.md names is one that runs.

use super::source::SourceFile;

const DIRECTORY: &str = "tests/it/";

/// Names are written as `` `module::test` ``, or `` `module::prefix*` `` for several.
pub(super) fn check(guarantees: &[SourceFile], tests: &[SourceFile]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in guarantees {
        for (offset, name) in quoted(&file.text) {
            let Some((module, test)) = name.rsplit_once("::") else {
                continue;
            };
            if !module.starts_with(|first: char| first.is_ascii_lowercase()) {
                // A type and its variant.
                continue;
            }
            let path = format!("{DIRECTORY}{}", module.replace("::", "/"));
            if test == "*" && tests.iter().any(|file| file.path == format!("{path}/mod.rs")) {
                // A directory of modules.
                continue;
            }
            let in_directory = format!("{path}/mod.rs");
            let path = path + ".rs";
            let Some(module) = tests.iter().find(|file| file.path == path || file.path == in_directory) else {
                complaints.push(file.complaint(offset, &format!("there is no `{path}` with a test `{name}`")));
                continue;
            };
            let wanted = match test.strip_suffix('*') {
                Some(prefix) => format!("async fn {prefix}"),
                None => format!("async fn {test}("),
            };
            if !module.text.contains(&wanted) {
                complaints.push(file.complaint(offset, &format!("there is no test `{name}`")));
            }
        }
    }
    complaints
}

/// What stands between two backticks, and where.
fn quoted(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = 0;
    text.split('`').enumerate().filter_map(move |(index, part)| {
        let start = offset;
        offset += part.len() + 1;
        (index % 2 == 1).then_some((start, part))
    })
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, check};

    #[test]
    fn complains_about_a_test_that_is_not_there() {
        let file = |path: &str, text: &str| SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let tests = [
            file("tests/it/update.rs", "async fn it_works(context: Context) {}"),
            file(
                "tests/it/modify/mod.rs",
                "mod one; async fn it_works(context: Context) {}",
            ),
        ];
        let guarantees = |text: &str| check(&[file("GUARANTEES.md", text)], &tests);
        assert!(
            guarantees(
                "`update::it_works`, `update::it_*`, `modify::*`, `modify::it_works`, `Found::Deleted`, `update`"
            )
            .is_empty()
        );
        let expected = "GUARANTEES.md:2: there is no test `update::it_fails`";
        assert_eq!(guarantees("`a`\n`update::it_fails`"), [expected]);
        let expected = "GUARANTEES.md:1: there is no `tests/it/lock/mode.rs` with a test `lock::mode::it_works`";
        assert_eq!(guarantees("`lock::mode::it_works`"), [expected]);
    }
}
