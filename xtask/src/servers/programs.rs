//! Where programs are on this machine.

use std::env;
use std::path::{Path, PathBuf};

/// Where servers live that an ordinary user's `PATH` does not list.
const SYSTEM: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/sbin"];

/// The program `name`, from `PATH` or a system directory.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    path()
        .chain(SYSTEM.map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

/// The directory of `PATH` that holds all of `names`.
pub(super) fn directory_of(names: &[&str]) -> Option<PathBuf> {
    path().find(|directory| holds(directory, names))
}

pub(super) fn holds(directory: &Path, names: &[&str]) -> bool {
    names.iter().all(|name| directory.join(name).is_file())
}

fn path() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).collect::<Vec<_>>().into_iter()
}
