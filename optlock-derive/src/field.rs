//! A field of an entity, as it is written.

use proc_macro2::Ident;
use syn::Type;

use crate::attribute::FieldAttributes;
use crate::diagnostics::Diagnostics;
use crate::naming;

/// A field and what is written on it.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) attributes: FieldAttributes,
}

impl Field {
    pub(crate) fn all(fields: &syn::FieldsNamed, diagnostics: &mut Diagnostics) -> Vec<Self> {
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

    pub(crate) fn column(&self) -> Ident {
        self.attributes
            .sea_orm
            .enum_name
            .clone()
            .unwrap_or_else(|| naming::column(&self.ident))
    }

    /// Whether SeaORM takes the field for a relation.
    pub(crate) fn is_relation(&self) -> bool {
        matches!(self.type_name().as_deref(), Some("HasOne" | "HasMany" | "BelongsTo"))
    }

    /// The last name of the type's path.
    pub(crate) fn type_name(&self) -> Option<String> {
        match &self.ty {
            Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
            _ => None,
        }
    }

    /// Whether the type is a single name, and so most likely the one of the prelude.
    pub(crate) fn has_bare_type(&self) -> bool {
        matches!(&self.ty, Type::Path(path) if path.path.segments.len() == 1)
    }
}

/// The type itself, where a `$ty:ty` of a `macro_rules!` macro has put invisible parentheses around it.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        _ => ty,
    }
}
