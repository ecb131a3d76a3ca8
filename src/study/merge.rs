//! Merges a study into the study that it extends, and `defaults` into each run.

use serde_yaml::{Mapping, Value};

use super::StudyError;
use super::aliases::{MAX_BYTES, MAX_NODES, too_large};
use super::conclusion::Conclusion;
use super::lines::Lines;

/// Keys whose maps are replaced as a whole, not merged, because each chooses one thing, such as an optimizer.
const CHOICES: [&str; 3] = ["optimizer", "schedule", "images"];

/// Keys whose lists hold maps with an `id`: a new item is merged into the old one with its id, or appended.
const BY_ID: [&str; 2] = ["claims", "conclusions"];

/// Merges `over` into `base`: maps key by key, lists of `BY_ID` item by item. Everything else is replaced; `null` removes.
pub(super) fn merge(base: &mut Mapping, over: Mapping) {
    for (key, value) in over {
        let one_of = |keys: &[&str]| key.as_str().is_some_and(|k| keys.contains(&k));
        let (choice, by_id) = (one_of(&CHOICES), one_of(&BY_ID));
        match (base.get_mut(&key), value) {
            (_, Value::Null) => {
                base.shift_remove(&key);
            }
            (Some(Value::Mapping(old)), Value::Mapping(new)) if !choice => merge(old, new),
            (Some(Value::Sequence(old)), Value::Sequence(new)) if by_id => merge_by_id(old, new),
            (Some(old), new) => *old = new,
            (None, new) => {
                base.insert(key, new);
            }
        }
    }
}

fn merge_by_id(base: &mut Vec<Value>, over: Vec<Value>) {
    let mut ids: Vec<Option<Value>> = base.iter().map(id_of).collect();
    for item in over {
        let id = id_of(&item);
        let place = ids.iter().position(|other| id.is_some() && *other == id);
        match (place.map(|place| &mut base[place]), item) {
            (Some(Value::Mapping(old)), Value::Mapping(new)) => merge(old, new),
            (_, new) => {
                base.push(new);
                ids.push(id);
            }
        }
    }
}

/// The id of a claim or a conclusion: the one in the study, or the one that the conclusion's kind makes.
fn id_of(item: &Value) -> Option<Value> {
    let made = || serde_yaml::from_value::<Conclusion>(item.clone()).ok().map(|conclusion| conclusion.id.into());
    item.get("id").cloned().or_else(made)
}

/// The values in a value, and the bytes of their texts. `check_expansion` has bounded both.
pub(super) fn size(value: &Value) -> (u64, u64) {
    match value {
        Value::String(text) => (1, text.len() as u64),
        Value::Sequence(items) => items.iter().fold((1, 0), |sum, item| added(sum, size(item))),
        Value::Mapping(map) => map.iter().fold((1, 0), |sum, (key, item)| added(added(sum, size(key)), size(item))),
        Value::Tagged(tagged) => size(&tagged.value),
        _ => (1, 0),
    }
}

fn added(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0 + b.0, a.1 + b.1)
}

/// Merges each run into a copy of `defaults`, and removes `defaults`.
pub(super) fn fill_defaults(lines: &Lines, map: &mut Mapping) -> Result<(), StudyError> {
    let defaults = match map.shift_remove("defaults") {
        None | Some(Value::Null) => Mapping::new(),
        Some(Value::Mapping(defaults)) => defaults,
        Some(_) => return Err(lines.error("defaults", "must be a map of run settings")),
    };
    if let Some(Value::Mapping(runs)) = map.get_mut("runs") {
        let (nodes, bytes) =
            defaults.iter().fold((0, 0), |sum, (key, value)| added(added(sum, size(key)), size(value)));
        let runs_count = runs.len() as u64;
        if nodes * runs_count > MAX_NODES || bytes * runs_count > MAX_BYTES {
            return Err(lines.error("defaults", too_large()));
        }
        for (_, run) in runs.iter_mut() {
            if let Value::Mapping(own) = run {
                let mut filled = defaults.clone();
                merge(&mut filled, std::mem::take(own));
                *own = filled;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_joins_maps_and_replaces_choices() {
        let parse = |s: &str| serde_yaml::from_str::<Mapping>(s).unwrap();
        let mut base = parse("{a: 1, optimizer: {sgd: {lr: 1}}, train: {images: all, order: by_class}}");
        merge(&mut base, parse("{a: null, optimizer: {adam: {}}, train: {images: {first: 3}}}"));
        assert_eq!(base, parse("{optimizer: {adam: {}}, train: {images: {first: 3}, order: by_class}}"));
    }

    #[test]
    fn merging_joins_claims_and_conclusions_by_their_ids() {
        let parse = |s: &str| serde_yaml::from_str::<Mapping>(s).unwrap();
        let mut base = parse("{claims: [{id: a, quote: x, why: y}, {id: b}], seeds: [1]}");
        merge(&mut base, parse("{claims: [{id: c}, {id: a, quote: z}], seeds: [2]}"));
        assert_eq!(base, parse("{claims: [{id: a, quote: z, why: y}, {id: b}, {id: c}], seeds: [2]}"));

        // A kind makes the id, of the old item or of the new one.
        let mut base = parse("{conclusions: [overfits: a, better: b]}");
        merge(&mut base, parse("{conclusions: [{id: overfits-a, why: x}, {better: b, why: y}, learns: a]}"));
        let merged = "{conclusions: [{overfits: a, id: overfits-a, why: x}, {better: b, why: y}, learns: a]}";
        assert_eq!(base, parse(merged));
    }
}
