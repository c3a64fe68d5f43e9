//! The queries whose rows can be locked, and what a locked row of each is.

use std::fmt;

use sea_orm::sea_query::SelectStatement;
use sea_orm::{DbErr, EntityTrait, FromQueryResult, QueryResult, QueryTrait, Select, SelectTwo, SelectTwoRequired};

use super::locked::Locked;
use crate::transaction::OpenTransaction;

/// A query whose rows can be locked: `Select`, `SelectTwo`, `SelectTwoRequired`, and the latter two narrowed to the rows of
/// their first entity.
///
/// Sealed: what can be locked is up to the databases.
#[diagnostic::on_unimplemented(
    message = "the rows of `{Self}` cannot be locked",
    label = "not a select of one entity or of two",
    note = "`for_update` and its siblings go on `Entity::find()`, before anything that turns rows into other types"
)]
pub trait LockSource: private::Sealed + Sized {
    /// The entity that the query selects from.
    type Entity: EntityTrait;
    /// What [`all`](super::LockSelect::all) returns for each row.
    type Row<'t, T: OpenTransaction + 't>;
    /// The same query, where only the rows of the first entity are locked.
    type OfFirst: LockSource<Entity = Self::Entity>;

    #[doc(hidden)]
    fn query(&mut self) -> &mut SelectStatement;

    #[doc(hidden)]
    fn as_query(&self) -> &SelectStatement;

    #[doc(hidden)]
    fn of_first(self) -> Self::OfFirst;

    #[doc(hidden)]
    fn row<'t, T: OpenTransaction>(row: &QueryResult, txn: &'t T) -> Result<Self::Row<'t, T>, DbErr>;
}

mod private {
    /// Keeps [`LockSource`](super::LockSource) to this crate.
    pub trait Sealed {}
}

/// A query of two entities, of which only the rows of the first are locked.
#[derive(Clone)]
pub struct OfFirst<S>(S);

impl<S: fmt::Debug> fmt::Debug for OfFirst<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OfFirst").field(&self.0).finish()
    }
}

/// The prefixes that SeaORM gives the columns of a query of two entities.
const FIRST: &str = "A_";
const SECOND: &str = "B_";

fn locked<'t, M, T>(row: &QueryResult, prefix: &str, txn: &'t T) -> Result<Locked<'t, M, T>, DbErr>
where
    M: FromQueryResult + sea_orm::ModelTrait,
    T: OpenTransaction,
{
    M::from_query_result(row, prefix).map(|model| Locked::new(model, txn))
}

/// Implements [`LockSource`] for one query: its parameters, how it is reached, and its row.
macro_rules! lock_source {
    ($source:ty, [$($entity:ident),+], $of_first:ty, |$this:ident| $narrow:expr, $at:tt,
     $row:ty, |$result:ident, $txn:ident| $read:expr) => {
        impl<$($entity: EntityTrait),+> private::Sealed for $source {}

        impl<$($entity: EntityTrait),+> LockSource for $source {
            type Entity = E;
            type Row<'t, T: OpenTransaction + 't> = $row;
            type OfFirst = $of_first;

            fn query(&mut self) -> &mut SelectStatement {
                QueryTrait::query(lock_source!(@mut self $at))
            }

            fn as_query(&self) -> &SelectStatement {
                QueryTrait::as_query(lock_source!(@ref self $at))
            }

            fn of_first(self) -> Self::OfFirst {
                let $this = self;
                $narrow
            }

            fn row<'t, T: OpenTransaction>($result: &QueryResult, $txn: &'t T) -> Result<Self::Row<'t, T>, DbErr> {
                $read
            }
        }
    };
    (@mut $this:ident whole) => { $this };
    (@ref $this:ident whole) => { $this };
    (@mut $this:ident inner) => { &mut $this.0 };
    (@ref $this:ident inner) => { &$this.0 };
}

lock_source!(
    Select<E>,
    [E],
    Self,
    |this| this,
    whole,
    Locked<'t, E::Model, T>,
    |row, txn| locked(row, "", txn)
);

lock_source!(
    SelectTwo<E, F>, [E, F], OfFirst<Self>, |this| OfFirst(this), whole,
    (Locked<'t, E::Model, T>, Option<Locked<'t, F::Model, T>>),
    |row, txn| {
        let second = F::Model::from_query_result_optional(row, SECOND)?;
        Ok((locked(row, FIRST, txn)?, second.map(|model| Locked::new(model, txn))))
    }
);

lock_source!(
    SelectTwoRequired<E, F>, [E, F], OfFirst<Self>, |this| OfFirst(this), whole,
    (Locked<'t, E::Model, T>, Locked<'t, F::Model, T>),
    |row, txn| Ok((locked(row, FIRST, txn)?, locked(row, SECOND, txn)?))
);

lock_source!(
    OfFirst<SelectTwo<E, F>>,
    [E, F],
    Self,
    |this| this,
    inner,
    (Locked<'t, E::Model, T>, Option<F::Model>),
    |row, txn| Ok((
        locked(row, FIRST, txn)?,
        F::Model::from_query_result_optional(row, SECOND)?
    ))
);

lock_source!(
    OfFirst<SelectTwoRequired<E, F>>,
    [E, F],
    Self,
    |this| this,
    inner,
    (Locked<'t, E::Model, T>, F::Model),
    |row, txn| Ok((locked(row, FIRST, txn)?, F::Model::from_query_result(row, SECOND)?))
);
