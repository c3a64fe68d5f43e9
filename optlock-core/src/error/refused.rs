//! A condition that did not hold.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use sea_orm::DbErr;

use super::Operation;
use super::reason::Reason;
use crate::backend::{Fault, fault};
use crate::value::RowKey;

/// A write under a condition that was not done, because the row does not meet the condition, or because a trigger or a
/// row-level policy held it back. Nothing was written, and nobody need have been faster.
///
/// It hands over the row as it is ([`current`](Self::current)). Its message shows the key and no other column. Its
/// [`fault`](crate::fault()) is [`Fault::Blocked`]: no policy repeats it unless it is told to.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use optlock::{Error, Fault, fault};
/// use sea_orm::sea_query::ExprTrait;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// let sale = product::Entity::update_by_id(7)
///     .col_expr(product::Column::Stock, Expr::col(product::Column::Stock).sub(5))
///     .filter(product::Column::Stock.gte(5));
/// let err = sale.exec(&db).await.unwrap_err();
/// assert_eq!(fault(&err), Fault::Blocked);
/// let Error::Refused(refused) = err else { panic!("not refused: {err}") };
/// assert_eq!((refused.table(), refused.key().to_string()), ("product", "7".to_owned()));
/// assert_eq!(refused.current::<product::Model>().map(|tea| tea.stock), Some(3));
/// # Ok(())
/// # }
/// ```
// The facts sit behind an `Arc`, as those of a conflict do.
#[derive(Clone)]
pub struct Refused(Arc<Facts>);

struct Facts {
    table: &'static str,
    key: RowKey,
    operation: Operation,
    /// The model of the row as it is.
    current: Option<Box<dyn Any + Send + Sync>>,
    reason: Reason,
}

impl Refused {
    /// Of a row that is there.
    pub(crate) fn new<M: Send + Sync + 'static>(
        table: &'static str,
        key: RowKey,
        operation: Operation,
        current: M,
    ) -> Self {
        Self(Arc::new(Facts {
            table,
            key,
            operation,
            current: Some(Box::new(current)),
            reason: Reason::new(Fault::Blocked, None),
        }))
    }

    /// Of a row that could not be read.
    pub(crate) fn unread(table: &'static str, key: RowKey, operation: Operation, cause: DbErr) -> Self {
        let fault = match fault(&cause) {
            // What kept the row from being read decides.
            fault @ (Fault::Serialization | Fault::Deadlock | Fault::ConnectionLost) => fault,
            _ => Fault::Blocked,
        };
        Self(Arc::new(Facts {
            table,
            key,
            operation,
            current: None,
            reason: Reason::new(fault, Some(cause)),
        }))
    }

    /// The table of the row.
    pub fn table(&self) -> &str {
        self.0.table
    }

    /// The primary key of the row.
    pub fn key(&self) -> &RowKey {
        &self.0.key
    }

    /// What was tried.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The row as it is, read on the caller's connection once the write had reached nothing. `None` for any `M` but the
    /// entity's `Model`, and if it could not be read, in which case `source()` says why, and the row may not be there.
    pub fn current<M: 'static>(&self) -> Option<&M> {
        self.0.current.as_deref()?.downcast_ref()
    }

    /// What it means.
    pub(crate) fn fault(&self) -> Fault {
        self.0.reason.fault()
    }

    /// The database error that kept the row from being read.
    pub(crate) fn cause(&self) -> Option<&DbErr> {
        self.0.reason.cause()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts {
            table, key, operation, ..
        } = &*self.0;
        write!(f, "{operation} of {table} {key} was refused: ")?;
        f.write_str(if self.cause().is_none() {
            "the row does not meet the condition, or a trigger or a policy held the write back"
        } else {
            "it reached no row, and why could not be read"
        })
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self.cause() {
            // It says the same by itself.
            Some(cause) if self.fault() == fault(cause) => cause,
            _ => &self.0.reason,
        })
    }
}

/// Shows no column but the key, like the message.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("table", &self.0.table)
            .field("key", &self.0.key)
            .field("operation", &self.0.operation)
            .field("cause", &self.cause())
            .finish_non_exhaustive()
    }
}
