//! Rule: in the core, only `backend/` asks which database it talks to.

use super::code::without_comments_and_strings;
use super::source::SourceFile;

const BACKEND: &str = "optlock-core/src/backend";

/// `SeaORM`'s enum and its alias.
const NAMES: [&str; 2] = ["DatabaseBackend::", "DbBackend::"];

pub(super) fn check(core: &[SourceFile]) -> Vec<String> {
    let outside = core.iter().filter(|file| !file.path.starts_with(BACKEND));
    outside
        .flat_map(|file| {
            // Unit tests render SQL for each database by name.
            let text = without_comments_and_strings(file.non_test_text());
            let complaints = NAMES.iter().flat_map(|name| {
                let offsets = text.match_indices(name);
                offsets.map(|(offset, name)| {
                    file.complaint(
                        offset,
                        &format!("`{name}` belongs into {BACKEND}: ask for a capability instead"),
                    )
                })
            });
            complaints.collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, check};

    fn complaints(path: &str, text: &str) -> Vec<String> {
        check(&[SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }])
    }

    #[test]
    fn complains_about_a_backend_by_name() {
        let text = "fn f() {\n    match b { DbBackend::Sqlite => 1, DatabaseBackend::Postgres => 2 }\n}";
        let found = complaints("optlock-core/src/update.rs", text);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("optlock-core/src/update.rs:2: "), "{found:?}");
    }

    #[test]
    fn allows_it_in_backend_in_unit_tests_and_as_a_type() {
        assert!(complaints("optlock-core/src/backend/mod.rs", "DbBackend::Sqlite").is_empty());
        assert!(
            complaints(
                "optlock-core/src/row.rs",
                "#[cfg(test)]\nmod tests { use DbBackend::Sqlite; }"
            )
            .is_empty()
        );
        assert!(complaints("optlock-core/src/row.rs", "fn f(b: DbBackend) {} // DbBackend::Sqlite").is_empty());
    }
}
