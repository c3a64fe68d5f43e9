//! A row as a caller read it: its key, and the version it is expected to be at.

use sea_orm::sea_query::{Condition, SimpleExpr, ValueType};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, DbErr, IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn, Value,
};

use crate::entity::{Versioned, table};
use crate::error::{Error, NotSet, Operation};
use crate::value::{RowKey, RowVersion};
use crate::version::{Repr, VersionType};

pub(crate) struct Row<E: Versioned> {
    key: Vec<(E::Column, Value)>,
    pub(crate) expected: E::Version,
}

impl<E: Versioned> Row<E> {
    /// The row that an active model stands for. A version that was `Set` is one that the caller read elsewhere, so it
    /// counts as much as one that was loaded.
    pub(crate) fn of(model: &E::ActiveModel, operation: Operation) -> Result<Self, Error> {
        Ok(Self {
            expected: version_in::<E>(model, operation)?,
            key: key::<E>(model, operation)?,
        })
    }

    /// The key columns and their values.
    pub(crate) fn key(&self) -> &[(E::Column, Value)] {
        &self.key
    }

    /// The row, wherever its version is.
    pub(crate) fn by_key(&self) -> Condition {
        by_key::<E>(&self.key)
    }

    /// The row, if it is at the expected version.
    pub(crate) fn as_expected(&self) -> Condition {
        self.by_key().add(at_version::<E>(&self.expected))
    }

    /// The key, for errors.
    pub(crate) fn row_key(&self) -> RowKey {
        RowKey::new(self.key.iter().map(|(_, value)| value.clone()))
    }

    /// The expected version, for errors.
    pub(crate) fn row_version(&self) -> RowVersion {
        RowVersion::from(self.expected.clone())
    }
}

/// The key columns of an active model and their values, all of which must be there.
pub(crate) fn key<E: Versioned>(
    model: &E::ActiveModel,
    operation: Operation,
) -> Result<Vec<(E::Column, Value)>, Error> {
    E::PrimaryKey::iter()
        .map(|key| {
            let column = key.into_column();
            Ok((column, required::<E>(model, column, operation)?))
        })
        .collect()
}

/// The condition that a key identifies its row by.
pub(crate) fn by_key<E: Versioned>(key: &[(E::Column, Value)]) -> Condition {
    key.iter().fold(Condition::all(), |all, (column, value)| {
        all.add(column.eq(value.clone()))
    })
}

/// The condition that a row is at a version.
pub(crate) fn at_version<E: Versioned>(version: &E::Version) -> SimpleExpr {
    let column = E::version_column();
    match version.to_repr().other_spelling() {
        Some(other) => column.is_in([version.clone(), E::Version::from_repr(other)]),
        None => column.eq(version.clone()),
    }
}

/// The version that an active model holds, which must be there.
pub(crate) fn version_in<E: Versioned>(model: &E::ActiveModel, operation: Operation) -> Result<E::Version, Error> {
    typed::<E>(required::<E>(model, E::version_column(), operation)?)
}

/// The version of a model that was read.
pub(crate) fn version_of<E: Versioned>(model: &E::Model) -> Result<E::Version, Error> {
    typed::<E>(model.get(E::version_column()))
}

fn typed<E: Versioned>(version: Value) -> Result<E::Version, Error> {
    <E::Version as ValueType>::try_from(version).map_err(|err| DbErr::Type(err.to_string()).into())
}

fn required<E: Versioned>(model: &E::ActiveModel, column: E::Column, operation: Operation) -> Result<Value, Error> {
    match model.get(column) {
        ActiveValue::Set(value) | ActiveValue::Unchanged(value) => Ok(value),
        ActiveValue::NotSet => Err(NotSet::new(table::<E>(), column.as_str(), operation).into()),
    }
}
