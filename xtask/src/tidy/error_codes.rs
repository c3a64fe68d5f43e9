//! Rule: in the core, only `backend/` knows error codes of a database.

use super::code::without_comments;
use super::source::SourceFile;

const BACKEND: &str = "optlock-core/src/backend";

const CODES: [&str; 38] = [
    // SQLSTATE, of PostgreSQL and partly of MySQL and MariaDB.
    "08006", "08S01", "23000", "23503", "23505", "23P01", "25006", "25P02", "25P03", "40001", "40003", "40P01", "55P03",
    "57014", "57P01", "57P03", "70100", "HY000", // Numbers of MySQL and MariaDB.
    "1020", "1022", "1047", "1062", "1169", "1180", "1205", "1213", "1290", "1305", "1317", "1451", "1452", "1792",
    "3572", // Extended result codes of SQLite.
    "261", "262", "517", "1555", "2067",
];

const INTEGER_SUFFIXES: [&str; 6] = ["i32", "i64", "u16", "u32", "u64", "usize"];

pub(super) fn check(core: &[SourceFile]) -> Vec<String> {
    let outside = core.iter().filter(|file| !file.path.starts_with(BACKEND));
    outside
        .flat_map(|file| {
            let sentence = |code| format!("the error code {code} belongs into {BACKEND}");
            let found = codes(&without_comments(&file.text));
            found
                .into_iter()
                .map(move |(offset, code)| file.complaint(offset, &sentence(code)))
        })
        .collect()
}

/// The codes in `code`, as a number or within a string, with their offsets.
fn codes(code: &str) -> Vec<(usize, &'static str)> {
    let separator = |character: char| character != '_' && !character.is_alphanumeric();
    let mut found = Vec::new();
    let mut offset = 0;
    for piece in code.split_inclusive(separator) {
        let digits = piece.trim_end_matches(separator).replace('_', "");
        let bare = INTEGER_SUFFIXES
            .iter()
            .find_map(|suffix| digits.strip_suffix(suffix))
            .unwrap_or(&digits);
        found.extend(CODES.iter().find(|known| **known == bare).map(|known| (offset, *known)));
        offset += piece.len();
    }
    found
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
    fn complains_about_codes_as_strings_and_as_numbers() {
        let expected = "optlock-core/src/error.rs:2: the error code 40001 belongs into optlock-core/src/backend";
        assert_eq!(
            complaints("optlock-core/src/error.rs", "\nif code == \"40001\" {}"),
            [expected]
        );
        assert_eq!(
            complaints("optlock-core/src/error.rs", "matches!(number, 1213 | 1_205 | 1062_u16)").len(),
            3
        );
    }

    #[test]
    fn allows_them_in_backend_in_comments_and_as_part_of_other_numbers() {
        assert!(complaints("optlock-core/src/backend/mysql.rs", "const DEADLOCK: u16 = 1213;").is_empty());
        assert!(complaints("optlock-core/src/error.rs", "// 1213\nconst N: u32 = 12_130;").is_empty());
    }
}
