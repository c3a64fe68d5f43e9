//! Ways to sell a unit to one of many.

use std::sync::atomic::{AtomicBool, Ordering};

use optlock::Policy;
use optlock::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{QueryOrder as _, QuerySelect as _, TransactionTrait as _};

use super::token;
use crate::Result;
use crate::table::{plain, product};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    OneRow,
    OneRowByHand,
    Modify,
    Combined,
    Tokens,
    TokensInOneStatement,
}

/// The one row, or the first.
const PRODUCT: i32 = 1;

const CLAIM: &str = "UPDATE token SET buyer = $1, version = version + 1 WHERE id = (SELECT id FROM token WHERE buyer IS NULL \
                     ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id";

impl Way {
    pub(super) const ALL: [Self; 6] = [
        Self::OneRow,
        Self::OneRowByHand,
        Self::Modify,
        Self::Combined,
        Self::Tokens,
        Self::TokensInOneStatement,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OneRow => "optlock `update_by_id`, conditional",
            Self::OneRowByHand => "conditional write, SeaORM by hand",
            Self::Modify => "optlock `try_modify`",
            Self::Combined => "optlock `try_modify` with `combine`",
            Self::Tokens => "optlock tokens, `skip_locked`",
            Self::TokensInOneStatement => "tokens, one statement, sqlx by hand",
        }
    }

    pub(super) const fn is_ours(self) -> bool {
        matches!(self, Self::OneRow | Self::Modify | Self::Combined | Self::Tokens)
    }

    /// Whether the buyer got one. `sold_out` is what this process has learned.
    pub(super) async fn buy(self, db: &DatabaseConnection, buyer: i32, sold_out: &AtomicBool) -> Result<bool> {
        match self {
            Self::OneRow => one_row(db).await,
            Self::OneRowByHand => one_row_by_hand(db).await,
            Self::Modify => modify(&Policy::new(), db).await,
            Self::Combined => modify(&Policy::new().combine(), db).await,
            Self::Tokens | Self::TokensInOneStatement => {
                // Once somebody was refused, it is cheaper to ask first.
                if sold_out.load(Ordering::Relaxed) && !any_left(db).await? {
                    return Ok(false);
                }
                loop {
                    let has_claimed = if self == Self::Tokens {
                        claim(db, buyer).await?
                    } else {
                        claim_in_one_statement(db, buyer).await?
                    };
                    if has_claimed {
                        return Ok(true);
                    }
                    // None that is free may still be one that comes back.
                    if !any_left(db).await? {
                        sold_out.store(true, Ordering::Relaxed);
                        return Ok(false);
                    }
                }
            }
        }
    }
}

async fn one_row(db: &DatabaseConnection) -> Result<bool> {
    let update = product::Entity::update_by_id(PRODUCT)
        .col_expr(product::Column::Stock, Expr::col(product::Column::Stock).sub(1))
        .filter(product::Column::Stock.gte(1));
    match update.exec_without_returning(db).await {
        Ok(_) => Ok(true),
        Err(optlock::Error::Refused(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn one_row_by_hand(db: &DatabaseConnection) -> Result<bool> {
    let update = plain::Entity::update_many()
        .col_expr(plain::Column::Stock, Expr::col(plain::Column::Stock).sub(1))
        .col_expr(plain::Column::Version, Expr::col(plain::Column::Version).add(1))
        .filter(plain::Column::Id.eq(PRODUCT))
        .filter(plain::Column::Stock.gte(1));
    Ok(update.exec(db).await?.rows_affected == 1)
}

async fn modify(policy: &Policy<'_>, db: &DatabaseConnection) -> Result<bool> {
    #[derive(Debug)]
    enum Refusal {
        SoldOut,
        Failure(optlock::Error),
    }
    impl From<optlock::Error> for Refusal {
        fn from(error: optlock::Error) -> Self {
            Self::Failure(error)
        }
    }
    let policy = policy.without_deadline().attempts(u32::MAX);
    let sold = policy.try_modify(product::Entity, db, PRODUCT, |row| {
        if row.stock == 0 {
            return Err(Refusal::SoldOut);
        }
        row.stock -= 1;
        Ok(())
    });
    match sold.await {
        Ok(_) => Ok(true),
        Err(Refusal::SoldOut) => Ok(false),
        Err(Refusal::Failure(error)) => Err(error.into()),
    }
}

async fn claim(db: &DatabaseConnection, buyer: i32) -> Result<bool> {
    let txn = db.begin().await?;
    let free = token::Entity::find()
        .filter(token::Column::Buyer.is_null())
        .order_by_asc(token::Column::Id);
    let tokens = free.for_update().skip_locked().limit(1).all(&txn).await?;
    let Some(token) = tokens.into_iter().next() else {
        return Ok(false);
    };
    token.update(|token| token.buyer = Some(buyer)).await?;
    txn.commit().await?;
    Ok(true)
}

async fn claim_in_one_statement(db: &DatabaseConnection, buyer: i32) -> Result<bool> {
    let claim = sqlx::query_as::<_, (i32,)>(CLAIM).bind(buyer);
    Ok(claim.fetch_optional(db.get_postgres_connection_pool()).await?.is_some())
}

/// Reads one entry of the index on unsold tokens.
async fn any_left(db: &DatabaseConnection) -> Result<bool> {
    let free = token::Entity::find()
        .select_only()
        .column(token::Column::Id)
        .filter(token::Column::Buyer.is_null())
        .order_by_asc(token::Column::Id);
    let id: Option<i32> = free.into_tuple().one(db).await?;
    Ok(id.is_some())
}
