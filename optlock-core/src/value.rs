//! Values of a row that errors may show: its key and its version.

use std::fmt;

use sea_orm::Value;
use sea_orm::sea_query::{QueryBuilder, SqliteQueryBuilder, ValueType};

/// The primary key of a row, as it was sent to the database.
///
/// Its `Display` is meant for people: `7`, `'blue'`, or `(7, 'blue')` for a composite key.
#[derive(Clone, Debug, PartialEq)]
pub struct RowKey(Vec<Value>);

impl RowKey {
    pub(crate) fn new(values: impl IntoIterator<Item = Value>) -> Self {
        Self(values.into_iter().collect())
    }

    /// The values of the key's columns, in the order in which the entity declares them.
    pub fn values(&self) -> &[Value] {
        &self.0
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [value] = self.0.as_slice() {
            return f.write_str(&text(value));
        }
        let values: Vec<String> = self.0.iter().map(text).collect();
        write!(f, "({})", values.join(", "))
    }
}

/// The version of a row, whatever its type.
///
/// ```
/// use optlock::RowVersion;
///
/// let version = RowVersion::from(5_i64);
/// assert_eq!(version.get::<i64>(), Some(5));
/// assert_eq!(version.to_string(), "5");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RowVersion(Value);

impl RowVersion {
    /// The version as the type of the entity's `#[version]` field; `None` if it is of another type.
    pub fn get<V: ValueType>(&self) -> Option<V> {
        V::try_from(self.0.clone()).ok()
    }

    /// No version, of the type of this one.
    pub(crate) fn to_null(&self) -> Self {
        Self(self.0.as_null())
    }

    pub(crate) fn is_null(&self) -> bool {
        self.0 == self.0.as_null()
    }

    /// The version as SeaORM holds it.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

impl<V: Into<Value>> From<V> for RowVersion {
    fn from(version: V) -> Self {
        Self(version.into())
    }
}

impl fmt::Display for RowVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&self.0))
    }
}

/// A value as a literal that reads the same for every database.
fn text(value: &Value) -> String {
    match value {
        // sea-query takes a character for a byte.
        Value::Char(Some(character)) => format!("'{character}'"),
        _ => SqliteQueryBuilder.value_to_string(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_like_what_a_person_would_write() {
        assert_eq!(RowKey::new([7_i32.into()]).to_string(), "7");
        assert_eq!(RowKey::new(["blue".into()]).to_string(), "'blue'");
        assert_eq!(RowKey::new([7_i32.into(), "blue".into()]).to_string(), "(7, 'blue')");
    }

    #[test]
    fn a_character_beyond_ascii_is_shown() {
        assert_eq!(RowKey::new(['é'.into()]).to_string(), "'é'");
    }

    #[test]
    fn a_version_of_another_type_is_none() {
        assert_eq!(RowVersion::from(5_i64).get::<i32>(), None);
    }
}
