//! What is said of a run: a summary on the terminal, and one page for RELIABILITY.md.

use std::fmt::Write as _;
use std::time::Duration;

use crate::backend::Backend;
use crate::options::Options;
use crate::tally::Tally;

/// What came of one part on one database.
pub(crate) struct Line {
    pub(crate) part: &'static str,
    pub(crate) backend: Backend,
    pub(crate) took: Duration,
    pub(crate) outcome: Outcome,
}

pub(crate) enum Outcome {
    Held(Tally),
    Violated(Tally),
    /// It did not come to its end.
    Broken(String),
    /// There is no server.
    Absent,
}

impl Line {
    pub(crate) fn verdict(&self) -> &'static str {
        match self.outcome {
            Outcome::Held(_) => "ok",
            Outcome::Violated(_) | Outcome::Broken(_) => "FAILED",
            Outcome::Absent => "ignored",
        }
    }

    fn tally(&self) -> Option<&Tally> {
        match &self.outcome {
            Outcome::Held(tally) | Outcome::Violated(tally) => Some(tally),
            Outcome::Broken(_) | Outcome::Absent => None,
        }
    }
}

/// Prints what has failed and how many have not. Whether none has failed.
pub(crate) fn summary(lines: &[Line]) -> bool {
    for line in lines {
        let name = format!("{}::{}", line.backend.name(), line.part);
        match &line.outcome {
            Outcome::Violated(tally) => println!("\n{name}:\n{}", tally.violations.join("\n")),
            Outcome::Broken(what) => println!("\n{name} has not come to its end: {what}"),
            Outcome::Held(_) | Outcome::Absent => {}
        }
    }
    let count = |verdict: &str| lines.iter().filter(|line| line.verdict() == verdict).count();
    let (passed, failed, ignored) = (count("ok"), count("FAILED"), count("ignored"));
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let took: Duration = lines.iter().map(|line| line.took).sum();
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out; finished in {:.2}s\n",
        took.as_secs_f64()
    );
    failed == 0
}

/// A Markdown table of all parts, and what they have to say.
pub(crate) fn page(options: &Options, lines: &[Line]) -> String {
    let mut page = String::from(
        "| part | database | seconds | operations | faults | conflicts | unknown | violations |\n\
         | --- | --- | --: | --: | --: | --: | --: | --: |\n",
    );
    let mut total = Tally::default();
    for line in lines {
        let row = line.tally().map_or_else(
            || format!("{} | | | |", line.verdict()),
            |tally| {
                format!(
                    "{} | {} | {} | {} | {}",
                    tally.operations,
                    tally.faults,
                    tally.conflicts,
                    tally.unknowns,
                    tally.violations.len()
                )
            },
        );
        let (part, backend, seconds) = (line.part, line.backend.name(), line.took.as_secs());
        let _ = writeln!(page, "| {part} | {backend} | {seconds} | {row} |");
        if let Some(tally) = line.tally() {
            total.add(tally.clone());
        }
    }
    let _ = writeln!(
        page,
        "| all | | {} | {} | {} | {} | {} | {} |\n\nSeed {}.",
        lines.iter().map(|line| line.took.as_secs()).sum::<u64>(),
        total.operations,
        total.faults,
        total.conflicts,
        total.unknowns,
        total.violations.len(),
        options.seed
    );
    for note in &total.notes {
        let _ = writeln!(page, "{note}");
    }
    page
}
