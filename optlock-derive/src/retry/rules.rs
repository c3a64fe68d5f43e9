//! What a function must be to be tried again, one function a rule. A message says what is wrong, where, and how to mend it.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{FnArg, GenericArgument, PatType, PathArguments, Receiver, ReturnType, Signature, Type};

use super::function::{Body, Function};
use crate::diagnostics::Diagnostics;

pub(super) fn not_a_function(diagnostics: &mut Diagnostics) {
    diagnostics.push(syn::Error::new(
        Span::call_site(),
        "`#[optlock::retry]` is for an async function or method, and this is none: put it on the function itself",
    ));
}

/// Checks all the rules. The body of the function, if nothing is reported.
pub(super) fn body<'a>(function: &'a Function, diagnostics: &mut Diagnostics) -> Option<&'a Body> {
    let signature = &function.signature;
    if is_of_async_trait(signature) {
        // What is in the signature now is not what the user wrote.
        no_async_trait(signature, diagnostics);
        return None;
    }
    is_async(signature, diagnostics);
    has_body(function, diagnostics);
    returns_result(signature, diagnostics);
    for argument in &signature.inputs {
        match argument {
            FnArg::Receiver(receiver) => receiver_is_shared(receiver, diagnostics),
            FnArg::Typed(argument) => argument_is_shared(argument, diagnostics),
        }
    }
    function.body.as_ref().filter(|_| diagnostics.is_empty())
}

fn no_async_trait(signature: &Signature, diagnostics: &mut Diagnostics) {
    let name = &signature.ident;
    diagnostics.report(
        name,
        format!(
            "`#[async_trait]` has rewritten `{name}` before `#[optlock::retry]` sees it: move the body to an async \
             function of its own and put the attribute there, or call `policy.retry` by hand"
        ),
    );
}

fn is_async(signature: &Signature, diagnostics: &mut Diagnostics) {
    if signature.asyncness.is_none() {
        let (keyword, name) = (&signature.fn_token, &signature.ident);
        diagnostics.report(
            quote!(#keyword #name),
            format!("`#[optlock::retry]` is for async functions, but `{name}` is not: write `async fn {name}`"),
        );
    }
}

fn has_body(function: &Function, diagnostics: &mut Diagnostics) {
    if function.body.is_none() {
        let name = &function.signature.ident;
        diagnostics.report(
            name,
            format!(
                "`{name}` has no body that could be tried again: put `#[optlock::retry]` on the methods that implement it"
            ),
        );
    }
}

/// Refuses what is certainly none. A name that is unknown here may be an alias of one: the types decide about those.
fn returns_result(signature: &Signature, diagnostics: &mut Diagnostics) {
    let name = &signature.ident;
    let place = match &signature.output {
        ReturnType::Default => name.to_token_stream(),
        ReturnType::Type(_, ty) if is_no_result(ty) => ty.to_token_stream(),
        ReturnType::Type(..) => return,
    };
    diagnostics.report(
        place,
        format!("`{name}` returns no `Result`, so no attempt could fail: write `-> Result<…, …>`"),
    );
}

fn receiver_is_shared(receiver: &Receiver, diagnostics: &mut Diagnostics) {
    if holds_mutable_reference(&receiver.ty) {
        diagnostics.report(
            receiver,
            "the next attempt would see what a failed one changed through `&mut self`: take `&self`, \
             or call `policy.retry` by hand",
        );
    } else if matches!(&*receiver.ty, Type::Path(ty) if ty.path.is_ident("Self")) {
        diagnostics.report(
            receiver,
            "the first attempt would use up `self`, and the next one needs it again: take `&self`",
        );
    } else if receiver.mutability.is_some() {
        no_mut(receiver, diagnostics);
    }
}

fn argument_is_shared(argument: &PatType, diagnostics: &mut Diagnostics) {
    let PatType { pat, ty, .. } = argument;
    if holds_mutable_reference(ty) {
        diagnostics.report(
            ty,
            "the next attempt would see what a failed one changed through `&mut`: take `&` and change a copy, \
             or call `policy.retry` by hand",
        );
    } else if has_mut(pat.to_token_stream()) {
        no_mut(pat, diagnostics);
    }
}

fn no_mut(place: impl ToTokens, diagnostics: &mut Diagnostics) {
    diagnostics.report(
        place,
        "the next attempt would see what a failed one changed in a `mut` argument: remove `mut`, \
         and change a copy in the body",
    );
}

/// Whether the lifetime is there that `#[async_trait]` adds to whatever it rewrites.
fn is_of_async_trait(signature: &Signature) -> bool {
    let mut lifetimes = signature.generics.lifetimes();
    lifetimes.any(|parameter| parameter.lifetime.ident == "async_trait")
}

fn is_no_result(ty: &Type) -> bool {
    match ty {
        Type::Array(_) | Type::Never(_) | Type::Reference(_) | Type::Tuple(_) => true,
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|segment| segment.ident == "Option"),
        _ => false,
    }
}

/// Whether a value of the type is or holds a `&mut` that can be used: behind a `&` it cannot.
fn holds_mutable_reference(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => reference.mutability.is_some(),
        Type::Group(group) => holds_mutable_reference(&group.elem),
        Type::Paren(paren) => holds_mutable_reference(&paren.elem),
        Type::Array(array) => holds_mutable_reference(&array.elem),
        Type::Tuple(tuple) => tuple.elems.iter().any(holds_mutable_reference),
        Type::Path(path) => path.path.segments.iter().any(|segment| {
            let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
                return false;
            };
            let mut arguments = arguments.args.iter();
            arguments.any(|argument| matches!(argument, GenericArgument::Type(ty) if holds_mutable_reference(ty)))
        }),
        _ => false,
    }
}

fn has_mut(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "mut",
        TokenTree::Group(group) => has_mut(group.stream()),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::holds_mutable_reference;

    #[test]
    fn a_mutable_reference_is_found_where_it_can_be_used() {
        for (ty, expected) in [
            ("&mut Cart", true),
            ("(&'a mut Cart)", true),
            ("(Cart, &mut Cart)", true),
            ("[&mut Cart; 2]", true),
            ("Option<&mut Cart>", true),
            ("std::pin::Pin<&mut Self>", true),
            ("Cart", false),
            ("&Cart", false),
            ("&&mut Cart", false),
            ("Cart<'a, 3>", false),
            ("fn(&mut Cart)", false),
            ("impl Fn(&mut Cart)", false),
            ("Box<dyn Fn(&mut Cart) -> &mut Cart>", false),
            ("*mut Cart", false),
        ] {
            let parsed = syn::parse_str(ty).unwrap();
            assert_eq!(holds_mutable_reference(&parsed), expected, "{ty}");
        }
    }
}
