//! The user that a server runs as: both servers refuse root.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::directory::Directory;
use crate::error::{Error, Result};

/// The id of root.
pub(super) const ROOT: u32 = 0;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// Whoever runs xtask.
    Ourselves,
    /// The server's own user, which only root can become.
    Server { uid: u32, gid: u32 },
}

impl Account {
    pub(super) fn of_server(user: &str, directory: &Directory) -> Result<Self> {
        if directory.owner()? != ROOT {
            return Ok(Self::Ourselves);
        }
        let users = fs::read_to_string("/etc/passwd").map_err(Error::while_doing("read /etc/passwd"))?;
        Self::find(user, &users).ok_or_else(|| {
            Error::new(format!(
                "there is no user `{user}` to run its server as, and the server refuses to run as root"
            ))
        })
    }

    fn find(user: &str, passwd: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let _password = fields.next()?;
            let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (name == user).then_some(Self::Server { uid, gid })
        })
    }

    /// A command that runs as this account in `home`, with nothing of the developer's environment: no
    /// `PGHOST`, no client configuration, no translated messages.
    pub(super) fn command(&self, program: &Path, home: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(home)
            .stdin(Stdio::null())
            .env_clear()
            .env("HOME", home)
            .env("LC_ALL", "C");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if let Self::Server { uid, gid } = *self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes `path` this account's own.
    pub(super) fn take_over(&self, path: &Path) -> Result<()> {
        match *self {
            Self::Ourselves => Ok(()),
            Self::Server { uid, gid } => chown(path, Some(uid), Some(gid)).map_err(Error::while_doing(format_args!(
                "change the owner of {}",
                path.display()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Account;

    #[test]
    fn finds_a_user_by_its_whole_name() {
        let passwd = "\
root:x:0:0:root:/:/bin/sh
mysqlx:x:7:7::/:/bin/false
mysql:x:105:108:MySQL Server,,,:/nonexistent:/bin/false
";
        assert_eq!(
            Account::find("mysql", passwd),
            Some(Account::Server { uid: 105, gid: 108 })
        );
        assert_eq!(Account::find("postgres", passwd), None);
    }
}
