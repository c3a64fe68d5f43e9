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

/// All breaks. Each looks for its name in the variable.
const PATCH: &str = "tests/saboteurs.patch";
const VARIABLE: &str = "OPTLOCK_BROKEN";

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

const SABOTEURS: &[Saboteur] = &[
    saboteur(
        "update-unchecked",
        "chaos",
        &[
            "sqlite::counter",
            "postgres::counter",
            "mariadb::counter",
            "sqlite::bank-versioned",
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
    let tree = copy()?;
    apply(&tree)?;
    let servers = Arc::new(Mutex::new(Servers::for_unset_variables()?));
    let control = control::listen(&servers)?;
    let test = |target: &str, filter: &str, broken: &str| {
        let mut cargo = workspace::cargo(&["test", "--quiet", "--workspace", "--test", target, "--", filter]);
        // What does not depend on the library is built once for both trees.
        cargo.env("CARGO_TARGET_DIR", workspace::root().join("target"));
        cargo.env(VARIABLE, broken).env(control::VARIABLE, &control);
        cargo.envs(control::lock(&servers).urls());
        cargo.current_dir(&tree).stdout(Stdio::null()).stderr(Stdio::null());
        let status = cargo.status().map_err(Error::while_doing("start cargo"))?;
        Ok::<_, Error>(status.success())
    };
    let chosen = |saboteur: &&Saboteur| arguments.is_empty() || arguments.contains(&saboteur.name);
    let mut whole = Vec::new();
    let mut unnoticed = 0;
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

/// Whether the patch still fits the library.
pub(crate) fn check() -> Result<()> {
    succeed(
        Command::new("git")
            .args(["apply", "--check", PATCH])
            .current_dir(workspace::root()),
    )
}

/// Copies all that is under version control, as it is now.
fn copy() -> Result<PathBuf> {
    let (root, tree) = (workspace::root(), workspace::root().join("target/sabotage"));
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .map_err(Error::while_doing("list the files"))?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for file in listed.split('\0').filter(|file| !file.is_empty()) {
        copy_file(&root.join(file), &tree.join(file)).map_err(Error::while_doing(format_args!("copy {file}")))?;
    }
    Ok(tree)
}

/// Not if it is the same already: what is older than its build is not built again.
fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    let content = fs::read(from)?;
    if fs::read(to).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(to, content)
}

fn apply(tree: &Path) -> Result<()> {
    let mut git = Command::new("git");
    git.args(["apply", PATCH]).current_dir(tree);
    // Else it takes the copy for a part of the repository around it, and applies nothing there.
    git.env("GIT_CEILING_DIRECTORIES", workspace::root().join("target"));
    succeed(&mut git)
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .map_err(Error::while_doing(format_args!("start {command:?}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!("{command:?} failed: {status}")))
}
