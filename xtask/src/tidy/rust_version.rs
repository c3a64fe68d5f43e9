//! Rule: the oldest supported Rust is `SeaORM`'s, neither newer nor older.

const ORM: &str = "\"name\":\"sea-orm\",\"version\":";
const FIELD: &str = "\"rust_version\":";

pub(super) fn check(manifest: &str, metadata: &str) -> Vec<String> {
    match (of_manifest(manifest), of_orm(metadata)) {
        (Some(ours), Some(theirs)) if same(ours, theirs) => Vec::new(),
        (Some(ours), Some(theirs)) => vec![format!(
            "Cargo.toml: rust-version is {ours}, but that of SeaORM is {theirs}"
        )],
        (None, _) => vec!["Cargo.toml: the workspace declares no rust-version".to_owned()],
        (_, None) => vec!["Cargo.toml: cargo metadata tells no rust-version of SeaORM".to_owned()],
    }
}

fn of_manifest(manifest: &str) -> Option<&str> {
    manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \"")?.split('"').next())
}

/// Every package has the field, if only as `null`, so the first one after the name is that package's own.
fn of_orm(metadata: &str) -> Option<&str> {
    let (_, package) = metadata.split_once(ORM)?;
    let (_, value) = package.split_once(FIELD)?;
    value.strip_prefix('"')?.split('"').next()
}

/// `1.94` and `1.94.0` are the same.
fn same(left: &str, right: &str) -> bool {
    left.trim_end_matches(".0") == right.trim_end_matches(".0")
}

#[cfg(test)]
mod tests {
    use super::check;

    const MANIFEST: &str = "[workspace.package]\nedition = \"2024\"\nrust-version = \"1.94.0\" # a comment\n";

    fn metadata(rust_version: &str) -> String {
        format!(
            r#"{{"packages":[{{"name":"a","version":"1.0.0","rust_version":"1.60"}},
            {{"name":"sea-orm","version":"2.0.4","dependencies":[{{"name":"a","req":"^1"}}],"rust_version":{rust_version}}},
            {{"name":"b","version":"1.0.0","rust_version":"1.94.0"}}]}}"#
        )
    }

    #[test]
    fn allows_the_same_version_in_either_spelling() {
        assert!(check(MANIFEST, &metadata("\"1.94.0\"")).is_empty());
        assert!(check(MANIFEST, &metadata("\"1.94\"")).is_empty());
    }

    #[test]
    fn complains_about_another_version_and_about_none() {
        let expected = "Cargo.toml: rust-version is 1.94.0, but that of SeaORM is 1.95";
        assert_eq!(check(MANIFEST, &metadata("\"1.95\"")), [expected]);
        assert_eq!(check(MANIFEST, &metadata("null")).len(), 1);
        assert_eq!(check(MANIFEST, "{}").len(), 1);
        assert_eq!(check("[package]", &metadata("\"1.94\"")).len(), 1);
    }
}
