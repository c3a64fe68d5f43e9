//! The function that the attribute is on, as it is written.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream};
use syn::token::Brace;
use syn::{Abi, Attribute, Signature, Token, Visibility, braced};

/// A free function, a method, or a method of a trait.
pub(super) struct Function {
    pub(super) attributes: Vec<Attribute>,
    pub(super) visibility: Visibility,
    pub(super) signature: Signature,
    /// None for a required method of a trait.
    pub(super) body: Option<Body>,
}

/// The body is not read: it goes on as it came, also where the user has not finished it yet.
pub(super) struct Body {
    pub(super) brace: Brace,
    /// `#![…]`, which are of the function and not of what is in it.
    pub(super) attributes: Vec<Attribute>,
    pub(super) statements: TokenStream,
}

/// Whatever an attribute can be on.
pub(super) enum Item {
    Function(Box<Function>),
    Other,
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if !begins_function(input) {
            input.parse::<TokenStream>()?;
            return Ok(Self::Other);
        }
        let signature = input.parse()?;
        let semicolon: Option<Token![;]> = input.parse()?;
        let body = if semicolon.is_some() {
            None
        } else {
            Some(input.parse()?)
        };
        Ok(Self::Function(Box::new(Function {
            attributes,
            visibility,
            signature,
            body,
        })))
    }
}

impl Parse for Body {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let content;
        Ok(Self {
            brace: braced!(content in input),
            attributes: content.call(Attribute::parse_inner)?,
            statements: content.parse()?,
        })
    }
}

/// Whether `fn` comes after nothing but its qualifiers.
fn begins_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead.parse::<Option<Token![const]>>().is_ok()
        && ahead.parse::<Option<Token![async]>>().is_ok()
        && ahead.parse::<Option<Token![unsafe]>>().is_ok()
        && ahead.parse::<Option<Abi>>().is_ok()
        && ahead.peek(Token![fn])
}
