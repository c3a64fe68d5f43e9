//! Every rule that an entity must keep, one function a rule. A message says what is wrong, where, and what to write.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Data, DeriveInput, Fields, LitInt, Type};

use crate::attribute::{OptlockOptions, SeaOrmModel, VersionAttribute};
use crate::diagnostics::Diagnostics;
use crate::field::Field;

const ALLOWED: &str = "a version is an i16, i32, i64, u32 or u64, a `Uuid`, a timestamp, \
                       or a newtype of one of these that implements `optlock::VersionType`";

pub(crate) fn named_fields<'a>(input: &'a DeriveInput, diagnostics: &mut Diagnostics) -> Option<&'a syn::FieldsNamed> {
    let kind = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            Fields::Unnamed(_) => "a tuple struct",
            Fields::Unit => "a struct without fields",
        },
        Data::Enum(_) => "an enum",
        Data::Union(_) => "a union",
    };
    let name = &input.ident;
    diagnostics.report(
        name,
        format!("`Versioned` is for the `Model` struct of a SeaORM entity, but `{name}` is {kind}"),
    );
    None
}

pub(crate) fn is_sea_orm_model(
    input: &DeriveInput,
    options: &OptlockOptions,
    sea_orm: &SeaOrmModel,
    diagnostics: &mut Diagnostics,
) -> bool {
    let name = &input.ident;
    if name != "Model" {
        diagnostics.report(
            name,
            format!(
                "`Versioned` is for the `Model` struct of a SeaORM entity, but this is `{name}`: \
                 SeaORM wants the struct to be named `Model`, in a module of its own"
            ),
        );
        return false;
    }
    if !sea_orm.has_table_name && !options.is_expanded {
        diagnostics.report(
            name,
            "`Versioned` is for a SeaORM entity: add `DeriveEntityModel` to the derives and \
             `#[sea_orm(table_name = \"…\")]` to the struct, or `#[optlock(expanded)]` if `Entity` is written by hand",
        );
        return false;
    }
    true
}

pub(crate) fn missing_version(input: &DeriveInput, diagnostics: &mut Diagnostics) {
    let mut place = input.ident.clone();
    if place == "ModelEx" {
        // A name that nobody wrote: `Versioned` in the list of derives is underlined instead.
        place.set_span(Span::call_site());
    }
    diagnostics.report(
        &place,
        "no field is marked `#[version]`: add a field such as `#[version] pub version: i64`, \
         and a column for it that is not null",
    );
}

pub(crate) fn only_one_version(input: &DeriveInput, first: &Field, second: &Field, diagnostics: &mut Diagnostics) {
    let (name, first, second) = (&input.ident, &first.ident, &second.ident);
    diagnostics.report(
        second,
        format!("`{name}` has two `#[version]` fields, `{first}` and `{second}`: a row has one version, remove one"),
    );
}

pub(crate) fn no_sea_orm_version(field: &Field, diagnostics: &mut Diagnostics) {
    if let Some(path) = &field.attributes.sea_orm.version {
        let fix = if field.attributes.version.is_some() {
            "remove it, `#[version]` is enough"
        } else {
            "write `#[version]`"
        };
        diagnostics.report(
            path,
            format!("SeaORM accepts `#[sea_orm(version)]` and does nothing with it: {fix}"),
        );
    }
}

pub(crate) fn generated_is_a_plain_column(field: &Field, diagnostics: &mut Diagnostics) {
    let Some(attribute) = &field.attributes.generated else {
        return;
    };
    let why = if field.attributes.version.is_some() {
        "the version is advanced by optlock and not by the database"
    } else if field.attributes.sea_orm.is_primary_key {
        "a primary key does not change when its row is written"
    } else if field.attributes.sea_orm.is_ignored {
        "an ignored field is not a column"
    } else if field.is_relation() {
        "a relation is not a column"
    } else {
        return;
    };
    let name = &field.ident;
    diagnostics.report(
        attribute,
        format!("`{name}` cannot be `#[generated]`: {why}; remove the attribute"),
    );
}

/// Checks the field that is marked `#[version]` and returns its precision.
pub(crate) fn version_column_is_fit(field: &Field, attribute: &VersionAttribute, diagnostics: &mut Diagnostics) -> u8 {
    let name = &field.ident;
    if field.attributes.sea_orm.is_primary_key {
        diagnostics.report(
            &attribute.attribute,
            format!("`{name}` is the primary key, which cannot be the version: mark another field `#[version]`"),
        );
    } else if field.attributes.sea_orm.is_ignored {
        diagnostics.report(
            &attribute.attribute,
            format!("`{name}` is ignored by SeaORM, so it is no column: remove `#[sea_orm(ignore)]`, or mark another field `#[version]`"),
        );
    } else if field.is_relation() {
        relation_version(field, attribute, diagnostics);
    } else if field.attributes.sea_orm.is_nullable {
        diagnostics.report(
            &attribute.attribute,
            format!(
                "`{name}` is nullable, which a version cannot be: NULL equals nothing, so a row without a version could \
                 not be checked. Remove `#[sea_orm(nullable)]`, and make the column NOT NULL"
            ),
        );
    } else {
        version_type_is_known(field, diagnostics);
    }
    attribute
        .precision
        .as_ref()
        .map_or(6, |precision| precision_is_fit(field, precision, diagnostics))
}

pub(crate) fn relation_version(field: &Field, attribute: &VersionAttribute, diagnostics: &mut Diagnostics) {
    let name = &field.ident;
    diagnostics.report(
        &attribute.attribute,
        format!("`{name}` is a relation, so it is no column: mark a field of this table `#[version]`"),
    );
}

/// Refuses types that are never versions, with a better message than a missing trait gives. Names that are unknown
/// here may be aliases or newtypes: the trait bound of the expansion decides about those.
fn version_type_is_known(field: &Field, diagnostics: &mut Diagnostics) {
    let ty = &field.ty;
    let (Type::Path(_), Some(name)) = (ty, field.type_name()) else {
        let text = ty.to_token_stream();
        diagnostics.report(ty, format!("`{text}` cannot be a version: {ALLOWED}"));
        return;
    };
    match name.as_str() {
        "Option" => diagnostics.report(
            ty,
            "a version cannot be an `Option`: NULL equals nothing, so a row without a version could not be checked. \
             Make the column NOT NULL and the field a plain type",
        ),
        "String" | "bool" | "char" | "f32" | "f64" | "i8" | "u8" | "u16" | "i128" | "u128" | "isize" | "usize"
        | "Vec" | "Decimal" | "Json"
            if field.has_bare_type() =>
        {
            diagnostics.report(ty, format!("`{name}` cannot be a version: {ALLOWED}"));
        }
        _ => {}
    }
}

fn precision_is_fit(field: &Field, precision: &LitInt, diagnostics: &mut Diagnostics) -> u8 {
    if matches!(
        field.type_name().as_deref(),
        Some("i16" | "i32" | "i64" | "u32" | "u64" | "Uuid")
    ) {
        diagnostics.report(precision, "`precision` is for versions that are timestamps: remove it");
    }
    if let Ok(digits @ 0..=6) = precision.base10_parse() {
        return digits;
    }
    diagnostics.report(
        precision,
        "`precision` is the number of digits after the second: 0 to 6",
    );
    6
}
