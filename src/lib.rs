//! Concurrent writes made safe in SeaORM 2 applications.
//!
//! One derive and one attribute make an entity *versioned*: every update and delete of a loaded row is checked against
//! the version it was read at, and a lost update becomes a typed [`Conflict`]. Where waiting beats retrying, row locks
//! are one method away, and live in a transaction by type. Where retrying is right, calls, transactions and changes of
//! rows are run again by a [`Policy`], for the failures that another attempt gets past.
//!
//! ```
//! use optlock::prelude::*;
//! use optlock::{Error, Found};
//! use sea_orm::{Database, Schema};
//!
//! mod product {
//!     use optlock::prelude::*;
//!
//!     #[sea_orm::model]
//!     #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
//!     #[sea_orm(table_name = "product")]
//!     pub struct Model {
//!         #[sea_orm(primary_key)]
//!         pub id: i32,
//!         pub stock: i32,
//!         #[version]
//!         pub version: i64,
//!     }
//!     impl ActiveModelBehavior for ActiveModel {}
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let db = Database::connect("sqlite::memory:").await?;
//! db.execute(&Schema::new(db.get_database_backend()).create_table_from_entity(product::Entity)).await?;
//! let tea = product::ActiveModel { stock: Set(9), ..Default::default() }.insert(&db).await?;
//!
//! let (mut ann, mut bob) = (tea.clone().into_active_model(), tea.into_active_model());
//! ann.stock = Set(8);
//! bob.stock = Set(4);
//!
//! let tea = ann.update(&db).await?; // UPDATE … SET stock = 8, version = 2 WHERE id = 1 AND version = 1
//! assert_eq!(tea.version, 2);
//!
//! let Err(Error::Conflict(conflict)) = bob.update(&db).await else { panic!("Ann's change would be lost") };
//! assert_eq!(conflict.to_string(), "update of product 1 at version 1 conflicts: the row is at version 2");
//! assert!(matches!(conflict.found(), Found::Changed { .. }));
//! assert_eq!(conflict.current::<product::Model>(), Some(&tea));
//! # Ok(())
//! # }
//! ```
//!
//! # The nouns
//!
//! - [`Versioned`](derive@Versioned), the derive: its attributes, its methods and the opt-outs.
//! - [`VersionType`]: what a version may be, and how to wrap one in a type of your own.
//! - [`Error`], with [`Conflict`] and [`Found`] for what a rival did, and [`Fault`] for what a database error means,
//!   with [`Redo`] for what may be done again.
//! - [`LockExt`] with [`for_update`](LockExt::for_update) and its siblings, [`Locked`] for a row that is locked, [`LockRows`] for many in one order,
//!   [`LockModel`] for one that was read before; [`AdvisoryTransaction`] where there is no row. [Lock or version?](guide::lock_or_version)
//! - [`Policy`]: when to try again and when to stop, with [`Backoff`], [`Budget`] and [`Report`]. It runs [`retry`](fn@retry) for any call, also as
//!   [`#[optlock::retry]`](macro@retry); [`transaction()`] for a whole transaction, whose closure has a [`Txn`]; and [`Modify`] for the change of a row:
//!   `Entity::modify(&db, key, |row| …)`. [Retries](guide::retries)
//! - [`UpdateById`]: a change by expression and under a condition, which reads nothing first: `Entity::update_by_id(key)`, with [`Refused`] if the
//!   condition does not hold. [`Upsert`]: a row that is inserted, or updated at its version: `Entity::upsert(active_model)`.
//! - [`UpdateBatch`] and [`DeleteBatch`]: many rows that were loaded, each at its own version, in a few statements: `Entity::update_batch(models)`, with
//!   [`Conflicts`] for all that went wrong.
//! - [`UpdateOne`], [`DeleteOne`], [`UpdateMany`], [`Insert`], [`InsertMany`], [`TryInsert`]: the builders behind
//!   `Entity::update` and its siblings.
//!
//! # What is not checked
//!
//! Code that is generic over `ActiveModelTrait` or `EntityTrait`, or names SeaORM's traits or builders itself
//! (`ActiveModelTrait::update(model, db)`, `Update::one(model)`); raw SQL; SeaORM's own upserts (`on_conflict`); and `delete_by_id` and
//! `delete_many`, which have no version to check. GUARANTEES.md has a row for each path and database.
//!
//! # Features
//!
//! Turn on the same drivers as on `sea-orm` (`sqlx-sqlite`, `sqlx-postgres`, `sqlx-mysql`): they let optlock read error
//! codes, and bring in no driver that the application does not use. `with-uuid`, `with-chrono` and `with-time` allow
//! versions of those types. `macros`, on by default, turns on SeaORM's.

pub use optlock_core::{
    AdvisoryTransaction, Backoff, Budget, ByBox, ByError, ByReference, Classify, Clock, Conflict, Conflicts,
    DatabaseError, Delays, DeleteBatch, DeleteOne, DuplicateKey, Error, Escaped, Fault, Found, Imprecise, Insert,
    InsertMany, InvalidPolicy, Jitter, LockError, LockExt, LockKeys, LockModel, LockOne, LockRows, LockSelect,
    LockSource, LockTables, Locked, LockedRows, MissingRows, Modify, ModifyIn, ModifyModel, NotLockable, NotSet,
    OfFirst, OpenTransaction, Operation, OutcomeUnknown, Overflow, Policy, Precision, Redo, Refused, Report, Repr,
    Retry, RowKey, RowVersion, Savepoint, SayWait, Sleep, Stop, TooManyRows, TransactionFailed, TransactionOutput,
    TransactionState, TryInsert, Txn, Unread, Unsupported, UpdateBatch, UpdateById, UpdateMany, UpdateOne, Upsert,
    Upserted, VersionAssigned, VersionType, Versioned, WaitSaid, WaitUnsaid, fault, lock_in_order, retry, transaction,
};
pub use optlock_derive::{Versioned, retry};

#[doc(hidden)]
pub use optlock_core::__private;

/// What a module with a versioned entity needs: SeaORM's entity prelude, its active values, and the derive.
///
/// ```
/// use optlock::prelude::*;
/// ```
pub mod prelude {
    // A glob, against the habit of this crate: `SeaORM`'s macros need all of its prelude in scope, whatever it holds.
    #[doc(no_inline)]
    pub use sea_orm::entity::prelude::*;
    #[doc(no_inline)]
    pub use sea_orm::{
        ActiveValue::{NotSet, Set, Unchanged},
        IntoActiveModel,
    };

    pub use crate::Versioned;
    #[doc(no_inline)]
    pub use crate::{LockExt as _, LockModel as _, LockRows as _, Modify as _, ModifyModel as _};
}

/// Pages to read.
pub mod guide {
    #[doc = include_str!("../docs/lock_or_version.md")]
    pub mod lock_or_version {}

    #[doc = include_str!("../docs/retries.md")]
    pub mod retries {}

    #[doc = include_str!("../docs/hot_rows.md")]
    pub mod hot_rows {}
}

/// The examples of the README, compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
