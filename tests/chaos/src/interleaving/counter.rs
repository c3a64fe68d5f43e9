//! Both clients add to one row.

use optlock::Error;
use optlock::prelude::*;
use sea_orm::DatabaseTransaction;
use sea_orm::sea_query::ExprTrait as _;

use super::gate::Gate;
use super::level::Level;
use super::order::Side;
use super::{row, way};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    PlainReadFirst,
    Versioned,
    VersionedReadFirst,
    Locked,
    Modified,
    Computed,
}

impl way::Way for Way {
    const ALL: &'static [Self] = &[
        Self::Plain,
        Self::PlainReadFirst,
        Self::Versioned,
        Self::VersionedReadFirst,
        Self::Locked,
        Self::Modified,
        Self::Computed,
    ];
    const START: [i64; 2] = [0, 0];
    const TITLE: &'static str = "both add to one row";
    const ANOMALY: &'static str = "an update is lost";

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "unchecked",
            Self::PlainReadFirst => "read before, unchecked",
            Self::Versioned => "`update`",
            Self::VersionedReadFirst => "read before, `update`",
            Self::Locked => "`for_update`",
            Self::Modified => "`modify`",
            Self::Computed => "`update_by_id`",
        }
    }

    fn reads_first(self) -> bool {
        matches!(self, Self::PlainReadFirst | Self::VersionedReadFirst)
    }

    fn has_anomalies(self, level: &Level) -> bool {
        self == Self::PlainReadFirst || self == Self::Plain && level.overwrites()
    }

    async fn work(
        self,
        side: Side,
        txn: &DatabaseTransaction,
        before: Option<[row::Model; 2]>,
        gate: &mut Gate,
    ) -> Result<bool, Error> {
        let count = COUNTS[side.index()];
        if self == Self::Locked {
            let row = row::Entity::find_by_id(1).for_update().one(txn).await?;
            gate.turn().await;
            row.expect("row 1 is there").update(|row| row.qty += count).await?;
            return Ok(true);
        }
        let row = if let Some([row, _]) = before {
            row
        } else {
            let row = row::Entity::find_by_id(1).one(txn).await?;
            gate.turn().await;
            row.expect("row 1 is there")
        };
        let qty = row.qty + count;
        let mut change = row.into_active_model();
        change.qty = Set(qty);
        match self {
            Self::Plain | Self::PlainReadFirst => change.update_unchecked(txn).await?,
            Self::Versioned | Self::VersionedReadFirst | Self::Locked => change.update(txn).await?,
            Self::Modified => row::Entity::modify(txn, 1, |row| row.qty += count).await?,
            Self::Computed => {
                row::Entity::update_by_id(1)
                    .col_expr(row::Column::Qty, Expr::col(row::Column::Qty).add(count))
                    .exec(txn)
                    .await?
            }
        };
        Ok(true)
    }

    fn stored(quantities: [i64; 2]) -> Option<[bool; 2]> {
        let stored = match quantities[0] {
            0 => [false, false],
            1 => [true, false],
            10 => [false, true],
            11 => [true, true],
            _ => return None,
        };
        (quantities[1] == 0).then_some(stored)
    }

    fn is_anomaly(written: [bool; 2], stored: [bool; 2]) -> bool {
        written == [true, true] && stored != written
    }

    fn versions(self, written: [bool; 2]) -> [i64; 2] {
        match self {
            Self::Plain | Self::PlainReadFirst => [1, 1],
            _ => [1 + written.map(i64::from).iter().sum::<i64>(), 1],
        }
    }
}

/// What each adds, so that the sum says who has.
const COUNTS: [i64; 2] = [1, 10];
