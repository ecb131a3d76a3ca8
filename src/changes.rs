//! The keys under which two JSON values differ, such as `models.slim.layers[0].parameters`.

use serde::Serialize;
use serde_json::{Map, Value};

/// A key with both values; `null` in a value that has no such key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The key's path.
    pub what: String,
    /// The first value.
    pub a: Value,
    /// The second value.
    pub b: Value,
}

/// Every difference between two values, in the order of the keys; `what` is the path of the values themselves.
pub fn changes<T: Serialize>(what: &str, a: &T, b: &T) -> Vec<Change> {
    // Serializing fails only for numbers that JSON cannot hold; they become null.
    let value = |t: &T| serde_json::to_value(t).unwrap_or_default();
    let mut changes = Vec::new();
    compare(what.to_owned(), &value(a), &value(b), &mut changes);
    changes
}

fn compare(what: String, a: &Value, b: &Value, out: &mut Vec<Change>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let of = |map: &Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or_default();
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let inner = if what.is_empty() { key.clone() } else { format!("{what}.{key}") };
                compare(inner, &of(a, key), &of(b, key), out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(format!("{what}[{i}]"), a, b, out);
            }
        }
        _ if a != b => out.push(Change { what, a: a.clone(), b: b.clone() }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_of_both_sides_are_listed_and_lists_of_unequal_length_are_one_change() {
        let a = json!({"x": {"y": [1, 2]}, "only_a": true, "list": [1]});
        let b = json!({"x": {"y": [1, 3]}, "list": [1, 2], "only_b": "b"});
        let found: Vec<_> = changes("", &a, &b).into_iter().map(|c| (c.what, c.a, c.b)).collect();
        let expected = [
            ("x.y[1]", json!(2), json!(3)),
            ("only_a", json!(true), Value::Null),
            ("list", json!([1]), json!([1, 2])),
            ("only_b", Value::Null, json!("b")),
        ];
        assert_eq!(found, expected.map(|(what, a, b)| (what.to_owned(), a, b)));
        assert!(changes("x", &a, &a).is_empty());
    }
}
