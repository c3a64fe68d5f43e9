//! The whole table of error codes: each one met on its real server, by its cause where that can be arranged, and otherwise raised
//! there by its number, so that what is read is in any case an error of the real driver.

mod mariadb;
mod postgres;
mod sqlite;

use std::fmt::Display;

use optlock::{Fault, fault};
use sea_orm::{DbErr, RuntimeErr};

use crate::case::{Outcome, cases};
use crate::context::Context;

cases![;
    POSTGRES: every_code_of_postgres_has_its_meaning;
    MARIADB: every_code_of_mariadb_has_its_meaning;
    SQLITE: every_code_of_sqlite_has_its_meaning;
];

async fn every_code_of_postgres_has_its_meaning(context: Context) -> Outcome {
    postgres::run(&context).await
}

async fn every_code_of_mariadb_has_its_meaning(context: Context) -> Outcome {
    mariadb::run(&context).await
}

async fn every_code_of_sqlite_has_its_meaning(context: Context) -> Outcome {
    sqlite::run(&context).await
}

/// What was provoked, and what was not.
#[derive(Default)]
struct Tally {
    provoked: Vec<String>,
    raised: Vec<String>,
}

impl Tally {
    /// An error that its cause has provoked.
    fn provoked(&mut self, code: impl Display, meaning: Fault, err: &DbErr) {
        assert_eq!(code_of(err), code.to_string(), "{err:?}");
        assert_eq!(fault(err), meaning, "{code}: {err:?}");
        self.provoked.push(code.to_string());
    }

    /// An error that the server was told to raise.
    fn raised(&mut self, code: impl Display, meaning: Fault, err: &DbErr) {
        assert_eq!(code_of(err), code.to_string(), "{err:?}");
        assert_eq!(fault(err), meaning, "{code}: {err:?}");
        self.raised.push(code.to_string());
    }

    fn print(self, server: &str) {
        println!("{server}: provoked by their cause: {}", self.provoked.join(" "));
        if !self.raised.is_empty() {
            println!("{server}: raised by their code: {}", self.raised.join(" "));
        }
    }
}

/// The code as the table has it: a SQLSTATE, MySQL's number, or SQLite's extended code. `io` for a connection that is gone.
fn code_of(err: &DbErr) -> String {
    let (DbErr::Conn(RuntimeErr::SqlxError(err))
    | DbErr::Exec(RuntimeErr::SqlxError(err))
    | DbErr::Query(RuntimeErr::SqlxError(err))) = err
    else {
        return String::new();
    };
    let Some(err) = err.as_database_error() else {
        return "io".to_owned();
    };
    match err.try_downcast_ref::<sea_orm::SqlxMySqlError>() {
        Some(err) => err.number().to_string(),
        None => err.code().map(Into::into).unwrap_or_default(),
    }
}

/// The error of a result that should be one.
fn failure<T: std::fmt::Debug>(result: Result<T, DbErr>) -> DbErr {
    result.expect_err("an error")
}
