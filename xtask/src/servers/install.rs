//! Installing the servers that a fresh Debian or Ubuntu machine lacks.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::ROOT;
use super::backend::Backend;
use super::directory::Directory;
use super::log::Log;
use super::programs;
use crate::error::{Error, Result};

/// Asked by Debian's packages before they start a service; absent unless somebody has a policy.
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";
/// `101` means: action not allowed.
const NO_SERVICES: &str = "#!/bin/sh
# Written by optlock's `cargo xtask` for the time of an installation; remove it if it was left behind.
exit 101
";

/// Says whether installing the `postgresql` package creates a system-wide cluster; absent unless it was installed before.
const CLUSTER_POLICY: &str = "/etc/postgresql-common/createcluster.conf";
const NO_CLUSTER: &str = "create_main_cluster = false\n";

/// Installs whichever of `backends` is missing, or says what to do about it.
pub(super) fn missing(backends: &[Backend], directory: &Directory) -> Result<()> {
    let missing: Vec<Backend> = backends
        .iter()
        .copied()
        .filter(|backend| !backend.is_installed())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let is_root = directory.owner()? == ROOT;
    let Some(apt_get) = programs::find("apt-get").filter(|_| is_root) else {
        return Err(Error::new(advice(&missing)));
    };
    install(&apt_get, &missing, &Log::new(directory.path().join("apt.log")))?;
    match missing.iter().find(|backend| !backend.is_installed()) {
        Some(backend) => Err(Error::new(format!(
            "`{}` was installed, but without the programs of a server",
            backend.package()
        ))),
        None => Ok(()),
    }
}

fn install(apt_get: &Path, missing: &[Backend], log: &Log) -> Result<()> {
    let packages: Vec<&str> = missing.iter().map(|backend| backend.package()).collect();
    eprintln!("xtask: installing {} with apt-get", packages.join(" and "));
    if missing.contains(&Backend::Postgres) && !Path::new(CLUSTER_POLICY).exists() {
        // It stays: the package takes it over as its own configuration file.
        let _ = fs::create_dir_all("/etc/postgresql-common");
        write(Path::new(CLUSTER_POLICY), NO_CLUSTER)?;
    }
    let _no_services = ServicePolicy::forbid()?;
    let apt_get = || {
        let mut command = Command::new(apt_get);
        command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        command.args(["-q", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=120"]);
        command
    };
    log.run(apt_get().arg("update"))?;
    log.run(
        apt_get()
            .args(["install", "-y", "--no-install-recommends"])
            .args(packages),
    )
}

/// Keeps packages from starting services while it lives, without touching a policy that exists.
struct ServicePolicy {
    ours: Option<PathBuf>,
}

impl ServicePolicy {
    fn forbid() -> Result<Self> {
        let path = PathBuf::from(SERVICE_POLICY);
        if path.exists() {
            return Ok(Self { ours: None });
        }
        let policy = Self {
            ours: Some(path.clone()),
        };
        write(&path, NO_SERVICES)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .map_err(Error::while_doing(format_args!("make {SERVICE_POLICY} executable")))?;
        Ok(policy)
    }
}

impl Drop for ServicePolicy {
    fn drop(&mut self) {
        if let Some(path) = &self.ours {
            let _ = fs::remove_file(path);
        }
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::while_doing(format_args!("write {}", path.display())))
}

fn advice(missing: &[Backend]) -> String {
    let join = |what: fn(Backend) -> &'static str, glue| {
        missing
            .iter()
            .map(|backend| what(*backend))
            .collect::<Vec<_>>()
            .join(glue)
    };
    format!(
        "no server found for {}; either install it (on Debian or Ubuntu: apt-get install {}, which xtask does itself as root), \
         or set {} to the URL of a running server on which the tests may create databases",
        join(Backend::name, " and "),
        join(Backend::package, " "),
        join(Backend::variable, " and "),
    )
}

#[cfg(test)]
mod tests {
    use super::{Backend, advice};

    #[test]
    fn advice_names_the_packages_and_the_variables() {
        let advice = advice(&Backend::ALL);
        for word in [
            "postgresql",
            "mariadb-server",
            "OPTLOCK_POSTGRES_URL",
            "OPTLOCK_MARIADB_URL",
        ] {
            assert!(advice.contains(word), "{advice}");
        }
    }
}
