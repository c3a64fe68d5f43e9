//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

use crate::Result;
use crate::backend::Backend;

/// The argument that makes this program run for some time.
pub(crate) const COMMAND: &str = "run";

pub(crate) const USAGE: &str = "\
Usage: cargo xtask chaos [-- options]

  --short          each part for a few seconds, as in `cargo xtask test`
  --seconds N      how long a full run takes on each database [600]
  --backend NAME   sqlite, postgres or mariadb [all that are there]
  --part NAME      the parts whose names begin like this [all]
  --seed N         repeats the chance of another run [of its own]
  --out FILE       writes the report there
  --list           names the parts
";

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) is_short: bool,
    pub(crate) time: Duration,
    pub(crate) backend: Option<Backend>,
    pub(crate) part: String,
    pub(crate) seed: u64,
    pub(crate) out: Option<PathBuf>,
    pub(crate) lists: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self> {
        let mut options = Self {
            is_short: false,
            time: Duration::from_mins(10),
            backend: None,
            part: String::new(),
            seed: fastrand::u64(..),
            out: None,
            lists: false,
        };
        let mut arguments = arguments.iter().copied();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument {
                "--short" => options.is_short = true,
                "--list" => options.lists = true,
                "--seconds" => options.time = Duration::from_secs(value()?.parse()?),
                "--backend" => {
                    let name = value()?;
                    options.backend = Some(Backend::from_name(name).ok_or_else(|| format!("no database `{name}`"))?);
                }
                "--part" => value()?.clone_into(&mut options.part),
                "--seed" => options.seed = value()?.parse()?,
                "--out" => options.out = Some(value()?.into()),
                _ => return Err(format!("no option `{argument}`\n\n{USAGE}").into()),
            }
        }
        Ok(options)
    }
}
