//! One task, one random row at a time.

use std::time::Duration;

use crate::Result;
use crate::candidate::{self, About, Entrant, OURS, Pick, SEA_ORM, Share, TOASTY};
use crate::data::{Bound, Findings, Goal, Plot, Shape, Table};
use crate::database::{self, Backend, Target};
use crate::options::Length;
use crate::progress::Progress;
use crate::stats::{Spread, as_f64, figure};

const ROWS: i32 = 10_000;

/// Microseconds an update took in each round.
struct Figures {
    name: &'static str,
    rounds: Vec<f64>,
}

pub(super) async fn run(target: &Target, length: Length) -> Result<Findings> {
    let rounds = length.pick(3, 40, 120);
    let updates = length.pick(40, 150, 150);
    let mut entrants = enter_all(target).await?;
    let mut figures: Vec<Figures> = entrants
        .iter()
        .map(|entrant| Figures {
            name: entrant.about.name,
            rounds: Vec::new(),
        })
        .collect();
    let mut progress = Progress::new(format!("single, {}", target.backend.title()), rounds + 1);
    // By chance, so that none always has the same one before it.
    let mut order: Vec<usize> = (0..entrants.len()).collect();
    // A first round, which is not counted, prepares the statements.
    for round in 0..=rounds {
        fastrand::shuffle(&mut order);
        for &number in &order {
            let picks = picks(entrants.len(), updates);
            let took = entrants[number].candidate.round(&picks).await?;
            if round > 0 {
                figures[number].rounds.push(micros(took) / as_f64(updates));
            }
        }
        progress.step();
    }
    // Without their connections.
    let entrants: Vec<About> = entrants.into_iter().map(|entrant| entrant.about).collect();
    verify(target, &entrants, (rounds + 1) * updates).await?;
    Ok(findings(target.backend, &figures, rounds, updates))
}

async fn enter_all(target: &Target) -> Result<Vec<Entrant>> {
    let count = candidate::count(target.backend);
    let mut entrants = Vec::new();
    for number in 0..count {
        let file = format!("single-{number}");
        if number == 0 || target.backend == Backend::Sqlite {
            let db = target.pool(&file, 1).await?;
            database::fill(&db, ROWS, 100).await?;
            db.close().await?;
        }
        let db = target.pool(&file, 1).await?;
        let mut rows = database::rows(&db).await?;
        db.close().await?;
        rows.retain(|row| is_of(row.id, number, count));
        entrants.push(candidate::enter(number, Share { target, file, rows }).await?);
    }
    Ok(entrants)
}

/// Random rows of one share: all shares are nearly of one size.
fn picks(shares: usize, updates: usize) -> Vec<Pick> {
    let slots = ROWS.unsigned_abs() as usize / shares;
    let pick = |_| Pick {
        slot: fastrand::usize(..slots),
        stock: fastrand::i32(0..1_000_000),
    };
    (0..updates).map(pick).collect()
}

fn is_of(id: i32, number: usize, shares: usize) -> bool {
    id.unsigned_abs() as usize % shares == number
}

/// Every checked update has advanced one version by one, and nothing else has.
async fn verify(target: &Target, entrants: &[About], updates: usize) -> Result<()> {
    for (number, entrant) in entrants.iter().enumerate() {
        let db = target.pool(&entrant.file, 1).await?;
        let rows = database::rows(&db).await?;
        let own = rows.iter().filter(|row| is_of(row.id, number, entrants.len()));
        let advanced: i64 = own.map(|row| row.version - 1).sum();
        let expected = if entrant.is_versioned { updates } else { 0 };
        if advanced != i64::try_from(expected)? {
            return Err(format!(
                "{}: {expected} updates advanced the versions by {advanced}",
                entrant.name
            )
            .into());
        }
        db.close().await?;
    }
    Ok(())
}

fn findings(backend: Backend, all: &[Figures], rounds: usize, updates: usize) -> Findings {
    let empty = Vec::new();
    let rounds_of = |name| {
        all.iter()
            .find(|figures| figures.name == name)
            .map_or(&empty, |figures| &figures.rounds)
    };
    let (sea_orm, toasty, ours) = (rounds_of(SEA_ORM), rounds_of(TOASTY), rounds_of(OURS));

    let mut table = Table::new(
        format!("{rounds} rounds of {updates} updates by each candidate"),
        [
            "candidate",
            "µs an update, median",
            "time, of SeaORM's `update`",
            "p10–p90",
            "time, of toasty's",
            "p10–p90",
        ],
    );
    let mut bars = Vec::new();
    for figures in all {
        let of_sea_orm = Spread::of_ratios(&figures.rounds, sea_orm);
        let of_toasty = Spread::of_ratios(&figures.rounds, toasty);
        table.rows.push(vec![
            figures.name.to_owned(),
            figure(Spread::of(&figures.rounds).median),
            figure(of_sea_orm.median),
            of_sea_orm.range(),
            figure(of_toasty.median),
            of_toasty.range(),
        ]);
        bars.push((figures.name.replace('`', ""), of_sea_orm.median));
    }

    let (to_sea_orm, to_toasty) = match backend {
        Backend::Postgres => (1.02, 0.80),
        Backend::MariaDb => (0.70, 0.60),
        Backend::Sqlite => (0.85, 1.05),
    };
    let goal = |other: &str, rounds, bound| {
        let spread = Spread::of_ratios(ours, rounds);
        let what = format!("{}: time of `update`, of {other}", backend.title());
        Goal::new(what, Bound::AtMost(bound), spread.median).with_range(spread.range())
    };
    Findings {
        notes: Vec::new(),
        tables: vec![table],
        goals: vec![
            goal("SeaORM's unchecked `update`", sea_orm, to_sea_orm),
            goal("toasty's", toasty, to_toasty),
        ],
        plots: vec![Plot {
            name: format!("single-{}", backend.name()),
            title: format!("{}: one update, by one task", backend.title()),
            unit: "time, SeaORM's unchecked update = 1".to_owned(),
            shape: Shape::Bars(bars),
        }],
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
