//! What a struct with the derive turns out to be, once it is read and judged.

use proc_macro2::Ident;
use syn::{DeriveInput, Path, Type};

use crate::attribute::{OptlockOptions, SeaOrmModel, VersionAttribute};
use crate::diagnostics::Diagnostics;
use crate::field::Field;
use crate::rules::{
    generated_is_a_plain_column, is_sea_orm_model, missing_version, named_fields, no_sea_orm_version, only_one_version,
    relation_version, version_column_is_fit,
};

/// What a struct with the derive turned out to be.
pub(crate) enum Input {
    /// An entity that keeps the rules.
    Entity(Box<Entity>),
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
        Self::Entity(Box::new(Entity {
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
        }))
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
