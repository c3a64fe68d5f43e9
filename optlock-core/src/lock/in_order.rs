//! Rows of several entities, locked in one order.

use std::future::Future;

use sea_orm::EntityTrait;

use super::rows::{LockKeys, LockedRows, lock_keys};
use crate::entity::table;
use crate::error::{Error, NotLockable};
use crate::transaction::OpenTransaction;

/// Locks rows of two, three or four entities: table by table in the order of their schemas and names, and each in
/// the order of its key, whatever the order of the arguments. Callers who lock all their rows in one call of this never
/// meet in a deadlock.
///
/// ```
/// # mod fixture { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc_fixture.rs")); }
/// # use fixture::product;
/// use optlock::prelude::*;
/// use sea_orm::TransactionTrait;
/// # mod shelf {
/// #     use optlock::prelude::*;
/// #     #[sea_orm::model]
/// #     #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
/// #     #[sea_orm(table_name = "shelf")]
/// #     pub struct Model {
/// #         #[sea_orm(primary_key)]
/// #         pub id: i32,
/// #     }
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (db, _) = fixture::shop().await?;
/// # db.execute(&sea_orm::Schema::new(db.get_database_backend()).create_table_from_entity(shelf::Entity)).await?;
/// # db.execute_unprepared("INSERT INTO shelf (id) VALUES (1)").await?;
/// let txn = db.begin().await?;
/// let (shelves, products) =
///     optlock::lock_in_order(&txn, (shelf::Entity::keys([1]), product::Entity::keys([7]))).await?;
/// let ([shelf], [tea]) = (shelves.into_array()?, products.into_array()?);
/// assert_eq!((shelf.id, tea.id), (1, 7));
/// txn.commit().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`LockRows::lock_all`](super::LockRows::lock_all), for any of the entities; [`Error::NotLockable`] before any SQL, if two of them are of one table.
///
/// # Cancel safety
///
/// As [`LockSelect::one`](super::LockSelect::one).
pub async fn lock_in_order<T, K>(txn: &T, keys: K) -> Result<K::Rows<'_, T>, Error>
where
    T: OpenTransaction,
    K: LockTables,
{
    keys.lock(txn).await
}

/// Keys of rows of several entities: tuples of two to four [`LockKeys`]. Sealed.
pub trait LockTables: private::Sealed {
    /// The rows of each, in the order of the arguments.
    type Rows<'t, T: OpenTransaction + 't>;

    #[doc(hidden)]
    fn lock<T: OpenTransaction>(self, txn: &T) -> impl Future<Output = Result<Self::Rows<'_, T>, Error>> + Send;
}

mod private {
    /// Keeps [`LockTables`](super::LockTables) to this crate.
    pub trait Sealed {}
}

macro_rules! lock_tables {
    ($($entity:ident $keys:ident $rows:ident),+) => {
        impl<$($entity: EntityTrait),+> private::Sealed for ($(LockKeys<$entity>,)+) {}

        impl<$($entity: EntityTrait),+> LockTables for ($(LockKeys<$entity>,)+) {
            type Rows<'t, T: OpenTransaction + 't> = ($(LockedRows<'t, $entity::Model, T>,)+);

            async fn lock<T: OpenTransaction>(self, txn: &T) -> Result<Self::Rows<'_, T>, Error> {
                let ($($keys,)+) = self;
                $(let (mut $keys, mut $rows) = (Some($keys), LockedRows::default());)+
                for name in in_order([$(Name::of::<$entity>()),+])? {
                    $(if name == Name::of::<$entity>()
                        && let Some(keys) = $keys.take()
                    {
                        $rows = lock_keys(txn, keys).await?;
                    })+
                }
                Ok(($($rows,)+))
            }
        }
    };
}

lock_tables!(A a_keys a_rows, B b_keys b_rows);
lock_tables!(A a_keys a_rows, B b_keys b_rows, C c_keys c_rows);
lock_tables!(A a_keys a_rows, B b_keys b_rows, C c_keys c_rows, D d_keys d_rows);

/// What tables are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    schema: Option<String>,
    table: &'static str,
}

impl Name {
    fn of<E: EntityTrait>() -> Self {
        Self {
            schema: E::default().schema_name().map(str::to_owned),
            table: table::<E>(),
        }
    }
}

/// The names, sorted, no two of which may be the same.
fn in_order<const N: usize>(mut names: [Name; N]) -> Result<[Name; N], Error> {
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(NotLockable::new(pair[0].table, "one table twice").into()),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    mod shelf {
        use sea_orm::entity::prelude::*;

        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(schema_name = "warehouse", table_name = "shelf")]
        pub(super) struct Model {
            #[sea_orm(primary_key)]
            pub(super) id: i32,
        }

        #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
        pub(super) enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}
    }

    fn name(schema: &str, table: &'static str) -> Name {
        Name {
            schema: Some(schema.to_owned()),
            table,
        }
    }

    #[test]
    fn tables_are_told_apart_by_their_schemas() -> Result<(), Error> {
        let shelf = Name::of::<shelf::Entity>();
        assert_eq!(shelf, name("warehouse", "shelf"));
        let sorted = in_order([shelf.clone(), name("shop", "shelf"), name("shop", "account")])?;
        assert_eq!(sorted, [name("shop", "account"), name("shop", "shelf"), shelf.clone()]);
        assert!(matches!(in_order([shelf.clone(), shelf]), Err(Error::NotLockable(_))));
        Ok(())
    }
}
