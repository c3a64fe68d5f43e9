//! The report: Markdown and plots from all data files, so that it is whole however little was measured again.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Result;
use crate::case::Case;
use crate::data::{Bound, Data, Table};
use crate::stats::figure;

const INTRODUCTION: &str = "\
# Performance

<!-- Written by `cargo xtask bench`; changes by hand are lost. -->

What this library costs, and what it gains, against what a user would pick instead. All of it is measured by one command, which starts private servers with durable settings:

```sh
cargo xtask bench
```

Each section names the command that measures it alone. Quote ratios, and no absolute figure without its command: absolute figures are this machine's.

## What this cannot show

- **Two cores, or however many the machine has, are shared** by the client and the server. Where many tasks are busy, the CPU decides, and a server on a machine of its own would be faster.
- **The network is the loopback device.** A real one makes each round trip dearer, and so favors those who need fewer: the ratios of one row at a time would move in favor of one statement per update.
- **One disk, one kernel.** What a commit costs depends on how fast the disk flushes; ways that share a flush gain more where it is slow.
- **The settings are those of the tables below**, the servers' defaults besides what makes them durable. None is tuned.
- **One process.** What callers of `modify` gain by standing in line in memory, they gain within one process.
- **The tables are small** and in memory on the server.
- Spreads (p10–p90) are those of one run. Another day can differ by more.
";

pub(crate) fn write(out: &Path) -> Result<()> {
    let all = Data::read_all(out)?;
    fs::create_dir_all(out)?;
    for plot in all.iter().flat_map(|data| &data.findings.plots) {
        plot.draw(out)?;
    }
    let path = out.join("README.md");
    fs::write(&path, text(&all)?)?;
    eprintln!("bench: wrote {}", path.display());
    Ok(())
}

fn text(all: &[Data]) -> Result<String> {
    let mut text = INTRODUCTION.to_owned();
    if all.iter().any(|data| data.length == "quick") {
        text += "\n**Some of this is of a quick run, which only shows that it works: its figures mean nothing.**\n";
    }
    write_goals(&mut text, all)?;
    for case in Case::ALL {
        let of_case: Vec<&Data> = all.iter().filter(|data| data.case == case).collect();
        if !of_case.is_empty() {
            write!(text, "\n## {}\n\n{}\n", case.title(), case.explanation())?;
        }
        for data in of_case {
            write_section(&mut text, data)?;
        }
    }
    write_machines(&mut text, all)?;
    Ok(text)
}

fn write_goals(text: &mut String, all: &[Data]) -> Result<()> {
    *text +=
        "\n## Goals\n\nMedians within one run.\n\n| | goal | measured | p10–p90 | |\n| --- | --- | --- | --- | --- |\n";
    for goal in all.iter().flat_map(|data| &data.findings.goals) {
        let bound = match goal.bound {
            Bound::AtMost(bound) => format!("at most {}", figure(bound)),
            Bound::AtLeast(bound) => format!("at least {}", figure(bound)),
            Bound::Exactly(bound) => format!("exactly {}", figure(bound)),
        };
        let range = goal.range.as_deref().unwrap_or("–");
        let verdict = if goal.is_reached() { "reached" } else { "**missed**" };
        writeln!(
            text,
            "| {} | {bound} | {} | {range} | {verdict} |",
            goal.what,
            figure(goal.measured)
        )?;
    }
    Ok(())
}

fn write_section(text: &mut String, data: &Data) -> Result<()> {
    if let Some(backend) = data.backend {
        write!(
            text,
            "\n### {}: {}\n",
            backend.title(),
            data.case.title().to_lowercase()
        )?;
    }
    write!(text, "\n`{}` ({})\n", data.command, data.date)?;
    if !data.settings.is_empty() {
        let settings: Vec<_> = data
            .settings
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        write!(text, "\nSettings, as the server says them: {}.\n", settings.join("; "))?;
    }
    for plot in &data.findings.plots {
        write!(text, "\n![{}: {}]({}.svg)\n", plot.title, plot.unit, plot.name)?;
    }
    for table in &data.findings.tables {
        write_table(text, table)?;
    }
    for note in &data.findings.notes {
        write!(text, "\n{note}\n")?;
    }
    Ok(())
}

fn write_table(text: &mut String, table: &Table) -> Result<()> {
    write!(text, "\n{}:\n\n| {} |\n|", table.caption, table.header.join(" | "))?;
    for _ in &table.header {
        *text += " --- |";
    }
    *text += "\n";
    for row in &table.rows {
        writeln!(text, "| {} |", row.join(" | "))?;
    }
    Ok(())
}

/// What all cases have in common, and then what they do not, as they need not have run on one day.
fn write_machines(text: &mut String, all: &[Data]) -> Result<()> {
    *text += "\n## Machine\n\n| | |\n| --- | --- |\n";
    let Some(first) = all.first() else {
        return Ok(());
    };
    let is_common = |fact: &&(String, String)| all.iter().all(|data| data.machine.contains(fact));
    for (name, value) in first.machine.iter().filter(is_common) {
        writeln!(text, "| {name} | {value} |")?;
    }
    for data in all {
        let backend = data
            .backend
            .map_or(String::new(), |backend| format!(", {}", backend.title()));
        let own = data.machine.iter().filter(|fact| !is_common(fact));
        let own: Vec<_> = own.map(|(name, value)| format!("{name}: {value}")).collect();
        writeln!(text, "| {}{backend} | {} |", data.case.name(), own.join("; "))?;
    }
    Ok(())
}
