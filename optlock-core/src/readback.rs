//! The model of a row that was written by a statement that cannot return it.

use sea_orm::sea_query::{ColumnType, Expr, SimpleExpr};
use sea_orm::{ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, IntoSimpleExpr, Iterable, QueryFilter};

use crate::advance::table;
use crate::entity::{Role, Versioned};
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
    /// What is known of the row that an active model writes.
    pub(crate) fn of<E: Versioned>(model: &E::ActiveModel) -> Self {
        let mut knowledge = Self::Exact;
        for column in E::Column::iter() {
            if E::role(&column) == Role::Generated {
                return Self::Partial;
            }
            match model.get(column) {
                ActiveValue::NotSet => return Self::Partial,
                ActiveValue::Set(_) if !is_stored_as_sent(&column) => knowledge = Self::AsSent,
                ActiveValue::Set(_) | ActiveValue::Unchanged(_) => {}
            }
        }
        knowledge
    }
}

/// Whether a column holds exactly what is sent to it, on every server in its strict mode.
fn is_stored_as_sent<C: ColumnTrait>(column: &C) -> bool {
    match column.def().get_column_type() {
        // Sent with a cast that only PostgreSQL sees.
        ColumnType::Enum { .. } => true,
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
        | ColumnType::Uuid => {
            matches!(column.save_as(Expr::val(0)), SimpleExpr::Value(_))
                && matches!(column.select_as(column.into_simple_expr()), SimpleExpr::Column(_))
        }
        _ => false,
    }
}

/// The model of a row that was just written as `model` says, version included.
///
/// Where the database may hold something else than was sent, the row is read once more, but only at the version that
/// was written: a rival's row is never returned.
pub(crate) async fn written<E, C>(
    db: &C,
    model: E::ActiveModel,
    version: E::Version,
    operation: Operation,
) -> Result<E::Model, Error>
where
    E: Versioned,
    C: ConnectionTrait,
{
    let knowledge = Knowledge::of::<E>(&model);
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
    if <E::Version as VersionType>::Repr::KIND == Kind::Timestamp
        && let Ok(Some(model)) = E::find().filter(by_key::<E>(&key)).one(db).await
    {
        let stored = version_of::<E>(&model)?;
        if version.to_repr().was_rounded_to(&stored.to_repr()) {
            return Err(imprecise::<E>(row_key, operation, version, stored));
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
    if <E::Version as VersionType>::Repr::KIND == Kind::Timestamp {
        let stored = version_of::<E>(&model)?;
        if stored != version {
            let key = key::<E>(&E::into_active_model(model), operation)?;
            let row_key = RowKey::new(key.into_iter().map(|(_, value)| value));
            return Err(imprecise::<E>(row_key, operation, version, stored));
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
