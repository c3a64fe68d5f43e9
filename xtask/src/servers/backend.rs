//! The backends that need a server, as data.

use super::account::Account;
use super::daemon::Daemon;
use super::directory::Directory;
use super::purpose::Purpose;
use super::{mariadb, postgres};
use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Postgres,
    MariaDb,
}

/// A running server and the URL of its test database.
pub(super) struct Server {
    pub(super) url: String,
    /// Dropping it stops the server.
    pub(super) daemon: Daemon,
}

impl Backend {
    pub(super) const ALL: [Self; 2] = [Self::Postgres, Self::MariaDb];

    pub(super) fn from_name(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|backend| backend.name() == name)
            .ok_or_else(|| Error::new(format!("there is no backend `{name}`")))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
        }
    }

    /// The environment variable that holds a server's URL.
    pub(super) const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "OPTLOCK_POSTGRES_URL",
            Self::MariaDb => "OPTLOCK_MARIADB_URL",
        }
    }

    /// The Debian package of the server.
    pub(super) const fn package(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::MariaDb => "mariadb-server",
        }
    }

    /// The user that Debian's package creates, and that runs the server when we are root.
    const fn user(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "mysql",
        }
    }

    pub(super) fn is_installed(self) -> bool {
        match self {
            Self::Postgres => postgres::Programs::find().is_some(),
            Self::MariaDb => mariadb::Programs::find().is_some(),
        }
    }

    /// Starts a server with all its files in `directory`. It must be installed.
    pub(super) fn start(self, purpose: Purpose, directory: &Directory) -> Result<Server> {
        let account = Account::of_server(self.user(), directory)?;
        let home = directory.subdirectory(self.name(), &account)?;
        match self {
            Self::Postgres => postgres::start(purpose, &home, &account),
            Self::MariaDb => mariadb::start(purpose, &home, &account),
        }
    }
}
