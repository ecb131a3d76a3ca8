//! The keys under which two JSON values differ, such as `models.slim.layers[0].parameters`.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

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
    let mut changes = Vec::new();
    compare(what.to_owned(), &json(a), &json(b), &mut changes);
    changes
}

/// As [`changes`], of two maps. Only one pair of values at a time is in memory as JSON, which takes several times the memory of the
/// values, and none if the two are equal.
pub fn changes_by_key<'a, T, I>(what: &str, a: I, b: I) -> Vec<Change>
where
    T: Serialize + PartialEq + Copy + 'a,
    I: IntoIterator<Item = (&'a str, T)>,
{
    let [a, b]: [IndexMap<&str, T>; 2] = [a, b].map(|map| map.into_iter().collect());
    let mut changes = Vec::new();
    for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
        let values = [&a, &b].map(|map| map.get(key).copied());
        if values[0] != values[1] {
            let [one, other] = values.map(|value| value.as_ref().map(json).unwrap_or_default());
            compare(join(what, key), &one, &other, &mut changes);
        }
    }
    changes
}

/// Serializing fails only for numbers that JSON cannot hold; they become null.
fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn join(what: &str, key: &str) -> String {
    if what.is_empty() { key.to_owned() } else { format!("{what}.{key}") }
}

fn compare(what: String, a: &Value, b: &Value, out: &mut Vec<Change>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let [one, other] = [a, b].map(|map| map.get(key).unwrap_or(&Value::Null));
                if one != other {
                    compare(join(&what, key), one, other, out);
                }
            }
        }
        (Value::Array(x), Value::Array(y)) if is_reordered(x, y) => {
            out.push(Change { what, a: a.clone(), b: b.clone() });
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b) {
                compare(format!("{what}[{i}]"), a, b, out);
            }
        }
        _ if a != b => out.push(Change { what, a: a.clone(), b: b.clone() }),
        _ => {}
    }
}

/// Whether two lists hold the same numbers in another order, such as the seeds of a run. Item by item they would look like others.
fn is_reordered(a: &[Value], b: &[Value]) -> bool {
    const LONGEST: usize = 100;
    let sorted = |list: &[Value]| {
        let mut numbers: Vec<String> = list.iter().map(Value::to_string).collect();
        numbers.sort_unstable();
        numbers
    };
    let are_numbers = |list: &[Value]| list.iter().all(Value::is_number);
    a.len() == b.len() && a.len() <= LONGEST && a != b && are_numbers(a) && are_numbers(b) && sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

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

    #[test]
    fn numbers_in_another_order_are_one_change() {
        let of = |a: Value, b: Value| changes("seeds", &a, &b).into_iter().map(|c| c.what).collect::<Vec<_>>();
        assert_eq!(of(json!([1, 2, 3]), json!([3, 1, 2])), ["seeds"]);
        assert_eq!(of(json!([1, 2, 3]), json!([3, 1, 4])), ["seeds[0]", "seeds[1]", "seeds[2]"]);
        assert_eq!(of(json!([1, 1, 2]), json!([1, 2, 2])), ["seeds[1]"]);
        assert_eq!(of(json!(["a", "b"]), json!(["b", "a"])), ["seeds[0]", "seeds[1]"], "layers have an order");
    }

    #[test]
    fn maps_compared_key_by_key_have_the_same_changes() {
        fn pairs(map: &Value) -> Vec<(&str, &Value)> {
            map.as_object().unwrap().iter().map(|(key, value)| (key.as_str(), value)).collect()
        }
        let a = json!({"x": {"y": 1, "z": [1, 2]}, "only_a": true, "same": [1]});
        let b = json!({"same": [1], "only_b": "b", "x": {"y": 2, "z": [1, 2]}});
        let found = changes_by_key("m", pairs(&a), pairs(&b));
        assert_eq!(found, changes("m", &a, &b));
        assert_eq!(found.iter().map(|c| c.what.as_str()).collect::<Vec<_>>(), ["m.x.y", "m.only_a", "m.only_b"]);
    }

    /// A long list a hundred levels deep: copied at each level, it would take the time of two hundred copies.
    #[test]
    fn deep_trees_are_compared_without_copies() {
        let tree = |last: u64| {
            let numbers: Vec<String> = (0..100_000).map(|i| format!("number {i}")).collect();
            (0..100).fold(json!([numbers, last]), |inner, _| json!({"a": inner}))
        };
        let (a, b) = (tree(1), tree(2));
        let started = Instant::now();
        let copies: Vec<Value> = (0..5).map(|_| a.clone()).collect();
        let of_a_copy = started.elapsed() / copies.len() as u32;
        let (started, mut found) = (Instant::now(), Vec::new());
        compare(String::new(), &a, &b, &mut found);
        let took = started.elapsed();
        assert_eq!((found.len(), found[0].what.as_str()), (1, format!("{}[1]", vec!["a"; 100].join(".")).as_str()));
        assert!(took < of_a_copy * 100, "{took:?}, and a copy takes {of_a_copy:?}");
    }
}
