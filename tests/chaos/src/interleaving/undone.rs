//! Both clients add to one row, and Ann rolls back.

use optlock::Error;
use sea_orm::DatabaseTransaction;

use super::gate::Gate;
use super::level::Level;
use super::order::Side;
use super::{counter, row, way};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way(counter::Way);

impl way::Way for Way {
    const ALL: &'static [Self] = &[
        Self(counter::Way::Plain),
        Self(counter::Way::Versioned),
        Self(counter::Way::Locked),
        Self(counter::Way::Modified),
        Self(counter::Way::Computed),
    ];
    const START: [i64; 2] = counter::Way::START;
    const TITLE: &'static str = "both add to one row, and Ann rolls back";
    const ANOMALY: &'static str = "what was rolled back is stored";

    fn name(self) -> &'static str {
        self.0.name()
    }

    fn reads_first(self) -> bool {
        self.0.reads_first()
    }

    fn rolls_back(self, side: Side) -> bool {
        side == Side::Ann
    }

    /// Bob reads what Ann has not committed, and writes what he makes of it after she has rolled back.
    fn has_anomalies(self, level: &Level) -> bool {
        self.0 == counter::Way::Plain && level.is_dirty()
    }

    async fn work(
        self,
        side: Side,
        txn: &DatabaseTransaction,
        before: Option<[row::Model; 2]>,
        gate: &mut Gate,
    ) -> Result<bool, Error> {
        self.0.work(side, txn, before, gate).await
    }

    fn stored(quantities: [i64; 2]) -> Option<[bool; 2]> {
        counter::Way::stored(quantities)
    }

    fn is_anomaly(_written: [bool; 2], [anns, _]: [bool; 2]) -> bool {
        anns
    }

    fn versions(self, written: [bool; 2]) -> [i64; 2] {
        self.0.versions(written)
    }
}
