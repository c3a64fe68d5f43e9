//! The syntax of attributes, and nothing of what they mean together.

use proc_macro2::Ident;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitInt, LitStr, Meta, Path, Token};

use crate::diagnostics::Diagnostics;

/// `#[optlock(…)]` on the struct.
#[derive(Default)]
pub(crate) struct OptlockOptions {
    /// `crate = "path"`: where the `optlock` crate is.
    pub(crate) krate: Option<Path>,
    /// `expanded`: `Entity` is written by hand, so there is no `table_name`.
    pub(crate) is_expanded: bool,
}

/// `#[sea_orm(…)]` on the struct, as far as it matters here.
#[derive(Default)]
pub(crate) struct SeaOrmModel {
    pub(crate) has_table_name: bool,
    /// The struct was made by `#[sea_orm::model]`, which makes a `ModelEx` beside it.
    pub(crate) has_model_ex: bool,
}

/// The attributes of a field.
#[derive(Default)]
pub(crate) struct FieldAttributes {
    pub(crate) version: Option<VersionAttribute>,
    pub(crate) generated: Option<Attribute>,
    pub(crate) sea_orm: SeaOrmField,
}

/// `#[version]` or `#[version(precision = N)]`.
pub(crate) struct VersionAttribute {
    pub(crate) attribute: Attribute,
    pub(crate) precision: Option<LitInt>,
}

/// `#[sea_orm(…)]` on a field, as far as it matters here.
#[derive(Default)]
pub(crate) struct SeaOrmField {
    pub(crate) is_primary_key: bool,
    pub(crate) is_ignored: bool,
    pub(crate) is_nullable: bool,
    pub(crate) enum_name: Option<Ident>,
    /// `version`, which SeaORM accepts and ignores.
    pub(crate) version: Option<Path>,
}

impl OptlockOptions {
    pub(crate) fn parse(attributes: &[Attribute], diagnostics: &mut Diagnostics) -> Self {
        let mut options = Self::default();
        for attribute in named(attributes, "optlock") {
            let parsed = attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("crate") {
                    options.krate = Some(meta.value()?.parse::<LitStr>()?.parse()?);
                } else if meta.path.is_ident("expanded") {
                    options.is_expanded = true;
                } else {
                    diagnostics.report(
                        &meta.path,
                        "unknown option: `#[optlock(…)]` takes `crate = \"path\"` and `expanded`",
                    );
                    skip_value(&meta);
                }
                Ok(())
            });
            if let Err(error) = parsed {
                diagnostics.push(error);
            }
        }
        options
    }
}

impl SeaOrmModel {
    pub(crate) fn parse(attributes: &[Attribute]) -> Self {
        let mut model = Self::default();
        each_sea_orm(attributes, |meta| {
            model.has_table_name |= meta.path.is_ident("table_name");
            model.has_model_ex |= meta.path.is_ident("model_ex");
            skip_value(meta);
        });
        model
    }
}

impl FieldAttributes {
    pub(crate) fn parse(attributes: &[Attribute], diagnostics: &mut Diagnostics) -> Self {
        let mut field = Self {
            sea_orm: SeaOrmField::parse(attributes),
            ..Self::default()
        };
        for attribute in attributes {
            if attribute.path().is_ident("version") {
                if field.version.is_some() {
                    diagnostics.report(attribute, "`#[version]` is written twice on this field: remove one");
                }
                let precision = version_options(attribute, diagnostics);
                field.version = Some(VersionAttribute {
                    attribute: attribute.clone(),
                    precision,
                });
            } else if attribute.path().is_ident("generated") {
                if !matches!(attribute.meta, Meta::Path(_)) {
                    diagnostics.report(attribute, "`#[generated]` takes no options");
                }
                field.generated = Some(attribute.clone());
            }
        }
        field
    }
}

impl SeaOrmField {
    fn parse(attributes: &[Attribute]) -> Self {
        let mut field = Self::default();
        each_sea_orm(attributes, |meta| {
            if meta.path.is_ident("primary_key") {
                field.is_primary_key = true;
            } else if meta.path.is_ident("ignore") {
                field.is_ignored = true;
            } else if meta.path.is_ident("nullable") {
                field.is_nullable = true;
            } else if meta.path.is_ident("version") {
                field.version = Some(meta.path.clone());
            } else if meta.path.is_ident("enum_name")
                && let Ok(name) = meta.value().and_then(syn::parse::ParseBuffer::parse::<LitStr>)
            {
                field.enum_name = name.parse().ok();
                return;
            }
            skip_value(meta);
        });
        field
    }
}

fn version_options(attribute: &Attribute, diagnostics: &mut Diagnostics) -> Option<LitInt> {
    let mut precision = None;
    match &attribute.meta {
        Meta::Path(_) => {}
        Meta::NameValue(_) => diagnostics.report(attribute, "`#[version]` takes no value: write `#[version]`"),
        Meta::List(_) => {
            let parsed = attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("precision") {
                    precision = Some(meta.value()?.parse()?);
                } else {
                    diagnostics.report(&meta.path, "unknown option: `#[version(…)]` takes `precision = 0..=6`");
                    skip_value(&meta);
                }
                Ok(())
            });
            if let Err(error) = parsed {
                diagnostics.push(error);
            }
        }
    }
    precision
}

/// Calls `read` for each item of each `#[sea_orm(…)]`. Malformed ones are left to SeaORM's macros to report.
fn each_sea_orm(attributes: &[Attribute], mut read: impl FnMut(&ParseNestedMeta<'_>)) {
    for attribute in named(attributes, "sea_orm") {
        let _ = attribute.parse_nested_meta(|meta| {
            read(&meta);
            Ok(())
        });
    }
}

fn named<'a>(attributes: &'a [Attribute], name: &'a str) -> impl Iterator<Item = &'a Attribute> {
    attributes
        .iter()
        .filter(move |attribute| attribute.path().is_ident(name))
}

/// Passes over whatever follows the name of an item.
fn skip_value(meta: &ParseNestedMeta<'_>) {
    if meta.input.peek(Token![=]) {
        let _ = meta.value().and_then(syn::parse::ParseBuffer::parse::<syn::Expr>);
    } else if meta.input.peek(syn::token::Paren) {
        let _ = meta.input.parse::<proc_macro2::Group>();
    }
}
