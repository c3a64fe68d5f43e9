//! How clients read and write.

use std::future::Future;

use optlock::Error;
use sea_orm::DatabaseTransaction;

use super::gate::Gate;
use super::level::Level;
use super::order::Side;
use super::row;

/// The ways of one scenario.
pub(crate) trait Way: Copy + Send + Sync + PartialEq + 'static {
    const ALL: &'static [Self];
    /// The quantities of both rows at the beginning.
    const START: [i64; 2];
    /// What the table is about.
    const TITLE: &'static str;
    /// What must not come of two clients.
    const ANOMALY: &'static str;

    /// As GUARANTEES.md calls it.
    fn name(self) -> &'static str;

    /// Whether the rows are read ahead of the transaction.
    fn reads_first(self) -> bool;

    /// Whether this client's last step is no commit.
    fn rolls_back(self, _side: Side) -> bool {
        false
    }

    /// Whether it is known for anomalies at this level. They must be there, which shows that the orders are played as they say.
    fn has_anomalies(self, level: &Level) -> bool;

    /// Reads, unless that was done `before`, and writes. Whether there was anything to write.
    fn work(
        self,
        side: Side,
        txn: &DatabaseTransaction,
        before: Option<[row::Model; 2]>,
        gate: &mut Gate,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Whose writes are in the rows. `None` if nobody's can have led to them.
    fn stored(quantities: [i64; 2]) -> Option<[bool; 2]>;

    /// Whether it is an anomaly that the writes of these are stored, if these were told that theirs are.
    fn is_anomaly(written: [bool; 2], stored: [bool; 2]) -> bool;

    /// The versions after these writes.
    fn versions(self, written: [bool; 2]) -> [i64; 2];
}
