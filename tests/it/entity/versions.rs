//! One entity for each type of version, all of the same shape and name.

use std::error::Error;

use optlock::VersionType;
use sea_orm::DeriveValueType;

use crate::context::Context;

/// A version of a type of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, DeriveValueType)]
pub(crate) struct Revision(pub(crate) i64);

impl VersionType for Revision {
    type Repr = i64;

    fn from_repr(repr: i64) -> Self {
        Self(repr)
    }

    fn to_repr(&self) -> i64 {
        self.0
    }
}

macro_rules! versions {
    ($($module:ident: $ty:ty $(, precision = $precision:literal)?;)+) => {$(
        pub(crate) mod $module {
            #[allow(unused_imports)]
            use super::Revision;
            use optlock::prelude::*;

            #[sea_orm::model]
            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
            #[sea_orm(table_name = "doc")]
            pub(crate) struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub(crate) id: i64,
                pub(crate) name: String,
                #[version $((precision = $precision))?]
                pub(crate) version: $ty,
            }

            impl ActiveModelBehavior for ActiveModel {}
        }
    )+};
}

versions! {
    by_i16: i16;
    by_i32: i32;
    by_i64: i64;
    by_u32: u32;
    by_u64: u64;
    by_newtype: Revision;
    by_uuid: Uuid;
    by_utc: DateTimeUtc;
    by_naive: DateTime;
    by_offset: DateTimeWithTimeZone;
    by_time_offset: TimeDateTimeWithTimeZone;
    by_time_primitive: TimeDateTime;
    by_millis: DateTime, precision = 3;
    by_seconds: DateTime, precision = 0;
    by_utc_seconds: DateTimeUtc, precision = 0;
}

/// Creates the table with a version column of this SQL type.
pub(crate) async fn create(context: &Context, version: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    context
        .sql(&format!(
            "CREATE TABLE doc (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50) NOT NULL, version {version} NOT NULL)"
        ))
        .await
}
