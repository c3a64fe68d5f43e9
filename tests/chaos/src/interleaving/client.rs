//! One of two clients, from its first step to its last.

use optlock::Error;
use sea_orm::DatabaseConnection;

use super::gate::Gate;
use super::level::Level;
use super::order::Side;
use super::row::pair;
use super::way::Way;

/// Waits for a turn ahead of each of its four steps. What goes wrong is rolled back at once, in the same step. What the client is told: whether
/// it has written.
pub(crate) async fn client<W: Way>(
    way: W,
    side: Side,
    level: &Level,
    db: DatabaseConnection,
    mut gate: Gate,
) -> Result<bool, Error> {
    gate.turn().await;
    let before = if way.reads_first() {
        let rows = pair(&db).await?;
        gate.turn().await;
        Some(rows)
    } else {
        None
    };
    let txn = level.begin(&db).await?;
    gate.turn().await;
    match way.work(side, &txn, before, &mut gate).await {
        Ok(has_written) => {
            gate.turn().await;
            if way.rolls_back(side) {
                txn.rollback().await?;
                return Ok(false);
            }
            txn.commit().await?;
            Ok(has_written)
        }
        Err(err) => {
            txn.rollback().await?;
            Err(err)
        }
    }
}
