//! What is said of a row that was written and could not be read.

use sea_orm::{RuntimeErr, SqlxError, TryIntoModel};

use super::*;
use crate::backend::driver_error;
use crate::entity::Role;
use crate::version::Precision;

mod item {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "item")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i32,
        pub(super) version: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Versioned for item::Entity {
    type Version = i64;
    const PRECISION: Precision = Precision::MICROS;

    fn version_column() -> Self::Column {
        item::Column::Version
    }

    fn role(column: &Self::Column) -> Role {
        match column {
            item::Column::Version => Role::Version,
            item::Column::Id => Role::Data,
        }
    }

    fn into_model(active_model: Self::ActiveModel) -> Result<Self::Model, DbErr> {
        active_model.try_into_model()
    }

    fn into_active_model(model: Self::Model) -> Self::ActiveModel {
        model.into()
    }
}

fn error_after(err: DbErr) -> Error {
    unread::<item::Entity>(RowKey::new([7_i32.into()]), err)
}

/// `Unread` says that the row was written.
#[tokio::test]
async fn a_write_that_the_failed_read_has_undone_is_not_called_written() {
    for fault in [
        Fault::Serialization,
        Fault::Deadlock,
        Fault::OutOfLocks,
        Fault::ConnectionLost,
        Fault::Aborted,
    ] {
        let err = error_after(driver_error::meaning(fault).await);
        assert!(matches!(err, Error::Database(_)), "{err:?}");
        assert_eq!(err.fault(), Some(fault));
    }
    let lost = DbErr::Query(RuntimeErr::SqlxError(SqlxError::WorkerCrashed.into()));
    assert!(matches!(error_after(lost), Error::Database(_)));
}

#[tokio::test]
async fn a_write_that_outlives_the_failed_read_is_called_written() {
    for fault in [Fault::LockTimeout, Fault::Cancelled, Fault::Other] {
        let err = error_after(driver_error::meaning(fault).await);
        assert!(matches!(err, Error::Unread(_)), "{err:?}");
    }
    let gone = DbErr::RecordNotFound("item 7".to_owned());
    assert!(matches!(error_after(gone), Error::Unread(_)));
}
