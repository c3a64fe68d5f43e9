//! The machinery of [optlock](https://docs.rs/optlock). Depend on `optlock`, which re-exports what is meant for use;
//! what is here changes without notice.
//!
//! Modules form layers, and a file imports only from lower ones: versions, values, delays and clocks; backends; errors; policies and the entity
//! trait; the parts of a write; the writes; the methods that the derive generates; locks, retries and handles of transactions; the
//! transaction runner, and where rows are changed; batches; the change of a row. `cargo xtask tidy` checks it.

mod version;

mod active;
mod advance;
mod advisory;
mod backend;
mod backoff;
mod batch;
mod budget;
mod change;
mod clock;
mod delete;
mod diagnosis;
mod entity;
mod error;
mod insert;
mod insert_many;
mod invalid_policy;
mod lock;
mod lock_mode;
mod locking_read;
mod modify;
mod overflow;
mod place;
mod policy;
mod queue;
mod random;
mod readback;
mod retry;
mod returning;
mod row;
mod runner;
mod sync;
mod to_its_end;
mod transaction;
mod try_insert;
mod txn;
mod update;
mod update_by_id;
mod update_many;
mod upsert;
mod value;
mod write_lock;

pub use advisory::AdvisoryTransaction;
pub use backend::{Fault, Redo};
pub use backoff::{Backoff, Delays, Jitter};
pub use batch::{DeleteBatch, UpdateBatch};
pub use budget::Budget;
pub use clock::{Clock, Sleep};
pub use delete::DeleteOne;
pub use entity::Versioned;
pub use error::{
    ByBox, ByError, ByReference, Classify, Conflict, Conflicts, DatabaseError, DuplicateKey, Error, Escaped, Found,
    Imprecise, LockError, MissingRows, NotLockable, NotSet, Operation, OutcomeUnknown, Overflow, Refused, TooManyRows,
    TransactionFailed, Unread, Unsupported, VersionAssigned, fault,
};
pub use insert::Insert;
pub use insert_many::InsertMany;
pub use invalid_policy::InvalidPolicy;
pub use lock::{
    LockExt, LockKeys, LockModel, LockOne, LockRows, LockSelect, LockSource, LockTables, Locked, LockedRows, OfFirst,
    SayWait, WaitSaid, WaitUnsaid, lock_in_order,
};
pub use modify::{Modify, ModifyModel};
pub use place::ModifyIn;
pub use policy::{Policy, Report, Retry, Stop};
pub use retry::retry;
pub use runner::transaction;
pub use transaction::{OpenTransaction, TransactionState};
pub use try_insert::TryInsert;
pub use txn::{Savepoint, TransactionOutput, Txn};
pub use update::UpdateOne;
pub use update_by_id::UpdateById;
pub use update_many::UpdateMany;
pub use upsert::{Upsert, Upserted};
pub use value::{RowKey, RowVersion};
pub use version::{Precision, Repr, VersionType};

/// What the derive's expansion calls. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::active::{
        delete, delete_one, insert, insert_many, insert_one, save, touch, update, update_many, update_one,
        update_without_returning,
    };
    pub use crate::batch::{delete_batch, update_batch};
    pub use crate::entity::Role;
    pub use sea_orm;
}
