//! The model of a row that was written by a statement that cannot return it.

use sea_orm::sea_query::{ColumnType, Expr, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, IntoSimpleExpr, Iterable, PrimaryKeyToColumn,
    QueryFilter,
};

use crate::entity::{Role, Versioned, table};
use crate::error::{Error, Imprecise, Operation, Unread};
use crate::row::{by_key, key, version_of};
use crate::value::{RowKey, RowVersion};
use crate::version::{Kind, Repr, VersionType};

/// How much the client knows of a row that it is about to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knowledge {
    /// Every column is known, and will be stored as it is sent.
    Exact,
    /// Every column is known, but the database may round or pad what is sent.
    AsSent,
    /// Some column is unknown, or filled by the database.
    Partial,
}

impl Knowledge {
    /// What is known of a row that an update writes, by the model that the caller made.
    pub(crate) fn of_update<E: Versioned>(model: &E::ActiveModel) -> Self {
        let is_set = |column: E::Column| matches!(model.get(column), ActiveValue::Set(_));
        let mut keys = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
        // A row that was not loaded, but named by its key or its version: what is unchanged is of another row.
        let is_named = is_set(E::version_column()) || keys.any(is_set);
        let mut knowledge = if is_named { Self::AsSent } else { Self::Exact };
        for column in E::Column::iter() {
            if E::role(&column) == Role::Version || E::PrimaryKey::from_column(column).is_some() {
                continue;
            }
            match model.get(column) {
                _ if E::role(&column) == Role::Generated => return Self::Partial,
                ActiveValue::NotSet => return Self::Partial,
                ActiveValue::Unchanged(_) if is_named => return Self::Partial,
                ActiveValue::Set(_) if !is_stored_as_sent(&column) => knowledge = Self::AsSent,
                ActiveValue::Set(_) | ActiveValue::Unchanged(_) => {}
            }
        }
        knowledge.unless_rounded(&E::version_column())
    }

    /// What is known of a row that an insert writes; every column that is not `NotSet` is sent.
    pub(crate) fn of_insert<E: Versioned>(model: &E::ActiveModel) -> Self {
        let mut knowledge = Self::Exact;
        for column in E::Column::iter() {
            let is_key = E::PrimaryKey::from_column(column).is_some();
            if E::role(&column) == Role::Generated || (model.get(column).is_not_set() && !is_key) {
                return Self::Partial;
            }
            knowledge = knowledge.unless_rounded(&column);
        }
        knowledge
    }

    fn unless_rounded<C: ColumnTrait>(self, column: &C) -> Self {
        if self == Self::Exact && !is_stored_as_sent(column) {
            return Self::AsSent;
        }
        self
    }
}

/// Whether a column holds exactly what is sent to it, on every server in its strict mode.
fn is_stored_as_sent<C: ColumnTrait>(column: &C) -> bool {
    // A cast to an enum is one that only PostgreSQL is sent; any other may change the value.
    let is_sent_plain = matches!(
        column.save_as(Expr::val(0)),
        SimpleExpr::Value(_) | SimpleExpr::AsEnum(..)
    ) && matches!(
        column.select_as(column.into_simple_expr()),
        SimpleExpr::Column(_) | SimpleExpr::AsEnum(..)
    );
    is_sent_plain
        && matches!(
            column.def().get_column_type(),
            ColumnType::TinyInteger
                | ColumnType::SmallInteger
                | ColumnType::Integer
                | ColumnType::BigInteger
                | ColumnType::TinyUnsigned
                | ColumnType::SmallUnsigned
                | ColumnType::Unsigned
                | ColumnType::BigUnsigned
                | ColumnType::Boolean
                | ColumnType::String(_)
                | ColumnType::Text
                | ColumnType::Blob
                | ColumnType::VarBinary(_)
                | ColumnType::Uuid
                | ColumnType::Enum { .. }
        )
}

/// The model of a row that was just written as `model` says, version included.
///
/// Where the database may hold something else than was sent, the row is read once more, but only at the version that
/// was written: a rival's row is never returned.
pub(crate) async fn written<E, C>(
    db: &C,
    model: E::ActiveModel,
    version: E::Version,
    knowledge: Knowledge,
    operation: Operation,
) -> Result<E::Model, Error>
where
    E: Versioned,
    C: ConnectionTrait,
{
    if knowledge == Knowledge::Exact {
        return Ok(E::into_model(model)?);
    }
    let key = key::<E>(&model, operation)?;
    let row_key = RowKey::new(key.iter().map(|(_, value)| value.clone()));
    let unread = |cause| {
        Unread::new(
            table::<E>(),
            row_key.clone(),
            operation,
            RowVersion::from(version.clone()),
            cause,
        )
    };

    let at_version = by_key::<E>(&key).add(E::version_column().eq(version.clone()));
    match E::find().filter(at_version).one(db).await {
        Ok(Some(model)) => return Ok(model),
        Ok(None) => {}
        Err(err) => return Err(unread(Some(err)).into()),
    }

    // Somebody has changed the row since, or its column did not store the version that was sent.
    if <E::Version as VersionType>::Repr::KIND == Kind::Timestamp {
        let read = E::find().filter(by_key::<E>(&key)).one(db).await;
        if let Some(model) = read.map_err(|err| unread(Some(err)))? {
            let stored = version_of::<E>(&model)?;
            if stored.to_repr().precedes(&version.to_repr()) {
                return Err(imprecise::<E>(row_key, operation, version, stored));
            }
        }
    }
    match knowledge {
        Knowledge::Exact | Knowledge::AsSent => Ok(E::into_model(model)?),
        Knowledge::Partial => Err(unread(None).into()),
    }
}

/// Checks that a row that a write returned is at the version that was sent, where a column can round it.
pub(crate) fn stored<E: Versioned>(
    model: E::Model,
    version: E::Version,
    operation: Operation,
) -> Result<E::Model, Error> {
    stored_among::<E>(model, &[version], operation)
}

/// The same for a row that was sent with one of several versions.
pub(crate) fn stored_among<E: Versioned>(
    model: E::Model,
    sent: &[E::Version],
    operation: Operation,
) -> Result<E::Model, Error> {
    if <E::Version as VersionType>::Repr::KIND == Kind::Timestamp {
        let stored = version_of::<E>(&model)?;
        if let Some(first) = sent.first()
            && !sent.contains(&stored)
        {
            let key = key::<E>(&E::into_active_model(model), operation)?;
            let row_key = RowKey::new(key.into_iter().map(|(_, value)| value));
            return Err(imprecise::<E>(row_key, operation, first.clone(), stored));
        }
    }
    Ok(model)
}

fn imprecise<E: Versioned>(key: RowKey, operation: Operation, sent: E::Version, stored: E::Version) -> Error {
    Imprecise::new(
        table::<E>(),
        key,
        operation,
        RowVersion::from(sent),
        RowVersion::from(stored),
    )
    .into()
}
