//! What is in the parentheses of `#[optlock::retry(…)]`.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, LitStr, Path, Token};

use crate::diagnostics::Diagnostics;

#[derive(Default)]
pub(super) struct Options {
    /// Any expression that is a `Policy`. Without one, it is the default policy.
    pub(super) policy: Option<Expr>,
    /// `crate = "path"`: where the `optlock` crate is.
    pub(super) krate: Option<Path>,
}

enum Argument {
    Policy(Expr),
    Crate(Token![crate], Path),
    /// The left side of any other assignment.
    Unknown(Expr),
}

impl Options {
    pub(super) fn parse(arguments: TokenStream, diagnostics: &mut Diagnostics) -> Self {
        let mut options = Self::default();
        match Punctuated::<Argument, Token![,]>::parse_terminated.parse2(arguments) {
            Ok(arguments) => {
                for argument in arguments {
                    options.add(argument, diagnostics);
                }
            }
            Err(error) => diagnostics.push(error),
        }
        options
    }

    fn add(&mut self, argument: Argument, diagnostics: &mut Diagnostics) {
        match argument {
            Argument::Policy(policy) if self.policy.is_some() => {
                diagnostics.report(policy, "a function is tried again by one policy: remove the second");
            }
            Argument::Policy(policy) => self.policy = Some(policy),
            Argument::Crate(name, _) if self.krate.is_some() => {
                diagnostics.report(name, "`crate` is written twice: remove one");
            }
            Argument::Crate(_, path) => self.krate = Some(path),
            Argument::Unknown(name) => diagnostics.report(
                name,
                "unknown option: `#[optlock::retry(…)]` takes a policy, such as `Policy::new().attempts(5)`, \
                 and `crate = \"path\"`",
            ),
        }
    }
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // A policy may begin with `crate`, too: `crate::CHECKOUT`.
        if input.peek(Token![crate]) && !input.peek2(Token![::]) {
            let name = input.parse()?;
            input.parse::<Token![=]>()?;
            return Ok(Self::Crate(name, input.parse::<LitStr>()?.parse()?));
        }
        Ok(match input.parse()? {
            Expr::Assign(assignment) => Self::Unknown(*assignment.left),
            policy => Self::Policy(policy),
        })
    }
}
