//! The databases, and what this suite expects each of them to be able to do.

use std::env;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
    MariaDb,
}

/// What a backend is expected to do, stated here once more and on purpose: a case asserts the success or the typed
/// `Unsupported` that this table says, so a change in the library's own table does not go unseen.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Expected {
    /// Whether writes to many rows, and deletes, can return the rows.
    pub(crate) returns_rows: bool,
    /// Whether a `u64` can be a version.
    pub(crate) has_u64: bool,
    /// The largest `u32` that SeaORM can store and read back.
    pub(crate) u32_max: u32,
    /// Whether `update_many` can advance a timestamp.
    pub(crate) advances_timestamps: bool,
    /// Whether rows, and not only the whole database, can be locked: other writers then wait for a row.
    pub(crate) has_row_locks: bool,
    /// Whether there are `FOR NO KEY UPDATE` and `FOR KEY SHARE`.
    pub(crate) has_key_locks: bool,
    /// Whether a lock can be narrowed to one table of a join.
    pub(crate) locks_one_table_of_several: bool,
    /// Whether an error leaves the transaction usable.
    pub(crate) survives_errors: bool,
}

impl Backend {
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::MariaDb];
    pub(crate) const SERVERS: &[Self] = &[Self::Postgres, Self::MariaDb];
    pub(crate) const SQLITE: &[Self] = &[Self::Sqlite];
    pub(crate) const POSTGRES: &[Self] = &[Self::Postgres];
    pub(crate) const MARIADB: &[Self] = &[Self::MariaDb];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
        }
    }

    /// Where the server is; `None` if there is none.
    pub(crate) fn url(self) -> Option<String> {
        match self {
            Self::Sqlite => Some("sqlite:".to_owned()),
            Self::Postgres => env::var("OPTLOCK_POSTGRES_URL").ok(),
            Self::MariaDb => env::var("OPTLOCK_MARIADB_URL").ok(),
        }
    }

    pub(crate) fn expected(self) -> Expected {
        match self {
            Self::Sqlite => Expected {
                returns_rows: true,
                has_u64: false,
                u32_max: u32::MAX,
                advances_timestamps: false,
                has_row_locks: false,
                has_key_locks: true,
                locks_one_table_of_several: true,
                survives_errors: true,
            },
            Self::Postgres => Expected {
                returns_rows: true,
                has_u64: false,
                u32_max: i32::MAX.unsigned_abs(),
                advances_timestamps: true,
                has_row_locks: true,
                has_key_locks: true,
                locks_one_table_of_several: true,
                survives_errors: false,
            },
            Self::MariaDb => Expected {
                returns_rows: false,
                has_u64: true,
                u32_max: u32::MAX,
                advances_timestamps: true,
                has_row_locks: true,
                has_key_locks: false,
                locks_one_table_of_several: false,
                survives_errors: true,
            },
        }
    }

    /// One of three, for SQL that differs.
    pub(crate) fn pick<T>(self, sqlite: T, postgres: T, mariadb: T) -> T {
        match self {
            Self::Sqlite => sqlite,
            Self::Postgres => postgres,
            Self::MariaDb => mariadb,
        }
    }
}
