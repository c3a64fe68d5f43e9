//! Rule: a library file is short enough to be read in one go.

use super::source::SourceFile;

const LIMIT: usize = 350;

pub(super) fn check(library: &[SourceFile]) -> Vec<String> {
    library
        .iter()
        .filter(|file| !file.path.ends_with("/tests.rs"))
        .filter_map(|file| {
            let lines = file.non_test_text().lines().count();
            let complaint = || {
                format!(
                    "{}: {lines} lines besides its tests, more than {LIMIT}: split it",
                    file.path
                )
            };
            (lines > LIMIT).then(complaint)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{LIMIT, SourceFile, check};

    #[test]
    fn complains_about_a_long_file_but_does_not_count_its_tests() {
        let file = |text: String| SourceFile {
            path: "src/a.rs".to_owned(),
            text,
        };
        let full = "//\n".repeat(LIMIT);
        assert!(check(&[file(full.clone())]).is_empty());
        assert!(check(&[file(format!("{full}#[cfg(test)]\nmod tests {{}}\n"))]).is_empty());
        let declared = "#[cfg(test)]\nmod tests;\n";
        for longer in [
            format!("{full}//\n"),
            format!("{declared}{}", &full[.."//\n".len() * (LIMIT - 1)]),
        ] {
            assert_eq!(
                check(&[file(longer)]),
                ["src/a.rs: 351 lines besides its tests, more than 350: split it"]
            );
        }
    }
}
