//! The order of keys that is the same here as on every server.

use std::cmp::Ordering;

use sea_orm::Value;
use sea_orm::sea_query::ValueTuple;

/// Sorts keys. False, with the keys in any order, if some are of a type that servers sort in their own way, as they do text.
pub(super) fn sort(keys: &mut [ValueTuple]) -> bool {
    let mut is_known = true;
    keys.sort_by(|a, b| {
        compare(a, b).unwrap_or_else(|| {
            is_known = false;
            Ordering::Equal
        })
    });
    is_known
}

/// Whether the key has text, which a server may find under more than one spelling.
pub(super) fn is_spelled(key: &ValueTuple) -> bool {
    key.clone()
        .into_iter()
        .any(|value| matches!(value, Value::String(_) | Value::Char(_)))
}

fn compare(a: &ValueTuple, b: &ValueTuple) -> Option<Ordering> {
    for (a, b) in a.clone().into_iter().zip(b.clone()) {
        match rank(&a)?.partial_cmp(&rank(&b)?)? {
            Ordering::Equal => {}
            unequal => return Some(unequal),
        }
    }
    Some(Ordering::Equal)
}

/// What a value is sorted by.
#[derive(PartialEq, PartialOrd)]
enum Rank<'a> {
    Number(i128),
    Bytes(&'a [u8]),
}

fn rank(value: &Value) -> Option<Rank<'_>> {
    let number = match value {
        Value::TinyInt(value) => i128::from((*value)?),
        Value::SmallInt(value) => i128::from((*value)?),
        Value::Int(value) => i128::from((*value)?),
        Value::BigInt(value) => i128::from((*value)?),
        Value::TinyUnsigned(value) => i128::from((*value)?),
        Value::SmallUnsigned(value) => i128::from((*value)?),
        Value::Unsigned(value) => i128::from((*value)?),
        Value::BigUnsigned(value) => i128::from((*value)?),
        Value::Bytes(bytes) => return bytes.as_deref().map(Rank::Bytes),
        _ => return None,
    };
    Some(Rank::Number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bytes_are_sorted_column_by_column() {
        let key = |a: i32, b: &[u8]| ValueTuple::Two(a.into(), b.to_vec().into());
        let mut keys = [key(2, b"a"), key(-1, b"b"), key(-1, b"a")];
        assert!(sort(&mut keys));
        assert_eq!(keys, [key(-1, b"a"), key(-1, b"b"), key(2, b"a")]);
    }

    #[test]
    fn integers_of_every_width_are_sorted_as_numbers() {
        let table: [[Value; 2]; 8] = [
            [(-9_i8).into(), 10_i8.into()],
            [(-9_i16).into(), 10_i16.into()],
            [(-9_i32).into(), 10_i32.into()],
            [i64::MIN.into(), 10_i64.into()],
            [9_u8.into(), 10_u8.into()],
            [9_u16.into(), 10_u16.into()],
            [9_u32.into(), 10_u32.into()],
            [i64::MAX.unsigned_abs().into(), u64::MAX.into()],
        ];
        for sorted in table {
            let sorted = sorted.map(ValueTuple::One);
            let [low, high] = sorted.clone();
            let mut keys = [high, low];
            assert!(sort(&mut keys), "{sorted:?}");
            assert_eq!(keys, sorted);
        }
    }

    #[test]
    fn a_key_that_is_null_has_no_place() {
        assert!(!sort(&mut [
            ValueTuple::One(Value::Int(None)),
            ValueTuple::One(1_i32.into())
        ]));
    }

    #[test]
    fn text_is_the_servers_to_sort() {
        assert!(!sort(&mut [ValueTuple::One("b".into()), ValueTuple::One("a".into())]));
    }
}
