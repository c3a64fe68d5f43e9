//! Everybody wants one of a few thousand units.

mod sale;
mod token;
mod ways;

use std::time::Duration;

use crate::Result;
use crate::data::{Bound, Findings, Goal, Plot, Shape, Table};
use crate::database::Target;
use crate::options::Length;
use crate::progress::Progress;
use crate::stats::{as_f64, figure, percentile};
use sale::{Limits, Outcome};
use ways::Way;

pub(super) async fn run(target: &Target, length: Length) -> Result<Findings> {
    let limits = Limits {
        units: length.pick(500, 10_000, 10_000),
        tasks: 64,
        attempts: length.pick(20_000, 1_000_000, 1_000_000),
        // A million attempts take more than a minute each; this is for whom that is too long.
        after_sell_out: length.pick(Duration::from_secs(1), Duration::from_secs(8), Duration::from_mins(10)),
    };
    let mut progress = Progress::new(format!("flash sale, {}", target.backend.title()), Way::ALL.len());
    let db = target.pool("sale", 16).await?;
    let mut outcomes = Vec::new();
    for way in Way::ALL {
        sale::stock_up(&db, limits.units).await?;
        outcomes.push((way, sale::run(&db, way, &limits).await?));
        progress.step();
    }
    Ok(findings(&limits, &outcomes))
}

fn findings(limits: &Limits, outcomes: &[(Way, Outcome)]) -> Findings {
    let caption = format!(
        "{} units, {} tasks, up to {} attempts or {} s after the sell-out",
        figure(f64::from(limits.units)),
        limits.tasks,
        figure(as_f64(limits.attempts)),
        limits.after_sell_out.as_secs()
    );
    let header = [
        "way",
        "sell-out, s",
        "attempts",
        "attempts a second after the sell-out",
        "buyers: p50, ms",
        "p99",
        "refused: p50, ms",
        "p99",
        "sold",
        "left",
        "oversold",
    ];
    let mut table = Table::new(caption, header);
    let mut goals = Vec::new();
    for (way, outcome) in outcomes {
        table.rows.push(vec![
            way.name().to_owned(),
            figure(outcome.sold_out_after.as_secs_f64()),
            figure(as_f64(outcome.attempts())),
            figure(outcome.rate_after_sell_out()),
            figure(percentile(&outcome.buyers, 0.5)),
            figure(percentile(&outcome.buyers, 0.99)),
            figure(percentile(&outcome.refused, 0.5)),
            figure(percentile(&outcome.refused, 0.99)),
            outcome.buyers.len().to_string(),
            outcome.left.to_string(),
            outcome.oversold().to_string(),
        ]);
        let name = way.name();
        let sold = as_f64(outcome.buyers.len());
        goals.push(Goal::new(
            format!("{name}: units sold"),
            Bound::Exactly(f64::from(limits.units)),
            sold,
        ));
        let oversold = as_f64(usize::try_from(outcome.oversold()).unwrap_or(usize::MAX));
        goals.push(Goal::new(
            format!("{name}: units oversold"),
            Bound::Exactly(0.0),
            oversold,
        ));
        if way.is_ours() {
            let all: Vec<f64> = [outcome.buyers.as_slice(), &outcome.refused].concat();
            for (who, latencies) in [("the buyers", &outcome.buyers), ("all", &all)] {
                let what = format!("{name}: 99th percentile of {who}, ms");
                goals.push(Goal::new(what, Bound::AtMost(300.0), percentile(latencies, 0.99)));
            }
        }
    }
    let seconds = |wanted| {
        outcomes
            .iter()
            .find(|(way, _)| *way == wanted)
            .map(|(_, outcome)| outcome.sold_out_after.as_secs_f64())
    };
    for (way, bound) in [(Way::Tokens, 1.5), (Way::TokensInOneStatement, 1.5)] {
        if let (Some(row), Some(tokens)) = (seconds(Way::OneRow), seconds(way)) {
            let what = format!("speed of the sell-out with {}, of one atomic row", way.name());
            goals.push(Goal::new(what, Bound::AtLeast(bound), row / tokens));
        }
    }
    let bars = outcomes
        .iter()
        .map(|(way, outcome)| (way.name().replace('`', ""), outcome.sold_out_after.as_secs_f64()));
    Findings {
        notes: vec!["Each way runs once: differences under a tenth mean nothing.".to_owned()],
        tables: vec![table],
        goals,
        plots: vec![Plot {
            name: "flash-sale-postgres".to_owned(),
            title: format!(
                "PostgreSQL: {} units, {} tasks",
                figure(f64::from(limits.units)),
                limits.tasks
            ),
            unit: "seconds until all are sold".to_owned(),
            shape: Shape::Bars(bars.collect()),
        }],
    }
}
