//! `cargo xtask`: the chores of this repository, in Rust and without dependencies.

mod bench;
mod chaos;
mod ci;
mod control;
mod error;
mod sabotage;
mod servers;
mod tally;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use error::Result;

const USAGE: &str = "\
Usage: cargo xtask <command>

  test [-- <arguments of cargo test>]
           run every test against SQLite, PostgreSQL and MariaDB; a server is started for
           each backend whose OPTLOCK_POSTGRES_URL or OPTLOCK_MARIADB_URL is not set
  servers  start the same servers, print their URLs, and stop them on Ctrl-C or end of input
  bench [-- <options>]
           the benchmark (`-- --help` lists its options), on durable servers that are started
           for it; it writes docs/performance
  chaos [-- <options>]
           workloads, faults and interleavings on all databases (`-- --help` lists its options)
  sabotage [names]
           break a copy of the library in many ways, and show that a test notices each
  tidy     check the rules of this code base that the compiler does not check
  ci       everything that continuous integration checks, the tests last
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    run(&arguments).unwrap_or_else(|error| {
        error.report();
        ExitCode::FAILURE
    })
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["test"] => Ok(test::run(&[]).conclude()),
        ["test", "--", rest @ ..] => Ok(test::run(rest).conclude()),
        ["servers"] => servers::run(),
        ["bench"] => bench::run(&[]),
        ["bench", "--", rest @ ..] => bench::run(rest),
        ["chaos"] => chaos::run(&[]),
        ["chaos", "--", rest @ ..] => chaos::run(rest),
        ["sabotage", names @ ..] => sabotage::run(names),
        ["tidy"] => tidy::run(),
        ["ci"] => ci::run(),
        [servers::guard::COMMAND, backends @ ..] => servers::guard::run(backends),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprint!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}
