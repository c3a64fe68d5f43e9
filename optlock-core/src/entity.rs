//! What the derive tells about an entity.

use sea_orm::{DbErr, EntityTrait};

use crate::version::{Precision, VersionType};

/// An entity whose rows carry a version. Implemented by `#[derive(Versioned)]`; not meant to be written by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a versioned entity",
    label = "this entity has no version",
    note = "add `Versioned` to the derives of its `Model`, and `#[version]` to one field"
)]
pub trait Versioned: EntityTrait<Model: Send + Sync + 'static, ActiveModel: Send + Sync> {
    /// The type of the `#[version]` field.
    type Version: VersionType;

    /// How finely the version column counts, where it is a timestamp.
    const PRECISION: Precision;

    /// The `#[version]` column.
    fn version_column() -> Self::Column;

    /// What a column is to optlock.
    #[doc(hidden)]
    fn role(column: &Self::Column) -> Role;

    /// The model of an active model whose columns are all known.
    #[doc(hidden)]
    fn into_model(active_model: Self::ActiveModel) -> Result<Self::Model, DbErr>;

    /// The active model of a model that was read.
    #[doc(hidden)]
    fn into_active_model(model: Self::Model) -> Self::ActiveModel;
}

/// What a column is to optlock.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The `#[version]` column: advanced by every write.
    Version,
    /// A `#[generated]` column: the database may change it in any write.
    Generated,
    /// Any other column.
    Data,
}

/// The name that errors show for an entity.
pub(crate) fn table<E: EntityTrait>() -> &'static str {
    E::default().table_name()
}
