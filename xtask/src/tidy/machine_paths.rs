//! Rule: no tracked file names a directory of somebody's machine.

use super::source::SourceFile;

/// Top-level directories that hold what is personal to a machine; without slashes, so that this file passes.
const DIRECTORIES: [&str; 4] = ["Users", "home", "root", "work"];

/// Written by cargo, not by us.
const EXEMPT: &str = "Cargo.lock";

pub(super) fn check(tracked: &[SourceFile]) -> Vec<String> {
    let ours = tracked.iter().filter(|file| file.path != EXEMPT);
    ours.flat_map(|file| DIRECTORIES.iter().flat_map(|directory| mentions(file, directory)))
        .collect()
}

fn mentions(file: &SourceFile, directory: &str) -> Vec<String> {
    let path = format!("/{directory}/");
    let offsets = file.text.match_indices(&path).map(|(offset, _)| offset);
    offsets
        .filter(|offset| !continues_a_path(&file.text[..*offset]))
        .map(|offset| file.complaint(offset, &format!("`{path}` is a path of one machine")))
        .collect()
}

/// Whether a slash after `text` would be in the middle of a relative path or a URL.
fn continues_a_path(text: &str) -> bool {
    text.ends_with(|last: char| last.is_alphanumeric() || "._-".contains(last))
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, check};

    fn complaints(path: &str, text: String) -> Vec<String> {
        check(&[SourceFile {
            path: path.to_owned(),
            text,
        }])
    }

    #[test]
    fn complains_about_a_directory_of_a_machine() {
        for directory in ["home", "root", "work", "Users"] {
            let text = format!("ok\nsee /{directory}/somebody/notes.md\n");
            let expected = format!("README.md:2: `/{directory}/` is a path of one machine");
            assert_eq!(complaints("README.md", text), [expected]);
        }
    }

    #[test]
    fn allows_relative_paths_urls_and_the_lock_file() {
        let word = "home";
        assert!(complaints("README.md", format!("src/{word}/a.rs https://example.org/{word}/")).is_empty());
        assert!(complaints("Cargo.lock", format!("/{word}/")).is_empty());
    }
}
