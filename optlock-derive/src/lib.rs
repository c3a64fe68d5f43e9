//! The macros of [optlock](https://docs.rs/optlock). Depend on `optlock`, which re-exports them.

mod attribute;
mod diagnostics;
mod expand;
mod field;
mod krate;
mod methods;
mod model;
mod naming;
mod retry;
mod rules;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

use diagnostics::Diagnostics;
use model::Input;

/// Makes an entity versioned: every update and delete of a loaded row is checked against the version it was read at.
///
/// Goes on the `Model` struct, beside `DeriveEntityModel`, with or without `#[sea_orm::model]`. One field is marked
/// `#[version]`; its column must be `NOT NULL`.
///
/// ```
/// mod product {
///     use optlock::prelude::*;
///
///     #[sea_orm::model]
///     #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
///     #[sea_orm(table_name = "product")]
///     pub struct Model {
///         #[sea_orm(primary_key)]
///         pub id: i32,
///         pub name: String,
///         #[version]
///         pub version: i64,
///     }
///     impl ActiveModelBehavior for ActiveModel {}
/// }
/// ```
///
/// # Attributes
///
/// | on | attribute | meaning |
/// | --- | --- | --- |
/// | a field | `#[version]` | The version of the row. Its type is one of those in the table of `VersionType`. |
/// | | `#[version(precision = N)]` | For timestamps: how many digits of a second the column holds, 0 to 6; default 6. |
/// | a field | `#[generated]` | The database may write this column in any insert or update (a trigger, a computed column, `ON UPDATE CURRENT_TIMESTAMP`): a returned model always has it as stored. |
/// | the struct | `#[optlock(expanded)]` | `Entity`, `Column` and `ActiveModel` are written by hand (SeaORM's expanded format), so there is no `table_name`. |
/// | the struct | `#[optlock(crate = "path")]` | Where `optlock` is, if it is re-exported by another crate or renamed in `Cargo.toml`. |
///
/// # What is generated
///
/// An implementation of `Versioned` for `Entity`, and inherent methods with the names of SeaORM's trait methods. Inherent
/// methods win over trait methods, so calls in method syntax, SeaORM's nested saves among them, become checked without a
/// change:
///
/// | on | checked | opt-out |
/// | --- | --- | --- |
/// | `ActiveModel` | `insert`, `update`, `update_without_returning`, `save`, `delete`, `touch` | `insert_unchecked`, `update_unchecked`, … |
/// | `Model` | `delete`, `touch` | `delete_unchecked` |
/// | `Entity` | `insert`, `insert_many`, `update`, `update_many`, `delete` | `insert_unchecked`, `insert_many_unchecked`, … |
/// | `Entity` | `update_batch`, `delete_batch`, which SeaORM has not | – |
#[proc_macro_derive(Versioned, attributes(version, generated, optlock))]
pub fn derive_versioned(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let mut diagnostics = Diagnostics::default();
    let code = match Input::from_syn(&input, &mut diagnostics) {
        Input::Entity(entity) => expand::entity(&entity),
        Input::BrokenEntity(broken) => expand::stand_in(&broken),
        Input::ModelEx {
            reports_missing_version: true,
        } => expand::model_ex_reports(),
        Input::ModelEx {
            reports_missing_version: false,
        }
        | Input::Foreign => proc_macro2::TokenStream::new(),
    };
    let mut expansion = diagnostics.into_compile_errors();
    expansion.extend(code);
    expansion.into()
}

/// Retries an async function according to a `Policy`.
///
/// Goes on free functions, methods, methods in implementations of traits, and provided methods of traits. The body
/// becomes a call of `Policy::retry` with what was the body, and that is all: what is tried again, how often and when is
/// said there.
///
/// ```
/// use optlock::prelude::*;
/// use optlock::{Error, Policy};
/// # mod product {
/// #     use optlock::prelude::*;
/// #
/// #     #[sea_orm::model]
/// #     #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Versioned)]
/// #     #[sea_orm(table_name = "product")]
/// #     pub struct Model {
/// #         #[sea_orm(primary_key)]
/// #         pub id: i32,
/// #         pub stock: i32,
/// #         #[version]
/// #         pub version: i64,
/// #     }
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
///
/// const CHECKOUT: Policy = Policy::new().attempts(5);
///
/// struct Shop {
///     db: DatabaseConnection,
/// }
///
/// impl Shop {
///     #[optlock::retry(CHECKOUT)]
///     async fn sell(&self, id: i32) -> Result<product::Model, Error> {
///         let Some(product) = product::Entity::find_by_id(id).one(&self.db).await? else {
///             return Err(DbErr::RecordNotFound(format!("product {id}")).into());
///         };
///         let stock = product.stock - 1;
///         let mut sold = product.into_active_model();
///         sold.stock = Set(stock);
///         sold.update(&self.db).await
///     }
/// }
/// ```
///
/// The whole body is one attempt, so what it decides by has to be read in it.
///
/// # Arguments
///
/// | attribute | meaning |
/// | --- | --- |
/// | `#[optlock::retry]` | The default policy, `Policy::new()`. |
/// | `#[optlock::retry(CHECKOUT)]`, `#[optlock::retry(self.policy)]`, `#[optlock::retry(Policy::new().attempts(5))]` | Any expression that is a `Policy`. It may use the arguments of the function, and is evaluated once in each call. |
/// | `crate = "path"`, alone or after the policy | Where `optlock` is, if it is re-exported by another crate or renamed in `Cargo.toml`. |
///
/// # What can be tried again
///
/// An async function that returns a `Result`. All attempts use the same arguments, so the body borrows them: `self` is
/// taken by reference, an owned argument is cloned where the body needs one to keep, and nothing is `mut` or `&mut`,
/// since a failed attempt would leave its changes to the next one. The future is `Send` if the owned arguments are `Sync`.
/// For what does not fit there is `Policy::retry`, called by hand.
///
/// # Other attributes
///
/// Goes above those that rewrite the function: `#[tracing::instrument]`, which then has one span for all attempts, and
/// `#[tokio::test]`. `#[async_trait]` is always the first to rewrite its methods: there, call a function that has the
/// attribute.
#[proc_macro_attribute]
pub fn retry(arguments: TokenStream, item: TokenStream) -> TokenStream {
    retry::retry(arguments.into(), item.into()).into()
}
