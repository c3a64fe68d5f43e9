//! The attribute that has a function tried again: a call of the combinator, and nothing else.

mod function;
mod options;
mod rules;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::visit_mut::{self, VisitMut};
use syn::{ReturnType, Type, parse_quote};

use crate::diagnostics::Diagnostics;
use crate::krate::optlock;
use function::{Body, Function, Item};
use options::Options;

/// The function with its body in a call of `Policy::retry`. One with mistakes stays as it is, so that code that uses it
/// brings no errors of its own.
pub(crate) fn retry(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let options = Options::parse(arguments, &mut diagnostics);
    let code = match syn::parse2(item.clone()) {
        Ok(Item::Function(function)) => {
            rules::body(&function, &mut diagnostics).map(|body| expand(&function, body, &options))
        }
        Ok(Item::Other) => {
            rules::not_a_function(&mut diagnostics);
            None
        }
        Err(error) => {
            diagnostics.push(error);
            None
        }
    };
    let mut expansion = diagnostics.into_compile_errors();
    expansion.extend(code.unwrap_or(item));
    expansion
}

fn expand(function: &Function, body: &Body, options: &Options) -> TokenStream {
    let optlock = optlock(options.krate.as_ref());
    let policy = options
        .policy
        .as_ref()
        .map_or_else(|| quote!(#optlock::Policy::new()), ToTokens::to_token_stream);
    let Function {
        attributes,
        visibility,
        signature,
        ..
    } = function;
    let inner_attributes = &body.attributes;
    let hint = return_type_hint(&signature.output);
    let statements = &body.statements;
    let place = body.brace.span.join();
    let ours = Span::mixed_site().located_at(place);
    let block = quote_spanned!(ours=> { #statements });
    // With spans of the user: the compiler is silent on names in what a macro has made, and so would not say which
    // argument cannot be moved out of the closure.
    let attempt = quote_spanned!(place=> async { #hint #block });
    // By name, since there is a lint that takes a closure around nothing but an async block for an async closure.
    let attempt = quote_spanned!(ours=> let attempt = #attempt; attempt);
    let work = quote_spanned!(place=> || { #attempt });
    let mut code = quote!(#(#attributes)* #visibility #signature);
    body.brace.surround(&mut code, |code| {
        code.extend(quote! {
            #(#inner_attributes)*
            #optlock::Policy::retry(#policy, #work).await
        });
    });
    code
}

/// Never runs, and tells the compiler the type of the async block, which nothing else does: so `?` knows what to
/// convert errors to, as it does in the function itself.
fn return_type_hint(output: &ReturnType) -> TokenStream {
    let ReturnType::Type(_, ty) = output else {
        return TokenStream::new();
    };
    let mut ty = ty.clone();
    ImplTraitToInfer.visit_type_mut(&mut ty);
    quote_spanned! {Span::mixed_site()=>
        if let ::core::option::Option::Some(output) = ::core::option::Option::None::<#ty> {
            return output;
        }
    }
}

/// `impl Trait` can be returned, but not written in a body.
struct ImplTraitToInfer;

impl VisitMut for ImplTraitToInfer {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if matches!(ty, Type::ImplTrait(_)) {
            *ty = parse_quote!(_);
        } else {
            visit_mut::visit_type_mut(self, ty);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without blanks, which say nothing but where a token comes from.
    fn text(tokens: &TokenStream) -> String {
        tokens.to_string().split_whitespace().collect()
    }

    #[test]
    fn a_body_becomes_a_call_of_the_combinator() {
        let expansion = retry(
            quote!(self.policy, crate = "my::optlock"),
            quote! {
                /// It sells.
                #[must_use]
                pub(crate) async fn sell<T>(&self, sku: &str) -> Result<Option<impl Iterator<Item = T>>, Error>
                where
                    T: Clone,
                {
                    #![allow(dead_code)]
                    self.store(sku).await?;
                    Ok(None)
                }
            },
        );
        let expected = quote! {
            #[doc = r" It sells."]
            #[must_use]
            pub(crate) async fn sell<T>(&self, sku: &str) -> Result<Option<impl Iterator<Item = T>>, Error>
            where
                T: Clone,
            {
                #![allow(dead_code)]
                my::optlock::Policy::retry(self.policy, || {
                    let attempt = async {
                        if let ::core::option::Option::Some(output) =
                            ::core::option::Option::None::<Result<Option<_>, Error>>
                        {
                            return output;
                        }
                        {
                            self.store(sku).await?;
                            Ok(None)
                        }
                    };
                    attempt
                })
                .await
            }
        };
        assert_eq!(text(&expansion), text(&expected));
    }

    #[test]
    fn without_a_policy_it_is_the_default_one() {
        let expansion = retry(
            quote!(crate = "my::optlock"),
            quote!(
                async fn sell() -> Result<(), Error> {}
            ),
        );
        let call = "my::optlock::Policy::retry(my::optlock::Policy::new(),||";
        assert!(text(&expansion).contains(call), "{expansion}");
    }

    #[test]
    fn what_has_a_mistake_stays_as_it_is() {
        for (arguments, item) in [
            ("", "struct Shop;"),
            ("", "const SHOP: Shop = Shop;"),
            ("", "async fn sell(mut self: Rc<Self>) -> Result<(), Error>;"),
            ("", "async fn sell(ref mut sku: String) -> Result<(), Error> {}"),
            ("", "pub const unsafe extern \"C\" fn sell() -> Result<(), Error> { $ }"),
            ("A B", "async fn sell() -> Result<(), Error> { not yet ; finished }"),
        ] {
            let (arguments, item): (TokenStream, TokenStream) = (arguments.parse().unwrap(), item.parse().unwrap());
            let expansion = retry(arguments, item.clone()).to_string();
            assert!(expansion.starts_with(":: core :: compile_error !"), "{expansion}");
            assert!(expansion.ends_with(&item.to_string()), "{expansion}");
        }
    }
}
