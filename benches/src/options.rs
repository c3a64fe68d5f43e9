//! What the command line asks for.

use std::path::PathBuf;

use crate::Result;
use crate::case::Case;
use crate::database::Backend;

pub(crate) const USAGE: &str = "\
Usage: cargo xtask bench [-- <options>]

  --case NAME|all        the case to run (default: all)
  --backend NAME|all     postgres, mariadb or sqlite (default: all)
  --length LENGTH        quick: a smoke test of a minute or two, whose figures mean nothing
                         normal: about a quarter of an hour in all, on two cores (default)
                         long: the flash sale with all its attempts, and more rounds of the rest
  --out DIRECTORY        where the report goes (default: docs/performance; of a quick run: target/bench/quick)
  --missing              only what has no data yet, to go on with a run that was interrupted
  --report               run nothing; write the report and the plots from the data that is there
  --list                 print the cases
";

/// How much of everything there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Quick,
    Normal,
    Long,
}

impl Length {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Normal => "normal",
            Self::Long => "long",
        }
    }

    /// The one of three values that is meant for this length.
    pub(crate) fn pick<T>(self, quick: T, normal: T, long: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Normal => normal,
            Self::Long => long,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) cases: Vec<Case>,
    pub(crate) backends: Vec<Backend>,
    pub(crate) length: Length,
    pub(crate) only_missing: bool,
    pub(crate) out: PathBuf,
}

#[derive(Debug)]
pub(crate) enum Request {
    Run(Options),
    Report(Options),
    List,
    Help,
}

impl Request {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut cases = Case::ALL.to_vec();
        let mut backends = Backend::ALL.to_vec();
        let mut length = Length::Normal;
        let mut out = None;
        let mut only_missing = false;
        let mut report_only = false;
        while let Some(option) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{option} needs a value\n\n{USAGE}"))
            };
            match option.as_str() {
                "--case" => cases = chosen(&value()?, &Case::ALL, Case::name, "case")?,
                "--backend" => backends = chosen(&value()?, &Backend::ALL, Backend::name, "backend")?,
                "--length" => {
                    let lengths = [Length::Quick, Length::Normal, Length::Long];
                    length = chosen(&value()?, &lengths, Length::name, "length")?[0];
                }
                "--out" => out = Some(PathBuf::from(value()?)),
                "--missing" => only_missing = true,
                "--report" => report_only = true,
                "--list" => return Ok(Self::List),
                "--help" | "-h" => return Ok(Self::Help),
                _ => return Err(format!("there is no option {option}\n\n{USAGE}").into()),
            }
        }
        let default = length.pick("target/bench/quick", "docs/performance", "docs/performance");
        let options = Options {
            cases,
            backends,
            length,
            only_missing,
            out: out.unwrap_or_else(|| crate::machine::repository().join(default)),
        };
        Ok(if report_only {
            Self::Report(options)
        } else {
            Self::Run(options)
        })
    }
}

/// The one of `all` that has this name, or all of them.
fn chosen<T: Copy>(name: &str, all: &[T], name_of: impl Fn(T) -> &'static str, what: &str) -> Result<Vec<T>> {
    if name == "all" {
        return Ok(all.to_vec());
    }
    let found = all.iter().copied().find(|one| name_of(*one) == name);
    let found = found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| name_of(*one)).collect();
        format!("there is no {what} `{name}`; there are {}", names.join(", "))
    })?;
    Ok(vec![found])
}
