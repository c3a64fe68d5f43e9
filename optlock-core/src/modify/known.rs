//! What a caller knows of the row.

use sea_orm::DatabaseConnection;

use super::round::Target;
use crate::entity::Versioned;
use crate::error::Error;

/// The rows that a caller has.
pub(super) struct Known<M> {
    /// The row that has won the last round.
    pub(super) won: Option<M>,
    /// The row as the caller had read it before.
    pub(super) in_hand: Option<M>,
}

impl<M> Known<M> {
    /// One of them, or the row as it is now, and whether it is known to be current.
    pub(super) async fn take_or_read<En: Versioned<Model = M>>(
        &mut self,
        db: &DatabaseConnection,
        target: &Target,
    ) -> Result<Option<(M, bool)>, Error> {
        // The row that has won is as good as one that was read now.
        if let Some(won) = self.won.take() {
            return Ok(Some((won, true)));
        }
        if let Some(in_hand) = self.in_hand.take() {
            return Ok(Some((in_hand, false)));
        }
        Ok(target.read::<En>(db).await?.map(|row| (row, true)))
    }
}
