//! Each client goes off duty, in a row of its own, if the other one is on.

use optlock::Error;
use optlock::prelude::*;
use sea_orm::DatabaseTransaction;

use super::gate::Gate;
use super::level::Level;
use super::order::Side;
use super::row::{self, pair};
use super::way;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    PlainReadFirst,
    Versioned,
    Touched,
    TouchedReadFirst,
    Locked,
}

impl way::Way for Way {
    const ALL: &'static [Self] = &[
        Self::Plain,
        Self::PlainReadFirst,
        Self::Versioned,
        Self::Touched,
        Self::TouchedReadFirst,
        Self::Locked,
    ];
    const START: [i64; 2] = [1, 1];
    const TITLE: &'static str = "each leaves if the other one stays";
    const ANOMALY: &'static str = "both have left";

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "unchecked",
            Self::PlainReadFirst => "read before, unchecked",
            Self::Versioned => "`update` of the own row alone",
            Self::Touched => "`update`, and `touch` of the other row",
            Self::TouchedReadFirst => "read before, `update`, and `touch` of the other row",
            Self::Locked => "`lock_all`",
        }
    }

    fn reads_first(self) -> bool {
        matches!(self, Self::PlainReadFirst | Self::TouchedReadFirst)
    }

    /// A version guards the row that it is in.
    fn has_anomalies(self, level: &Level) -> bool {
        match self {
            Self::PlainReadFirst => true,
            Self::Plain | Self::Versioned => !level.is_serializable(),
            Self::Touched | Self::TouchedReadFirst | Self::Locked => false,
        }
    }

    async fn work(
        self,
        side: Side,
        txn: &DatabaseTransaction,
        before: Option<[row::Model; 2]>,
        gate: &mut Gate,
    ) -> Result<bool, Error> {
        if self == Self::Locked {
            let rows: [_; 2] = row::Entity::lock_all(txn, [1, 2]).await?.into_array()?;
            gate.turn().await;
            let is_covered = rows.iter().all(|row| row.qty == 1);
            let [ann, bob] = rows;
            let own = if side == Side::Ann { ann } else { bob };
            if is_covered {
                own.update(|row| row.qty = 0).await?;
            }
            return Ok(is_covered);
        }
        let rows = if let Some(rows) = before {
            rows
        } else {
            let rows = pair(txn).await?;
            gate.turn().await;
            rows
        };
        if rows.iter().any(|row| row.qty == 0) {
            return Ok(false);
        }
        // In the order of the keys, as two who write the same rows should.
        for (row, of) in rows.into_iter().zip(Side::BOTH) {
            if of == side {
                let mut change = row.into_active_model();
                change.qty = Set(0);
                if matches!(self, Self::Plain | Self::PlainReadFirst) {
                    change.update_unchecked(txn).await?;
                } else {
                    change.update(txn).await?;
                }
            } else if matches!(self, Self::Touched | Self::TouchedReadFirst) {
                row.touch(txn).await?;
            }
        }
        Ok(true)
    }

    fn stored(quantities: [i64; 2]) -> Option<[bool; 2]> {
        quantities
            .iter()
            .all(|quantity| matches!(quantity, 0 | 1))
            .then(|| quantities.map(|quantity| quantity == 0))
    }

    fn is_anomaly(_written: [bool; 2], stored: [bool; 2]) -> bool {
        stored == [true, true]
    }

    fn versions(self, written: [bool; 2]) -> [i64; 2] {
        let writes = written.map(i64::from);
        match self {
            Self::Plain | Self::PlainReadFirst => [1, 1],
            Self::Versioned | Self::Locked => writes.map(|writes| 1 + writes),
            Self::Touched | Self::TouchedReadFirst => [1 + writes[0] + writes[1]; 2],
        }
    }
}
