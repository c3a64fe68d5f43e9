//! What the derive knows of an entity, and every rule that an entity must keep, one function a rule.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::{Data, DeriveInput, Fields, LitInt, Path, Type};

use crate::attribute::{FieldAttributes, OptlockOptions, SeaOrmModel, VersionAttribute};
use crate::diagnostics::Diagnostics;
use crate::naming;

const ALLOWED: &str = "a version is an i16, i32, i64, u32 or u64, a `Uuid`, a timestamp, \
                       or a newtype of one of these that implements `optlock::VersionType`";

/// What a struct with the derive turned out to be.
pub(crate) enum Input {
    /// An entity that keeps the rules.
    Entity(Entity),
    /// An entity that does not. Its errors are reported; stand-ins keep the rest of the crate from failing, too.
    BrokenEntity(Broken),
    /// The `ModelEx` that `#[sea_orm::model]` makes of a `Model`, with a copy of its derives.
    ModelEx {
        /// Whether this struct is the one that reports that there is no version.
        reports_missing_version: bool,
    },
    /// Not a SeaORM model at all.
    Foreign,
}

pub(crate) struct Entity {
    pub(crate) krate: Option<Path>,
    pub(crate) version: Version,
    /// The columns marked `#[generated]`.
    pub(crate) generated: Vec<Ident>,
}

pub(crate) struct Version {
    pub(crate) column: Ident,
    pub(crate) ty: Type,
    pub(crate) precision: u8,
}

pub(crate) struct Broken {
    pub(crate) krate: Option<Path>,
    /// Whether the error is left to the `ModelEx`, which has the relation fields that a `Model` has not.
    pub(crate) defers_to_model_ex: bool,
}

/// A field and what is written on it.
struct Field {
    ident: Ident,
    ty: Type,
    attributes: FieldAttributes,
}

impl Input {
    pub(crate) fn from_syn(input: &DeriveInput, diagnostics: &mut Diagnostics) -> Self {
        let Some(fields) = named_fields(input, diagnostics) else {
            return Self::Foreign;
        };
        if input.ident == "ModelEx" {
            // What both structs have in common is reported by the `Model`.
            return Self::model_ex(input, fields, diagnostics);
        }
        let options = OptlockOptions::parse(&input.attrs, diagnostics);
        let sea_orm = SeaOrmModel::parse(&input.attrs);
        if !is_sea_orm_model(input, &options, &sea_orm, diagnostics) {
            return Self::Foreign;
        }

        let fields = Field::all(fields, diagnostics);
        for field in &fields {
            no_sea_orm_version(field, diagnostics);
            generated_is_a_plain_column(field, diagnostics);
        }
        let marked: Vec<(&Field, &VersionAttribute)> = fields
            .iter()
            .filter_map(|field| Some((field, field.attributes.version.as_ref()?)))
            .collect();
        let Some(&(field, attribute)) = marked.first() else {
            let is_told_already = fields.iter().any(|field| field.attributes.sea_orm.version.is_some());
            if !is_told_already && !sea_orm.has_model_ex {
                missing_version(input, diagnostics);
            }
            return Self::BrokenEntity(Broken {
                krate: options.krate,
                defers_to_model_ex: !is_told_already && sea_orm.has_model_ex,
            });
        };
        for (second, _) in &marked[1..] {
            only_one_version(input, field, second, diagnostics);
        }
        let precision = version_column_is_fit(field, attribute, diagnostics);
        if !diagnostics.is_empty() {
            return Self::BrokenEntity(Broken {
                krate: options.krate,
                defers_to_model_ex: false,
            });
        }
        Self::Entity(Entity {
            krate: options.krate,
            version: Version {
                column: field.column(),
                ty: field.ty.clone(),
                precision,
            },
            generated: fields
                .iter()
                .filter(|field| field.attributes.generated.is_some())
                .map(Field::column)
                .collect(),
        })
    }

    fn model_ex(input: &DeriveInput, fields: &syn::FieldsNamed, diagnostics: &mut Diagnostics) -> Self {
        let fields = Field::all(fields, &mut Diagnostics::default());
        let mut has_version = false;
        let mut is_reported = false;
        for field in &fields {
            has_version |= field.attributes.sea_orm.version.is_some();
            if field.is_relation() {
                generated_is_a_plain_column(field, diagnostics);
            }
            let Some(attribute) = &field.attributes.version else {
                continue;
            };
            if field.is_relation() {
                relation_version(field, attribute, diagnostics);
                is_reported = true;
            } else {
                has_version = true;
            }
        }
        if !has_version && !is_reported {
            missing_version(input, diagnostics);
        }
        Self::ModelEx {
            reports_missing_version: !has_version,
        }
    }
}

impl Field {
    fn all(fields: &syn::FieldsNamed, diagnostics: &mut Diagnostics) -> Vec<Self> {
        fields
            .named
            .iter()
            .filter_map(|field| {
                Some(Self {
                    ident: field.ident.clone()?,
                    ty: ungrouped(&field.ty).clone(),
                    attributes: FieldAttributes::parse(&field.attrs, diagnostics),
                })
            })
            .collect()
    }

    fn column(&self) -> Ident {
        self.attributes
            .sea_orm
            .enum_name
            .clone()
            .unwrap_or_else(|| naming::column(&self.ident))
    }

    /// Whether SeaORM takes the field for a relation.
    fn is_relation(&self) -> bool {
        matches!(
            last_segment(&self.ty).as_deref(),
            Some("HasOne" | "HasMany" | "BelongsTo")
        )
    }
}

fn named_fields<'a>(input: &'a DeriveInput, diagnostics: &mut Diagnostics) -> Option<&'a syn::FieldsNamed> {
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

fn is_sea_orm_model(
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

fn missing_version(input: &DeriveInput, diagnostics: &mut Diagnostics) {
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

fn only_one_version(input: &DeriveInput, first: &Field, second: &Field, diagnostics: &mut Diagnostics) {
    let (name, first, second) = (&input.ident, &first.ident, &second.ident);
    diagnostics.report(
        second,
        format!("`{name}` has two `#[version]` fields, `{first}` and `{second}`: a row has one version, remove one"),
    );
}

fn no_sea_orm_version(field: &Field, diagnostics: &mut Diagnostics) {
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

fn generated_is_a_plain_column(field: &Field, diagnostics: &mut Diagnostics) {
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
fn version_column_is_fit(field: &Field, attribute: &VersionAttribute, diagnostics: &mut Diagnostics) -> u8 {
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
    } else {
        version_type_is_known(field, diagnostics);
    }
    attribute
        .precision
        .as_ref()
        .map_or(6, |precision| precision_is_fit(field, precision, diagnostics))
}

fn relation_version(field: &Field, attribute: &VersionAttribute, diagnostics: &mut Diagnostics) {
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
    let (Type::Path(_), Some(name)) = (ty, last_segment(ty)) else {
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
            if is_bare(ty) =>
        {
            diagnostics.report(ty, format!("`{name}` cannot be a version: {ALLOWED}"));
        }
        _ => {}
    }
}

fn precision_is_fit(field: &Field, precision: &LitInt, diagnostics: &mut Diagnostics) -> u8 {
    if matches!(
        last_segment(&field.ty).as_deref(),
        Some("i16" | "i32" | "i64" | "u32" | "u64" | "Uuid")
    ) {
        diagnostics.report(precision, "`precision` is for versions that are timestamps: remove it");
    }
    match precision.base10_parse() {
        Ok(digits @ 0..=6) => digits,
        _ => {
            diagnostics.report(
                precision,
                "`precision` is the number of digits after the second: 0 to 6",
            );
            6
        }
    }
}

/// The type itself, where a `$ty:ty` of a `macro_rules!` macro has put invisible parentheses around it.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        _ => ty,
    }
}

fn last_segment(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

/// Whether the type is a single name, and so most likely the one of the prelude.
fn is_bare(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.len() == 1)
}
