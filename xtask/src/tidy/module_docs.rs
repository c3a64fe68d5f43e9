//! Rule: every file opens with a `//!` line that says what it is about.

use super::source::SourceFile;

pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    files
        .iter()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| file.complaint(0, "the first line is no `//!` line that says what the file is about"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, check};

    #[test]
    fn complains_about_a_file_without_a_doc_line() {
        let file = |text: &str| SourceFile {
            path: "src/a.rs".to_owned(),
            text: text.to_owned(),
        };
        assert!(check(&[file("//! The noun.\nmod b;\n")]).is_empty());
        let expected = "src/a.rs:1: the first line is no `//!` line that says what the file is about";
        assert_eq!(check(&[file("mod b;\n//! Too late.\n")]), [expected]);
        assert_eq!(check(&[file("")]).len(), 1);
    }
}
