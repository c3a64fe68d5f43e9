//! Sales under the condition that there is enough, and deliveries, without a read before.

use optlock::Error;
use optlock::prelude::*;
use optlock_history::Access;
use sea_orm::sea_query::ExprTrait as _;

use crate::Result;
use crate::client::Client;
use crate::row::{self, Column, token};

pub(super) const PRODUCTS: i64 = 3;
pub(super) const STOCK: i64 = 50;

pub(super) async fn step(client: &mut Client) -> Result<()> {
    let key = client.random.i64(1..=PRODUCTS);
    let (sold, delivered) = match client.random.u8(0..4) {
        0 => (0, client.random.i64(1..=12)),
        _ => (client.random.i64(1..=5), 0),
    };
    let begun = client.begin();
    let update = row::Entity::update_by_id(key)
        .col_expr(Column::Qty, Expr::col(Column::Qty).add(delivered - sold))
        .col_expr(Column::Writer, Expr::val(token(begun.id)))
        .filter(Column::Qty.gte(sold));
    match update.exec(&client.db).await {
        Ok(stored) => {
            if stored.writer != token(begun.id) || stored.qty < 0 {
                return Err(format!("{stored:?} is not what {} has stored", begun.id).into());
            }
            client.committed(&begun, vec![Access::wrote(key, stored.version)]);
        }
        Err(Error::Refused(refused)) => {
            client.failed(&begun, vec![Access::blind(key)], Error::Refused(refused))?;
        }
        Err(err) => client.failed(&begun, vec![Access::blind(key)], err)?,
    }
    Ok(())
}

pub(super) fn wrongs(rows: &[row::Model]) -> Vec<String> {
    let oversold = rows.iter().filter(|row| row.qty < 0);
    oversold
        .map(|row| format!("product {} is oversold: {}", row.id, row.qty))
        .collect()
}
