//! `cargo xtask sabotage`: breaks the library on purpose, one promise after the other, and shows that a test of each turns red.
//!
//! The breaks are a patch, which is applied to a copy: the library itself knows nothing of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};

use crate::control;
use crate::error::{Error, Result};
use crate::servers::Servers;
use crate::workspace;

/// Breaks that look for their names in the variable, all in one patch.
const PATCH: &str = "tests/saboteurs.patch";
const VARIABLE: &str = "OPTLOCK_BROKEN";

/// The copy, and what is built of it: cargo takes two trees in one folder for the same.
const TREE: &str = "target/sabotage";
const BUILD: &str = "target/sabotage-build";

/// Packages with a folder of breaks, each a patch of its own that all of their tests together must notice.
const PACKAGES: [(&str, &str); 2] = [
    ("optlock-simulation", "tests/simulation/saboteurs"),
    ("optlock-schedules", "tests/schedules/saboteurs"),
];

/// A break, and the tests each of which must notice it.
struct Saboteur {
    name: &'static str,
    /// The test binary, and the names of its tests, or what they begin with.
    target: &'static str,
    tests: &'static [&'static str],
}

const fn saboteur(name: &'static str, target: &'static str, tests: &'static [&'static str]) -> Saboteur {
    Saboteur { name, target, tests }
}

/// On SQLite a transaction has the write lock from its beginning, so nothing is lost there by a bank without the check.
const SABOTEURS: &[Saboteur] = &[
    saboteur(
        "update-unchecked",
        "chaos",
        &[
            "sqlite::counter",
            "postgres::counter",
            "mariadb::counter",
            "postgres::bank-versioned",
            "mariadb::bank-versioned",
            "sqlite::nested",
            "sqlite::interleavings",
            "sqlite::model",
        ],
    ),
    saboteur("update-no-bump", "chaos", &["sqlite::counter", "postgres::bank-locked"]),
    saboteur(
        "version-from-a-fresh-read",
        "chaos",
        &[
            "sqlite::counter",
            "postgres::counter",
            "mariadb::counter",
            "sqlite::nested",
        ],
    ),
    saboteur(
        "batch-no-bump",
        "chaos",
        &["sqlite::batch", "postgres::batch", "mariadb::batch"],
    ),
    saboteur(
        "batch-uncounted",
        "chaos",
        &["sqlite::batch", "postgres::batch", "mariadb::batch"],
    ),
    saboteur(
        "by-id-unconditional",
        "chaos",
        &["sqlite::inventory", "postgres::inventory", "mariadb::inventory"],
    ),
    saboteur("combine-no-bump", "chaos", &["sqlite::counter", "sqlite::model"]),
    saboteur(
        "failure-commits",
        "chaos",
        &["postgres::bank-versioned", "mariadb::bank-versioned"],
    ),
    saboteur("commit-error-swallowed", "chaos", &["sqlite::full"]),
    saboteur("lost-commit-redone", "chaos", &["postgres::sweep", "mariadb::sweep"]),
    saboteur("transactions-miscounted", "chaos", &["sqlite::full"]),
    saboteur("transactions-miscounted", "it", &["sqlite::runner::full"]),
    saboteur("returning-first-row", "it", &["sqlite::journal"]),
    saboteur("dead-transaction-goes-on", "it", &["mariadb::runner::deadlock"]),
    saboteur("failed-commit-is-ok", "chaos", &["postgres::model"]),
    saboteur("delete-unchecked", "chaos", &["sqlite::model"]),
    saboteur("many-no-bump", "chaos", &["sqlite::model"]),
    saboteur("upsert-ignores-version", "chaos", &["sqlite::model"]),
    saboteur("upsert-restarts", "chaos", &["sqlite::model"]),
    saboteur("savepoint-stays", "chaos", &["sqlite::model"]),
    saboteur("unchanged-unconfirmed", "chaos", &["sqlite::model"]),
    saboteur("locked-touches", "chaos", &["sqlite::model"]),
];

pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode> {
    if let Some(unknown) = arguments.iter().find(|name| !is_known(name)) {
        return Err(Error::new(format!("there is no saboteur `{unknown}`")));
    }
    let tree = copy()?;
    let mut unnoticed = patches(&tree, arguments)?;
    apply(&tree, &[PATCH])?;
    let servers = Arc::new(Mutex::new(Servers::for_unset_variables()?));
    let control = control::listen(&servers)?;
    let test = |target: &str, filter: &str, broken: &str| {
        let mut cargo = workspace::cargo(&["test", "--quiet", "--workspace", "--test", target, "--", filter]);
        cargo.env("CARGO_TARGET_DIR", workspace::root().join(BUILD));
        cargo.env(VARIABLE, broken).env(control::VARIABLE, &control);
        cargo.envs(control::lock(&servers).urls());
        cargo.current_dir(&tree).stdout(Stdio::null()).stderr(Stdio::null());
        let status = cargo.status().map_err(Error::while_doing("start cargo"))?;
        Ok::<_, Error>(status.success())
    };
    let chosen = |saboteur: &&Saboteur| arguments.is_empty() || arguments.contains(&saboteur.name);
    let mut whole = Vec::new();
    for Saboteur { name, target, tests } in SABOTEURS.iter().filter(chosen) {
        for filter in *tests {
            // Once for all who want the same test.
            if !whole.contains(&(target, filter)) {
                if !test(target, filter, "")? {
                    return Err(Error::new(format!("{target} {filter} fails without a saboteur, too")));
                }
                whole.push((target, filter));
            }
            let is_noticed = !test(target, filter, name)?;
            unnoticed += usize::from(!is_noticed);
            let verdict = if is_noticed { "noticed" } else { "NOT NOTICED" };
            println!("{name}: {verdict} by {target} {filter}");
        }
    }
    Ok(if unnoticed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn is_known(name: &str) -> bool {
    let of_packages = PACKAGES
        .iter()
        .filter_map(|(_, folder)| patches_in(folder).ok())
        .flatten();
    SABOTEURS.iter().any(|saboteur| saboteur.name == name) || of_packages.into_iter().any(|(known, _)| known == name)
}

/// Applies the patches of the packages one after the other. How many of them nobody has noticed.
fn patches(tree: &Path, names: &[&str]) -> Result<usize> {
    let cargo = |arguments: &[&str]| {
        let mut cargo = workspace::cargo(arguments);
        cargo.env("CARGO_TARGET_DIR", workspace::root().join(BUILD));
        cargo.current_dir(tree).stdout(Stdio::null()).stderr(Stdio::null());
        cargo
    };
    let mut unnoticed = 0;
    for (package, folder) in PACKAGES {
        let chosen = |(name, _): &(String, String)| names.is_empty() || names.contains(&name.as_str());
        let patches: Vec<_> = patches_in(folder)?.into_iter().filter(chosen).collect();
        if !patches.is_empty() {
            workspace::succeed(&mut cargo(&["test", "--quiet", "--package", package]))?;
        }
        for (name, patch) in patches {
            apply(tree, &[&patch])?;
            // What does not compile shows nothing.
            workspace::succeed(&mut cargo(&["test", "--quiet", "--no-run", "--package", package]))?;
            let status = cargo(&["test", "--quiet", "--package", package]).status();
            let is_noticed = !status.map_err(Error::while_doing("start cargo"))?.success();
            apply(tree, &["--reverse", &patch])?;
            unnoticed += usize::from(!is_noticed);
            let verdict = if is_noticed { "noticed" } else { "NOT NOTICED" };
            println!("{name}: {verdict} by {package}");
        }
    }
    Ok(unnoticed)
}

/// The names of the patches of a folder, and where they are.
fn patches_in(folder: &str) -> Result<Vec<(String, String)>> {
    let entries = fs::read_dir(workspace::root().join(folder)).map_err(Error::while_doing("list the saboteurs"))?;
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let patch = |file: String| Some((file.strip_suffix(".patch")?.to_owned(), format!("{folder}/{file}")));
    let mut patches: Vec<_> = names.filter_map(patch).collect();
    patches.sort();
    Ok(patches)
}

/// Whether the patches still fit the library.
pub(crate) fn check() -> Result<()> {
    let mut all = vec![PATCH.to_owned()];
    for (_, folder) in PACKAGES {
        all.extend(patches_in(folder)?.into_iter().map(|(_, patch)| patch));
    }
    for patch in all {
        let mut git = Command::new("git");
        workspace::succeed(git.args(["apply", "--check", &patch]).current_dir(workspace::root()))?;
    }
    Ok(())
}

/// Copies all that is under version control, as it is now.
fn copy() -> Result<PathBuf> {
    let (root, tree) = (workspace::root(), workspace::root().join(TREE));
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .map_err(Error::while_doing("list the files"))?;
    // What has left version control is not to stay.
    match fs::remove_dir_all(&tree) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::while_doing("remove the last copy")(err));
        }
        _ => {}
    }
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for file in listed.split('\0').filter(|file| !file.is_empty()) {
        copy_file(&root.join(file), &tree.join(file)).map_err(Error::while_doing(format_args!("copy {file}")))?;
    }
    Ok(tree)
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to).map(drop)
}

fn apply(tree: &Path, arguments: &[&str]) -> Result<()> {
    let mut git = Command::new("git");
    git.arg("apply").args(arguments).current_dir(tree);
    // Else it takes the copy for a part of the repository around it, and applies nothing there.
    git.env("GIT_CEILING_DIRECTORIES", workspace::root().join("target"));
    workspace::succeed(&mut git)
}
