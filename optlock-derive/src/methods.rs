//! The inherent methods that the derive generates.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Path;

/// Lints that users may deny and that say nothing about generated code.
pub(crate) fn allow() -> TokenStream {
    quote!(#[allow(dead_code, unused_qualifications, unreachable_pub, clippy::all, clippy::pedantic)])
}

/// The inherent methods that shadow SeaORM's, each beside its unchecked original.
pub(crate) fn methods(optlock: &Path) -> TokenStream {
    let allow = allow();
    let on_active_model = on_active_model(optlock);
    let on_model = on_model(optlock);
    let on_entity = on_entity(optlock);
    quote! {
        #allow
        impl ActiveModel {
            #on_active_model
        }

        #allow
        impl Model {
            #on_model
        }

        #allow
        impl Entity {
            #on_entity
        }
    }
}

fn on_active_model(optlock: &Path) -> TokenStream {
    let private = quote!(#optlock::__private);
    let sea_orm = quote!(#private::sea_orm);
    let model = quote!(::core::result::Result<Model, #optlock::Error>);
    let checked: TokenStream = [
        (
            "insert",
            model.clone(),
            "Inserts the row with its first version, or with the version that is set. Runs SeaORM's save hooks.",
        ),
        (
            "update",
            model.clone(),
            "Updates the row if it is at the version that this active model holds, and returns it at its next version. \
             With nothing `Set`, writes nothing, but still reports a row that has moved on. Runs SeaORM's save hooks.",
        ),
        (
            "update_without_returning",
            quote!(::core::result::Result<#sea_orm::UpdateResult, #optlock::Error>),
            "Updates the row as `update` does, without returning it. Runs SeaORM's `before_save`.",
        ),
        (
            "save",
            quote!(::core::result::Result<ActiveModel, #optlock::Error>),
            "Updates the row as `update` does if its key is set, and inserts it otherwise.",
        ),
        (
            "delete",
            quote!(::core::result::Result<#sea_orm::DeleteResult, #optlock::Error>),
            "Deletes the row if it is at the version that this active model holds. Runs SeaORM's delete hooks.",
        ),
        (
            "touch",
            model,
            "Updates the row as `update` does, and advances its version even with nothing `Set`.",
        ),
    ]
    .into_iter()
    .map(|(name, output, doc)| {
        let name = format_ident!("{name}");
        checked(&name, doc, &output, &private, &quote!(self))
    })
    .collect();
    let unchecked: TokenStream = [
        (
            "insert",
            quote!(Model),
            "leaves the version to the active model and the database",
        ),
        ("update", quote!(Model), "checks no version and advances none"),
        (
            "update_without_returning",
            quote!(#sea_orm::UpdateResult),
            "checks no version and advances none",
        ),
        ("save", quote!(ActiveModel), "checks no version and advances none"),
        ("delete", quote!(#sea_orm::DeleteResult), "checks no version"),
    ]
    .into_iter()
    .map(|(name, output, doc)| {
        let original = format_ident!("{name}");
        let name = format_ident!("{name}_unchecked");
        let doc = format!("**Unchecked.** SeaORM's own `{original}`: {doc}.");
        quote! {
            #[doc = #doc]
            pub fn #name<'db, C>(
                self,
                db: &'db C,
            ) -> impl ::core::future::Future<Output = ::core::result::Result<#output, #sea_orm::DbErr>> + use<'db, C>
            where
                C: #sea_orm::ConnectionTrait,
            {
                #sea_orm::ActiveModelTrait::#original(self, db)
            }
        }
    })
    .collect();
    quote!(#checked #unchecked)
}

fn on_model(optlock: &Path) -> TokenStream {
    let private = quote!(#optlock::__private);
    let sea_orm = quote!(#private::sea_orm);
    let active = quote!(<ActiveModel as ::core::convert::From<Model>>::from(self));
    let delete = checked(
        &format_ident!("delete"),
        "Deletes the row if it is at the version of this model. Runs SeaORM's delete hooks.",
        &quote!(::core::result::Result<#sea_orm::DeleteResult, #optlock::Error>),
        &private,
        &active,
    );
    let touch = checked(
        &format_ident!("touch"),
        "Advances the version of the row if it is at the version of this model, and changes nothing else. Runs SeaORM's \
         save hooks.",
        &quote!(::core::result::Result<Model, #optlock::Error>),
        &private,
        &active,
    );
    quote! {
        #delete
        #touch

        #[doc = "**Unchecked.** SeaORM's own `delete`: checks no version."]
        pub fn delete_unchecked<'db, C>(
            self,
            db: &'db C,
        ) -> impl ::core::future::Future<Output = ::core::result::Result<#sea_orm::DeleteResult, #sea_orm::DbErr>>
        + use<'db, C>
        where
            C: #sea_orm::ConnectionTrait,
        {
            #sea_orm::ModelTrait::delete(self, db)
        }
    }
}

/// A method that returns the future of the function of the same name in the core. No `async fn`, which would be one more future to compile, for each entity and method.
fn checked(
    name: &proc_macro2::Ident,
    doc: &str,
    output: &TokenStream,
    private: &TokenStream,
    active_model: &TokenStream,
) -> TokenStream {
    quote! {
        #[doc = #doc]
        #[doc = ""]
        #[doc = "# Errors"]
        #[doc = ""]
        #[doc = "See optlock's `Error`: a `Conflict` if the row is not as expected, an error of a hook, or one of the database."]
        #[doc = ""]
        #[doc = "# Cancel safety"]
        #[doc = ""]
        #[doc = "Dropping the future leaves the row as it was or written in full; it does not say which."]
        pub fn #name<'db, C>(self, db: &'db C) -> impl ::core::future::Future<Output = #output> + use<'db, C>
        where
            C: #private::sea_orm::ConnectionTrait,
        {
            #private::#name::<Entity, C>(#active_model, db)
        }
    }
}

fn on_entity(optlock: &Path) -> TokenStream {
    let private = quote!(#optlock::__private);
    let sea_orm = quote!(#private::sea_orm);
    quote! {
        #[doc = "An insert of one row with its first version, or with the version that is set. Runs no hooks."]
        pub fn insert<A>(model: A) -> #optlock::Insert<Entity>
        where
            A: #sea_orm::ActiveModelTrait<Entity = Entity> + ::core::convert::Into<ActiveModel>,
        {
            #private::insert_one::<Entity>(::core::convert::Into::into(model))
        }

        #[doc = "An insert of many rows with their first versions, or with the versions that are set. Runs no hooks."]
        pub fn insert_many<A, I>(models: I) -> #optlock::InsertMany<Entity>
        where
            A: #sea_orm::ActiveModelTrait<Entity = Entity> + ::core::convert::Into<ActiveModel>,
            I: ::core::iter::IntoIterator<Item = A>,
        {
            #private::insert_many::<Entity, I, A>(models)
        }

        #[doc = "An update of one row if it is at the version that the active model holds. Runs no hooks."]
        pub fn update<A>(model: A) -> #optlock::UpdateOne<Entity>
        where
            A: #sea_orm::ActiveModelTrait<Entity = Entity> + ::core::convert::Into<ActiveModel>,
        {
            #private::update_one::<Entity>(::core::convert::Into::into(model))
        }

        #[doc = "An update of all rows that a filter matches, which advances the version of each. Runs no hooks."]
        pub fn update_many() -> #optlock::UpdateMany<Entity> {
            #private::update_many::<Entity>()
        }

        #[doc = "An update of the row with a key, by expression and under a condition, which needs no version and advances it. Runs no hooks."]
        pub fn update_by_id<K>(key: K) -> #optlock::UpdateById<Entity>
        where
            K: ::core::convert::Into<
                <<Entity as #sea_orm::EntityTrait>::PrimaryKey as #sea_orm::PrimaryKeyTrait>::ValueType,
            >,
        {
            #optlock::UpdateById::new(key)
        }

        #[doc = "An update of one row if it is at the version that the active model holds, or an insert if it is not there. Runs no hooks."]
        pub fn upsert<A>(model: A) -> #optlock::Upsert<Entity>
        where
            A: #sea_orm::ActiveModelTrait<Entity = Entity> + ::core::convert::Into<ActiveModel>,
        {
            #optlock::Upsert::new(::core::convert::Into::into(model))
        }

        #[doc = "A delete of one row if it is at the version that the active model holds. Runs no hooks."]
        pub fn delete<A>(model: A) -> #optlock::DeleteOne<Entity>
        where
            A: #sea_orm::ActiveModelTrait<Entity = Entity> + ::core::convert::Into<ActiveModel>,
        {
            #private::delete_one::<Entity>(::core::convert::Into::into(model))
        }

        #[doc = "Updates of many rows, each if it is at the version that its active model holds, in a few statements. Runs no hooks."]
        pub fn update_batch<A, I>(models: I) -> #optlock::UpdateBatch<Entity>
        where
            A: ::core::convert::Into<ActiveModel>,
            I: ::core::iter::IntoIterator<Item = A>,
        {
            #private::update_batch::<Entity, I, A>(models)
        }

        #[doc = "Deletes of many rows, each if it is at the version that its active model holds, in a few statements. Runs no hooks."]
        pub fn delete_batch<A, I>(models: I) -> #optlock::DeleteBatch<Entity>
        where
            A: ::core::convert::Into<ActiveModel>,
            I: ::core::iter::IntoIterator<Item = A>,
        {
            #private::delete_batch::<Entity, I, A>(models)
        }

        #[doc = "**Unchecked.** SeaORM's own `insert`: leaves the version to the active model and the database."]
        pub fn insert_unchecked(model: ActiveModel) -> #sea_orm::Insert<ActiveModel> {
            <Entity as #sea_orm::EntityTrait>::insert(model)
        }

        #[doc = "**Unchecked.** SeaORM's own `insert_many`: leaves the versions to the active models and the database."]
        pub fn insert_many_unchecked<I>(models: I) -> #sea_orm::InsertMany<ActiveModel>
        where
            I: ::core::iter::IntoIterator<Item = ActiveModel>,
        {
            <Entity as #sea_orm::EntityTrait>::insert_many(models)
        }

        #[doc = "**Unchecked.** SeaORM's own `update`: checks no version and advances none."]
        pub fn update_unchecked(model: ActiveModel) -> #sea_orm::UpdateOne<ActiveModel> {
            <Entity as #sea_orm::EntityTrait>::update(model)
        }

        #[doc = "**Unchecked.** SeaORM's own `update_many`: advances no version, so that nobody notices the change."]
        pub fn update_many_unchecked() -> #sea_orm::UpdateMany<Entity> {
            <Entity as #sea_orm::EntityTrait>::update_many()
        }

        #[doc = "**Unchecked.** SeaORM's own `delete`: checks no version."]
        pub fn delete_unchecked(model: ActiveModel) -> #sea_orm::DeleteOne<Entity> {
            <Entity as #sea_orm::EntityTrait>::delete(model)
        }
    }
}
