//! Rule: what users read speaks of `optlock` only, never of the crate behind it.

use super::source::SourceFile;

const CORE: &str = "optlock_core";

pub(super) fn check(public: &[SourceFile]) -> Vec<String> {
    public
        .iter()
        .flat_map(|file| {
            let offsets = file.text.match_indices(CORE);
            offsets.map(|(offset, _)| file.complaint(offset, "users depend on `optlock`: name that crate instead"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, check};

    #[test]
    fn complains_about_the_core_crate() {
        let file = |text: &str| SourceFile {
            path: "examples/a.rs".to_owned(),
            text: text.to_owned(),
        };
        assert!(check(&[file("use optlock::Error;")]).is_empty());
        let expected = "examples/a.rs:2: users depend on `optlock`: name that crate instead";
        assert_eq!(check(&[file("\nuse optlock_core::Error;")]), [expected]);
    }
}
