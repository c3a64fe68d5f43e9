//! Writes to many rows that were loaded.

pub(crate) mod cancel;
pub(crate) mod delete;
pub(crate) mod keys;
pub(crate) mod large;
pub(crate) mod parts;
pub(crate) mod policy;
pub(crate) mod race;
pub(crate) mod update;
pub(crate) mod values;
pub(crate) mod versions;
pub(crate) mod within;

use optlock::prelude::*;

use crate::context::Context;
use crate::entity::item;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// A row with another quantity to be written.
fn with_qty(row: &item::Model, qty: i64) -> item::ActiveModel {
    let mut model = row.clone().into_active_model();
    model.qty = Set(qty);
    model
}

/// All rows in the order of their keys.
async fn rows(context: &Context) -> Result<Vec<item::Model>> {
    Ok(item::Entity::find().order_by_id_asc().all(&context.other).await?)
}

/// The statements that write, of those that were sent.
fn writes(statements: &[String]) -> Vec<&String> {
    let writes = statements.iter();
    writes
        .filter(|sql| (sql.starts_with("UPDATE") && !sql.contains("WHERE FALSE")) || sql.starts_with("DELETE"))
        .collect()
}

/// Brings rows into an order of chance, the same for the same seed.
fn shuffle<T>(rows: &mut [T], seed: &mut u64) {
    for last in (1..rows.len()).rev() {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let other = (*seed >> 33) % (last as u64 + 1);
        rows.swap(last, usize::try_from(other).unwrap_or(last));
    }
}
