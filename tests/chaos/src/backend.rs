//! The databases.

use std::env;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Backend {
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::MariaDb];
    pub(crate) const SERVERS: [Self; 2] = [Self::Postgres, Self::MariaDb];

    /// As options and reports call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name)
    }

    /// Where the server is; `None` if there is none, or none is needed.
    pub(crate) fn url(self) -> Option<String> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => env::var("OPTLOCK_POSTGRES_URL").ok(),
            Self::MariaDb => env::var("OPTLOCK_MARIADB_URL").ok(),
        }
    }

    pub(crate) fn is_there(self) -> bool {
        self == Self::Sqlite || self.url().is_some()
    }

    /// One value for each database.
    pub(crate) fn pick<T>(self, sqlite: T, postgres: T, mariadb: T) -> T {
        match self {
            Self::Sqlite => sqlite,
            Self::Postgres => postgres,
            Self::MariaDb => mariadb,
        }
    }
}
