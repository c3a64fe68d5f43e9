//! Where the version of an entity starts and how it advances, within what the backend can store.

use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{ActiveModelTrait, ColumnTrait, DbBackend};

use crate::backend::{Capabilities, advance_counter, capabilities};
use crate::entity::{Versioned, table};
use crate::error::{Error, Operation, Overflow, Unsupported};
use crate::value::RowVersion;
use crate::version::{Integer, Kind, Repr, VersionType};

type ReprOf<E> = <<E as Versioned>::Version as VersionType>::Repr;

/// Refuses a type of version that the backend cannot store.
pub(crate) fn require_support<E: Versioned>(backend: DbBackend) -> Result<(), Error> {
    limit::<E>(&capabilities(backend)).map(drop)
}

/// The version of a new row.
pub(crate) fn initial<E: Versioned>() -> E::Version {
    E::Version::from_repr(ReprOf::<E>::first(E::PRECISION))
}

/// The model with a version: the first one, unless the caller has set another.
pub(crate) fn versioned<E: Versioned>(mut model: E::ActiveModel) -> E::ActiveModel {
    let version = E::version_column();
    if model.get(version).is_not_set() {
        model.set(version, initial::<E>().into());
    }
    model
}

/// The version that follows the expected one.
pub(crate) fn next<E: Versioned>(
    backend: DbBackend,
    expected: &E::Version,
    operation: Operation,
) -> Result<E::Version, Error> {
    let limit = limit::<E>(&capabilities(backend))?;
    let next = expected.to_repr().next(E::PRECISION);
    match next.filter(|next| next.fits(limit)) {
        Some(next) => Ok(E::Version::from_repr(next)),
        None => Err(Overflow::new(table::<E>(), operation, RowVersion::from(expected.clone()), None).into()),
    }
}

/// The version that follows whatever version a row is at, as an expression of the database. A token becomes the `fresh` version, and a timestamp at least that.
pub(crate) fn next_in_sql<E: Versioned>(
    backend: DbBackend,
    fresh: E::Version,
    operation: Operation,
) -> Result<SimpleExpr, Error> {
    let capabilities = capabilities(backend);
    let limit = limit::<E>(&capabilities)?;
    let column = Expr::col(E::version_column());
    match ReprOf::<E>::KIND {
        Kind::Integer(_) => Ok(advance_counter(backend, &column, limit)),
        Kind::Token => Ok(E::version_column().save_as(Expr::val(fresh))),
        Kind::Timestamp => match capabilities.advance_timestamp {
            Some(advance) => Ok(advance(column, E::PRECISION.tick_micros(), fresh.into())),
            None => Err(unsupported(
                &capabilities,
                &format!("{operation} of an entity whose version is a timestamp"),
            )),
        },
    }
}

/// The last version of a counter that both its type and the backend can hold.
pub(crate) fn limit<E: Versioned>(capabilities: &Capabilities) -> Result<u64, Error> {
    match ReprOf::<E>::KIND {
        Kind::Integer(Integer::U32) => Ok(capabilities.u32_limit),
        Kind::Integer(Integer::U64) => capabilities
            .u64_limit
            .ok_or_else(|| unsupported(capabilities, "a version of type u64")),
        Kind::Integer(width) => Ok(width.max()),
        Kind::Token | Kind::Timestamp => Ok(u64::MAX),
    }
}

fn unsupported(capabilities: &Capabilities, operation: &str) -> Error {
    Unsupported::new(capabilities.name, operation).into()
}
