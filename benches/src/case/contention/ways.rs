//! Ways to take one unit off a row that others want, too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use optlock::prelude::*;
use optlock::{Error, Fault, Policy};
use sea_orm::TransactionTrait as _;
use sea_orm::sea_query::{Expr, ExprTrait as _};

use crate::Result;
use crate::table::{plain, product};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    AtOnce,
    Jitter,
    ForUpdate,
    Conditional,
    ConditionalByHand,
    Modify,
    Combined,
}

impl Way {
    pub(super) const ALL: [Self; 7] = [
        Self::AtOnce,
        Self::Jitter,
        Self::ForUpdate,
        Self::Conditional,
        Self::ConditionalByHand,
        Self::Modify,
        Self::Combined,
    ];

    /// Those that are worth trying with so many rows and tasks.
    pub(super) fn of_cell(rows: i32, tasks: usize) -> Vec<Self> {
        let is_tried = |way: &Self| match way {
            // With so many, it does not come to an end.
            Self::AtOnce => tasks < super::CROWD,
            // For rows that everybody wants.
            Self::Combined => rows == 1,
            _ => true,
        };
        Self::ALL.into_iter().filter(is_tried).collect()
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AtOnce => "optimistic, retried at once",
            Self::Jitter => "optimistic, full jitter 1–50 ms",
            Self::ForUpdate => "optlock `for_update`",
            Self::Conditional => "optlock `update_by_id`, conditional",
            Self::ConditionalByHand => "conditional write, SeaORM by hand",
            Self::Modify => "optlock `modify`",
            Self::Combined => "optlock `modify` with `combine`",
        }
    }

    /// Takes one unit off the row, however often that takes.
    pub(super) async fn take(self, db: &DatabaseConnection, id: i32, conflicts: &AtomicU64) -> Result<()> {
        match self {
            Self::AtOnce => optimistic(db, id, conflicts, |_| Duration::ZERO).await,
            Self::Jitter => optimistic(db, id, conflicts, full_jitter).await,
            Self::ForUpdate => for_update(db, id).await,
            Self::Conditional => conditional(db, id).await,
            Self::ConditionalByHand => conditional_by_hand(db, id).await,
            Self::Modify => modify(&Policy::new(), db, id, conflicts).await,
            Self::Combined => modify(&Policy::new().combine(), db, id, conflicts).await,
        }
    }
}

async fn optimistic(db: &DatabaseConnection, id: i32, conflicts: &AtomicU64, delay: fn(u32) -> Duration) -> Result<()> {
    for lost in 0.. {
        let row = product::Entity::find_by_id(id)
            .one(db)
            .await?
            .ok_or("the row is gone")?;
        let stock = row.stock - 1;
        let mut row = row.into_active_model();
        row.stock = Set(stock);
        match row.update(db).await {
            Ok(_) => break,
            Err(error) if is_a_rivals_doing(&error) => {}
            Err(error) => return Err(error.into()),
        }
        conflicts.fetch_add(1, Ordering::Relaxed);
        let delay = delay(lost);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }
    Ok(())
}

/// Up to 1 ms after the first loss, up to twice as much after each further one, and never more than 50 ms.
fn full_jitter(lost: u32) -> Duration {
    let most = 1_u64.checked_shl(lost).unwrap_or(u64::MAX).clamp(1, 50);
    Duration::from_micros(fastrand::u64(0..=most * 1_000))
}

fn is_a_rivals_doing(error: &Error) -> bool {
    matches!(
        optlock::fault(error),
        Fault::Stale | Fault::Busy | Fault::Deadlock | Fault::Serialization
    )
}

async fn for_update(db: &DatabaseConnection, id: i32) -> Result<()> {
    let txn = db.begin().await?;
    let row = product::Entity::find_by_id(id).for_update().one(&txn).await?;
    let row = row.ok_or("the row is gone")?;
    row.update(|row| row.stock -= 1).await?;
    Ok(txn.commit().await?)
}

async fn conditional(db: &DatabaseConnection, id: i32) -> Result<()> {
    let update = product::Entity::update_by_id(id)
        .col_expr(product::Column::Stock, Expr::col(product::Column::Stock).sub(1))
        .filter(product::Column::Stock.gte(1));
    update.exec(db).await?;
    Ok(())
}

async fn conditional_by_hand(db: &DatabaseConnection, id: i32) -> Result<()> {
    let update = plain::Entity::update_many()
        .col_expr(plain::Column::Stock, Expr::col(plain::Column::Stock).sub(1))
        .col_expr(plain::Column::Version, Expr::col(plain::Column::Version).add(1))
        .filter(plain::Column::Id.eq(id))
        .filter(plain::Column::Stock.gte(1));
    match update.exec(db).await?.rows_affected {
        1 => Ok(()),
        rows => Err(format!("a conditional write reached {rows} rows").into()),
    }
}

async fn modify(policy: &Policy<'_>, db: &DatabaseConnection, id: i32, conflicts: &AtomicU64) -> Result<()> {
    let count = |_: &optlock::Retry| {
        conflicts.fetch_add(1, Ordering::Relaxed);
    };
    // Every way here goes on until it is done.
    let policy = policy.without_deadline().attempts(u32::MAX).on_retry(&count);
    policy.modify(product::Entity, db, id, |row| row.stock -= 1).await?;
    Ok(())
}
