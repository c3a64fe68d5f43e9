//! The code that the derive generates: the trait implementation, and what stands in for one.

use proc_macro2::TokenStream;
use quote::quote;

use crate::krate::optlock;
use crate::methods::{allow, methods};
use crate::model::{Broken, Entity};

pub(crate) fn entity(entity: &Entity) -> TokenStream {
    let optlock = optlock(entity.krate.as_ref());
    let ty = &entity.version.ty;
    let version = &entity.version.column;
    let precision = entity.version.precision;
    let generated = &entity.generated;
    let allow = allow();
    let methods = methods(&optlock);
    quote! {
        #[automatically_derived]
        #allow
        impl #optlock::Versioned for Entity {
            type Version = #ty;

            const PRECISION: #optlock::Precision = #optlock::Precision::digits(#precision);

            fn version_column() -> Column {
                Column::#version
            }

            fn role(column: &Column) -> #optlock::__private::Role {
                match column {
                    Column::#version => #optlock::__private::Role::Version,
                    #(Column::#generated => #optlock::__private::Role::Generated,)*
                    #[allow(unreachable_patterns)]
                    _ => #optlock::__private::Role::Data,
                }
            }

            fn into_model(
                active_model: ActiveModel,
            ) -> ::core::result::Result<Model, #optlock::__private::sea_orm::DbErr> {
                #optlock::__private::sea_orm::TryIntoModel::<Model>::try_into_model(active_model)
            }

            fn into_active_model(model: Model) -> ActiveModel {
                <ActiveModel as ::core::convert::From<Model>>::from(model)
            }
        }

        #methods
    }
}

/// Stands in for an entity whose mistakes are reported, so that code that uses it brings no errors of its own.
pub(crate) fn stand_in(broken: &Broken) -> TokenStream {
    let optlock = optlock(broken.krate.as_ref());
    let allow = allow();
    let methods = methods(&optlock);
    let defer = broken.defers_to_model_ex.then(|| {
        quote!(
            const _: () = ModelEx::REPORTS_MISSING_VERSION;
        )
    });
    quote! {
        #defer

        #[automatically_derived]
        #allow
        impl #optlock::Versioned for Entity {
            type Version = i64;

            const PRECISION: #optlock::Precision = #optlock::Precision::MICROS;

            fn version_column() -> Column {
                loop {}
            }

            fn role(_: &Column) -> #optlock::__private::Role {
                loop {}
            }

            fn into_model(
                _: ActiveModel,
            ) -> ::core::result::Result<Model, #optlock::__private::sea_orm::DbErr> {
                loop {}
            }

            fn into_active_model(_: Model) -> ActiveModel {
                loop {}
            }
        }

        #methods
    }
}

/// The other half of [`Broken::defers_to_model_ex`]. Without it, a `Model` that has lost its `ModelEx` does not compile.
pub(crate) fn model_ex_reports() -> TokenStream {
    quote! {
        impl ModelEx {
            const REPORTS_MISSING_VERSION: () = ();
        }
    }
}
