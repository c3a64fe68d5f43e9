//! The facts about this machine, without which no figure means anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

pub(crate) fn facts() -> Vec<(String, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut facts = vec![
        ("cores".to_owned(), cores.to_string()),
        ("CPU".to_owned(), field("/proc/cpuinfo", "model name")),
        ("memory".to_owned(), memory()),
        ("system".to_owned(), system()),
        ("rustc".to_owned(), output("rustc", &["--version"])),
        ("load before the case".to_owned(), load()),
        ("commit".to_owned(), commit()),
    ];
    let versions: Vec<_> = crates().map(|(name, version)| format!("{name} {version}")).collect();
    facts.push(("crates".to_owned(), versions.join(", ")));
    facts
}

/// Today, as the machine's clock says it in UTC.
pub(crate) fn date() -> String {
    output("date", &["--utc", "+%Y-%m-%d %H:%M UTC"])
}

/// The type of the file system that holds `path`, which may not be readable to us.
pub(crate) fn file_system(path: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    mounted
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.len())
        .map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

/// The versions that are compared, from the lock file.
fn crates() -> impl Iterator<Item = (&'static str, &'static str)> {
    const NAMES: [&str; 8] = [
        "sea-orm",
        "sea-query",
        "sqlx",
        "toasty",
        "diesel",
        "diesel-async",
        "tokio",
        "libsqlite3-sys",
    ];
    let packages = include_str!("../Cargo.lock").split("[[package]]");
    packages.filter_map(|package| {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key));
            line.map(|line| line.trim_matches(['=', ' ', '"']))
        };
        let name = value("name")?;
        NAMES.contains(&name).then_some((name, value("version")?))
    })
}

fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(':'));
    value.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}

fn memory() -> String {
    let kilobytes: Option<u64> = field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().ok();
    kilobytes.map_or_else(|| "unknown".to_owned(), |size| format!("{} GiB", size >> 20))
}

fn system() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let kernel = output("uname", &["-sr"]);
    name.map_or(kernel.clone(), |name| format!("{}, {kernel}", name.trim_matches('"')))
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn commit() -> String {
    let root = repository();
    let root = root.to_string_lossy();
    let commit = output("git", &["-C", &root, "rev-parse", "--short=12", "HEAD"]);
    let changed = output(
        "git",
        &[
            "-C",
            &root,
            "status",
            "--porcelain",
            "--untracked-files=no",
            "--",
            "optlock-core",
            "optlock-derive",
            "src",
            "benches",
        ],
    );
    if changed.is_empty() {
        commit
    } else {
        format!("{commit}, with changes")
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    output.unwrap_or_else(|_| "unknown".to_owned())
}
