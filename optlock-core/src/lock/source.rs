//! The queries whose rows can be locked, and what a locked row of each is.

use std::collections::HashMap;
use std::marker::PhantomData;

use sea_orm::{
    DbErr, EntityTrait, FromQueryResult, ModelTrait, QueryResult, Select, SelectTwo, SelectTwoMany, SelectTwoRequired,
};

use super::locked::Locked;
use crate::transaction::OpenTransaction;

/// A query whose rows can be locked: `Select`, `SelectTwo`, `SelectTwoRequired` and `SelectTwoMany`, and the latter three
/// [narrowed](OfFirst) to the rows of their first entity.
///
/// A join can return a row several times, as a `SelectTwo` does a parent with several children. Each time it is a [`Locked`] of the same version:
/// write through one of them, for the next one is out of date then. `SelectTwoMany` has each parent once.
///
/// Sealed: what can be locked is up to the databases.
#[diagnostic::on_unimplemented(
    message = "the rows of `{Self}` cannot be locked",
    label = "not a select of one entity or of two",
    note = "`for_update` and its siblings go on `Entity::find()`, before anything that turns rows into other types"
)]
pub trait LockSource: private::Sealed {
    /// The entity that the query selects from.
    type Entity: EntityTrait;
    /// What [`all`](super::LockSelect::all) returns for each row.
    type Row<'t, T: OpenTransaction + 't>;
    /// The same query, where only the rows of the first entity are locked.
    type OfFirst: LockSource<Entity = Self::Entity>;

    #[doc(hidden)]
    fn rows<'t, T: OpenTransaction>(rows: &[QueryResult], txn: &'t T) -> Result<Vec<Self::Row<'t, T>>, DbErr>;
}

/// A query that has a first row: each but `SelectTwoMany`, whose rows are made of several of the database's. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `one`",
    label = "what this returns for one parent is several rows of the database",
    note = "select one parent with a filter, and call `all`"
)]
pub trait LockOne: LockSource {}

mod private {
    /// Keeps [`LockSource`](super::LockSource) to this crate.
    pub trait Sealed {}
}

/// A query of two entities, of which only the rows of the first are locked: the second comes as a plain model.
#[derive(Clone, Debug)]
pub struct OfFirst<S>(PhantomData<S>);

/// The prefixes that SeaORM gives the columns of a query of two entities.
const FIRST: &str = "A_";
const SECOND: &str = "B_";

fn locked<'t, M, T>(row: &QueryResult, prefix: &str, txn: &'t T) -> Result<Locked<'t, M, T>, DbErr>
where
    M: FromQueryResult + ModelTrait,
    T: OpenTransaction,
{
    M::from_query_result(row, prefix).map(|model| Locked::new(model, txn))
}

impl<E: EntityTrait> private::Sealed for Select<E> {}

impl<E: EntityTrait> LockSource for Select<E> {
    type Entity = E;
    type Row<'t, T: OpenTransaction + 't> = Locked<'t, E::Model, T>;
    type OfFirst = Self;

    fn rows<'t, T: OpenTransaction>(rows: &[QueryResult], txn: &'t T) -> Result<Vec<Self::Row<'t, T>>, DbErr> {
        rows.iter().map(|row| locked(row, "", txn)).collect()
    }
}

impl<E: EntityTrait, F: EntityTrait> private::Sealed for SelectTwo<E, F> {}

impl<E: EntityTrait, F: EntityTrait> LockSource for SelectTwo<E, F> {
    type Entity = E;
    type Row<'t, T: OpenTransaction + 't> = (Locked<'t, E::Model, T>, Option<Locked<'t, F::Model, T>>);
    type OfFirst = OfFirst<Self>;

    fn rows<'t, T: OpenTransaction>(rows: &[QueryResult], txn: &'t T) -> Result<Vec<Self::Row<'t, T>>, DbErr> {
        let pair = |row| {
            let second = F::Model::from_query_result_optional(row, SECOND)?;
            Ok((locked(row, FIRST, txn)?, second.map(|model| Locked::new(model, txn))))
        };
        rows.iter().map(pair).collect()
    }
}

impl<E: EntityTrait, F: EntityTrait> private::Sealed for SelectTwoRequired<E, F> {}

impl<E: EntityTrait, F: EntityTrait> LockSource for SelectTwoRequired<E, F> {
    type Entity = E;
    type Row<'t, T: OpenTransaction + 't> = (Locked<'t, E::Model, T>, Locked<'t, F::Model, T>);
    type OfFirst = OfFirst<Self>;

    fn rows<'t, T: OpenTransaction>(rows: &[QueryResult], txn: &'t T) -> Result<Vec<Self::Row<'t, T>>, DbErr> {
        let pair = |row| Ok((locked(row, FIRST, txn)?, locked(row, SECOND, txn)?));
        rows.iter().map(pair).collect()
    }
}

impl<S> private::Sealed for OfFirst<S> {}

impl<E: EntityTrait, F: EntityTrait> LockSource for OfFirst<SelectTwo<E, F>> {
    type Entity = E;
    type Row<'t, T: OpenTransaction + 't> = (Locked<'t, E::Model, T>, Option<F::Model>);
    type OfFirst = Self;

    fn rows<'t, T: OpenTransaction>(rows: &[QueryResult], txn: &'t T) -> Result<Vec<Self::Row<'t, T>>, DbErr> {
        let pair = |row| {
            let second = F::Model::from_query_result_optional(row, SECOND)?;
            Ok((locked(row, FIRST, txn)?, second))
        };
        rows.iter().map(pair).collect()
    }
}

impl<E: EntityTrait, F: EntityTrait> LockSource for OfFirst<SelectTwoRequired<E, F>> {
    type Entity = E;
    type Row<'t, T: OpenTransaction + 't> = (Locked<'t, E::Model, T>, F::Model);
    type OfFirst = Self;

    fn rows<'t, T: OpenTransaction>(rows: &[QueryResult], txn: &'t T) -> Result<Vec<Self::Row<'t, T>>, DbErr> {
        let pair = |row| Ok((locked(row, FIRST, txn)?, F::Model::from_query_result(row, SECOND)?));
        rows.iter().map(pair).collect()
    }
}

impl<E: EntityTrait, F: EntityTrait> private::Sealed for SelectTwoMany<E, F> {}

impl<E: EntityTrait, F: EntityTrait> LockSource for SelectTwoMany<E, F> {
    type Entity = E;
    type Row<'t, T: OpenTransaction + 't> = (Locked<'t, E::Model, T>, Vec<Locked<'t, F::Model, T>>);
    type OfFirst = OfFirst<Self>;

    fn rows<'t, T: OpenTransaction>(rows: &[QueryResult], txn: &'t T) -> Result<Vec<Self::Row<'t, T>>, DbErr> {
        let parents = SelectTwo::<E, F>::rows(rows, txn)?;
        Ok(by_parent(parents))
    }
}

impl<E: EntityTrait, F: EntityTrait> LockSource for OfFirst<SelectTwoMany<E, F>> {
    type Entity = E;
    type Row<'t, T: OpenTransaction + 't> = (Locked<'t, E::Model, T>, Vec<F::Model>);
    type OfFirst = Self;

    fn rows<'t, T: OpenTransaction>(rows: &[QueryResult], txn: &'t T) -> Result<Vec<Self::Row<'t, T>>, DbErr> {
        let parents = OfFirst::<SelectTwo<E, F>>::rows(rows, txn)?;
        Ok(by_parent(parents))
    }
}

/// Each parent once, with its children, in the order in which the database returned them.
fn by_parent<'t, M, T, C>(pairs: Vec<(Locked<'t, M, T>, Option<C>)>) -> Vec<(Locked<'t, M, T>, Vec<C>)>
where
    M: ModelTrait,
{
    let mut parents: Vec<(Locked<'t, M, T>, Vec<C>)> = Vec::new();
    let mut places = HashMap::new();
    for (parent, child) in pairs {
        let place = *places.entry(parent.get_primary_key_value()).or_insert(parents.len());
        if place == parents.len() {
            parents.push((parent, Vec::new()));
        }
        parents[place].1.extend(child);
    }
    parents
}

impl<E: EntityTrait> LockOne for Select<E> {}
impl<E: EntityTrait, F: EntityTrait> LockOne for SelectTwo<E, F> {}
impl<E: EntityTrait, F: EntityTrait> LockOne for SelectTwoRequired<E, F> {}
impl<E: EntityTrait, F: EntityTrait> LockOne for OfFirst<SelectTwo<E, F>> {}
impl<E: EntityTrait, F: EntityTrait> LockOne for OfFirst<SelectTwoRequired<E, F>> {}
