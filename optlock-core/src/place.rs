//! Where rows are changed: on a connection, or in a transaction.

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait};

use crate::transaction::OpenTransaction;
use crate::txn::{Savepoint, Txn};

/// Where rows can be changed by [`Modify`](crate::Modify), [`UpdateById`](crate::UpdateById), [`UpdateBatch`](crate::UpdateBatch) and [`DeleteBatch`](crate::DeleteBatch): a
/// `DatabaseConnection`, where what a policy says is retried, or an open transaction (SeaORM's `DatabaseTransaction`, a [`Txn`], a [`Savepoint`]),
/// where nothing is retried, since only the whole transaction could be. Sealed.
#[diagnostic::on_unimplemented(
    message = "rows cannot be modified through `{Self}`",
    label = "neither a connection nor an open transaction",
    note = "take `&DatabaseConnection` or `&Txn`; generic code says `C: optlock::ModifyIn`"
)]
pub trait ModifyIn: ConnectionTrait + private::Sealed {
    #[doc(hidden)]
    type Transaction: OpenTransaction + TransactionTrait + 'static;

    #[doc(hidden)]
    fn place(&self) -> Place<'_, Self::Transaction>;
}

/// One of the two.
#[doc(hidden)]
#[derive(Debug)]
pub enum Place<'a, T> {
    Connection(&'a DatabaseConnection),
    Transaction(&'a T),
}

mod private {
    /// Keeps [`ModifyIn`](super::ModifyIn) to this crate.
    pub trait Sealed {}
}

impl private::Sealed for DatabaseConnection {}

impl ModifyIn for DatabaseConnection {
    type Transaction = Txn;

    fn place(&self) -> Place<'_, Txn> {
        Place::Connection(self)
    }
}

macro_rules! impl_in_transaction {
    ($($transaction:ty),+) => {
        $(
            impl private::Sealed for $transaction {}

            impl ModifyIn for $transaction {
                type Transaction = Self;

                fn place(&self) -> Place<'_, Self> {
                    Place::Transaction(self)
                }
            }
        )+
    };
}

impl_in_transaction!(DatabaseTransaction, Txn, Savepoint);
