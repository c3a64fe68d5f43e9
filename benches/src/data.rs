//! What a case has measured: written to one file each, so that one case can be run again alone.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::case::Case;
use crate::database::Backend;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Data {
    pub(crate) case: Case,
    /// None for what is measured without a database.
    pub(crate) backend: Option<Backend>,
    /// The command that measures this again.
    pub(crate) command: String,
    pub(crate) length: String,
    pub(crate) date: String,
    pub(crate) machine: Vec<(String, String)>,
    /// As read from the server.
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) findings: Findings,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Findings {
    /// One sentence each.
    pub(crate) notes: Vec<String>,
    pub(crate) tables: Vec<Table>,
    pub(crate) goals: Vec<Goal>,
    pub(crate) plots: Vec<Plot>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(caption: impl Into<String>, header: [&str; N]) -> Self {
        Self {
            caption: caption.into(),
            header: header.map(str::to_owned).to_vec(),
            rows: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) bound: Bound,
    pub(crate) measured: f64,
    /// The tenth and the ninetieth percentile over the rounds, where there are rounds.
    pub(crate) range: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Exactly(f64),
}

impl Goal {
    pub(crate) fn new(what: impl Into<String>, bound: Bound, measured: f64) -> Self {
        Self {
            what: what.into(),
            bound,
            measured,
            range: None,
        }
    }

    pub(crate) fn with_range(self, range: String) -> Self {
        Self {
            range: Some(range),
            ..self
        }
    }

    pub(crate) fn is_reached(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.measured <= bound,
            Bound::AtLeast(bound) => self.measured >= bound,
            Bound::Exactly(bound) => (self.measured - bound).abs() < f64::EPSILON,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plot {
    /// The name of the file, without its end.
    pub(crate) name: String,
    pub(crate) title: String,
    /// What the values are.
    pub(crate) unit: String,
    pub(crate) shape: Shape,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Shape {
    /// A bar each, from the top.
    Bars(Vec<(String, f64)>),
    /// A line each, over the same named places.
    Lines {
        axis: String,
        places: Vec<String>,
        /// Nothing where a way was not tried.
        lines: Vec<(String, Vec<Option<f64>>)>,
        logarithmic: bool,
    },
}

impl Data {
    /// The name of the data file, which is the same each time.
    fn file(&self) -> String {
        match self.backend {
            Some(backend) => format!("{}-{}.json", self.case.name(), backend.name()),
            None => format!("{}.json", self.case.name()),
        }
    }

    pub(crate) fn write(&self, out: &Path) -> Result<()> {
        let directory = directory(out);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(self.file()), serde_json::to_string_pretty(self)? + "\n")?;
        Ok(())
    }

    /// All that was written to `out`, in the order of the cases and the backends.
    pub(crate) fn read_all(out: &Path) -> Result<Vec<Self>> {
        let mut all: Vec<Self> = Vec::new();
        let directory = directory(out);
        if directory.is_dir() {
            for entry in fs::read_dir(&directory)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "json") {
                    let data = serde_json::from_str(&fs::read_to_string(&path)?);
                    all.push(data.map_err(|cause| format!("{} is not one of ours: {cause}", path.display()))?);
                }
            }
        }
        all.sort_by_key(|data| (data.case, data.backend));
        Ok(all)
    }
}

fn directory(out: &Path) -> PathBuf {
    out.join("data")
}
