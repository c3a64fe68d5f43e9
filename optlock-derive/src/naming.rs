//! The names that SeaORM's macros give to columns. Must follow `DeriveActiveModel` and `DeriveEntityModel`.

use heck::ToUpperCamelCase;
use proc_macro2::Ident;
use quote::format_ident;

/// The variant of `Column` that stands for a field without `enum_name`.
pub(crate) fn column(field: &Ident) -> Ident {
    let name = field.to_string();
    // `Self` is the one name in upper camel case that is a keyword; SeaORM puts an underscore behind it.
    match name.trim_start_matches("r#").to_upper_camel_case().as_str() {
        "Self" => format_ident!("Self_", span = field.span()),
        name => Ident::new(name, field.span()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_named_as_seaorm_names_it() {
        for (field, column_name) in [
            ("version", "Version"),
            ("lock_version", "LockVersion"),
            ("r#type", "Type"),
            ("r#self_", "Self_"),
            ("_version", "Version"),
            ("version_2", "Version2"),
            ("optLock", "OptLock"),
        ] {
            let field: Ident = syn::parse_str(field).unwrap();
            assert_eq!(column(&field), column_name);
        }
    }
}
