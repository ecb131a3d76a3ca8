//! Assignments: which keys of a study are the student's to change (`free`), and how a study that was handed in differs from the
//! one that was handed out.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::grid::{Grid, SEEDS, axes};
use super::images::image_keys;
use super::spec::Study;
use super::yaml::DATA;
use super::{Picture, Source, StudyError, read_images};
use crate::changes::{Change, changes};
use crate::text::Lang;
use crate::text::closest::did_you_mean;
use crate::text::terminal::cut;

/// Each pattern is compared with every key of the study.
const MAX_FREE: usize = 100;
/// Characters of a value in a result.
const MAX_VALUE: usize = 1000;

/// A key under which two studies differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyDifference {
    /// The key's path, such as `runs.slim.epochs`.
    pub key: String,
    /// The assignment's value; `null` if it has no such key.
    pub assignment: Value,
    /// The value that was handed in; `null` if there is no such key.
    pub handed_in: Value,
}

impl KeyDifference {
    /// Replaces values with many bytes by the start of their JSON, so that a hostile study does not fill a result.
    pub fn shorten(&mut self) {
        for value in [&mut self.assignment, &mut self.handed_in] {
            let text = value.to_string();
            if text.len() > MAX_VALUE {
                *value = Value::String(cut(&text, MAX_VALUE));
            }
        }
        self.key = cut(&self.key, MAX_VALUE);
    }
}

/// How a study differs from an assignment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Differences {
    /// Under keys that must be equal.
    pub forbidden: Vec<KeyDifference>,
    /// Under keys that the assignment leaves free.
    pub free: Vec<KeyDifference>,
}

impl Differences {
    /// Compares a study with the assignment, in each language that both have. Defaults are filled in, so a key with its default
    /// value equals a key that is left out, and the order of keys does not matter.
    ///
    /// # Errors
    /// A study that cannot be read in one of its languages.
    pub fn between(assignment: &Source, handed_in: &Source) -> Result<Self, StudyError> {
        let free: Vec<Vec<&str>> = assignment.study.free.iter().map(|pattern| parts(pattern)).collect();
        let (mut seen, mut differences) = (HashSet::new(), Self::default());
        for change in changes_between(assignment, handed_in)? {
            let key = parts(&change.what);
            let is_free = free.iter().any(|pattern| frees(pattern, &key));
            let list = if is_free { &mut differences.free } else { &mut differences.forbidden };
            if seen.insert(change.what.clone()) {
                list.push(KeyDifference { key: change.what, assignment: change.a, handed_in: change.b });
            }
        }
        Ok(differences)
    }
}

/// Every difference of two studies: of their grids as they are typed, and of everything else as it is resolved, with the settings of
/// every run filled in.
///
/// If both have a grid, the runs are compared with those that the assignment makes with the grid that was handed in. So a difference
/// of the grids counts once, as a key of `grid`, and whatever else decides a run counts as a key of that run: `defaults`, what a
/// study says of single runs, `null`, merge keys, and the order in which they are merged.
fn changes_between(assignment: &Source, handed_in: &Source) -> Result<Vec<Change>, StudyError> {
    let grids = [assignment, handed_in].map(|source| {
        let grid = serde_json::to_value(&source.study.grid).unwrap_or_default();
        if grid.is_null() { grid } else { with_typed_nulls(grid) }
    });
    let have_grids = grids.iter().all(|grid| !grid.is_null());
    let mut all = if have_grids { changes("grid", &grids[0], &grids[1]) } else { Vec::new() };
    if !have_grids && grids[0] != grids[1] {
        // The same runs typed out, but without the tables that rank them and correct for many comparisons.
        let [a, b] = grids.clone();
        all.push(Change { what: "grid".to_owned(), a, b });
    }
    // The order of the lists decides the names of the runs, and rows and columns of tables.
    let orders = [assignment, handed_in].map(|source| source.study.grid.as_ref().map(list_keys).unwrap_or_default());
    let are_same_lists = |[a, b]: &[Vec<String>; 2]| a.len() == b.len() && a.iter().all(|key| b.contains(key));
    if have_grids && orders[0] != orders[1] && are_same_lists(&orders) {
        let [a, b] = orders.map(Value::from);
        all.push(Change { what: "grid".to_owned(), a, b });
    }
    let has_both = |lang: &Lang| handed_in.languages.all().contains(lang);
    let common: Vec<Lang> = assignment.languages.all().iter().copied().filter(has_both).collect();
    let in_language = |source: &Source, lang: Option<Lang>| lang.map(|lang| source.in_language(lang)).transpose();
    let langs = if common.is_empty() { vec![None] } else { common.into_iter().map(Some).collect() };
    for lang in langs {
        let theirs = in_language(handed_in, lang)?;
        let theirs = without_grid(theirs.as_ref().unwrap_or(handed_in));
        let expected = if have_grids {
            let Ok(expected) = assignment.with_grid_of(handed_in, lang) else {
                // The assignment's other settings cannot go with that grid.
                let [a, b] = grids.clone();
                all.push(Change { what: "grid".to_owned(), a, b });
                continue;
            };
            expected
        } else {
            assignment.in_language(lang.unwrap_or(assignment.study.lang))?
        };
        all.extend(changes("", &without_grid(&expected), &theirs));
    }
    Ok(all)
}

/// The keys of a grid that have lists, in their order.
fn list_keys(grid: &Grid) -> Vec<String> {
    axes(grid).into_iter().map(|axis| axis.key).collect()
}

/// A grid in which each `null` is a text. It cancels what `defaults` says, so it is not the same as a key that is left out.
fn with_typed_nulls(value: Value) -> Value {
    match value {
        Value::Null => Value::from("null"),
        Value::Array(items) => items.into_iter().map(with_typed_nulls).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, with_typed_nulls(value))).collect(),
        other => other,
    }
}

/// Whether an assignment leaves to students who they are: a key of the title block that says so.
pub fn frees_names(assignment: &Source) -> bool {
    let patterns = assignment.study.free.iter().map(|pattern| parts(pattern));
    patterns.into_iter().any(|pattern| ["author", "group"].iter().any(|name| covers(&pattern, &[name])))
}

/// Checks that each pattern of `free` names a key of the study: with a typo, a key would stay fixed without anyone noticing.
pub(super) fn check_free(source: &Source) -> Result<(), StudyError> {
    let study = &source.study;
    if study.free.is_empty() {
        return Ok(());
    }
    if study.free.len() > MAX_FREE {
        return Err(source.error("free", format!("{}: at most {MAX_FREE} patterns; use `*`", study.free.len())));
    }
    let mut keys = Vec::new();
    collect_keys("", &json(source), &mut keys);
    let in_parts: Vec<Vec<&str>> = keys.iter().map(|key| parts(key)).collect();
    for (i, pattern) in study.free.iter().enumerate() {
        let pattern_parts = parts(pattern);
        let is_key = |key: &Vec<&str>| key.len() == pattern_parts.len() && covers(&pattern_parts, key);
        if pattern_parts[0] != DATA && !in_parts.iter().any(is_key) {
            let advice = match pattern_parts[0] {
                "defaults" => "; `defaults` are part of each run: write `runs.*.` and the setting".to_owned(),
                _ => did_you_mean(pattern, keys.iter().map(String::as_str)),
            };
            return Err(source.error(format!("free[{i}]"), format!("`{pattern}` matches no key of this study{advice}")));
        }
    }
    Ok(())
}

/// A study in one of its languages, with the list of all its languages.
fn json(source: &Source) -> Value {
    let mut value = serde_json::to_value::<&Study>(&source.study).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        // `free` itself and where the data lie on a machine are not compared.
        map.shift_remove("free");
        match source.study.pinned() {
            Some(_) => _ = map.get_mut("data").and_then(Value::as_object_mut).map(|data| data.shift_remove("dir")),
            None => _ = map.shift_remove("data"),
        }
        map.insert("lang".to_owned(), serde_json::to_value(&source.languages).unwrap_or_default());
    }
    value
}

/// As [`json`], where `grid` is left out: its runs are among the others.
fn without_grid(source: &Source) -> Value {
    let mut value = json(source);
    value.as_object_mut().map(|map| map.shift_remove("grid"));
    value
}

/// The images that an assignment's fixed texts show.
///
/// # Errors
/// An image that cannot be read.
pub fn fixed_images(assignment: &Source) -> Result<BTreeMap<String, Picture>, StudyError> {
    let free: Vec<Vec<&str>> = assignment.study.free.iter().map(|pattern| parts(pattern)).collect();
    let is_fixed = |key: &String| !free.iter().any(|pattern| frees(pattern, &parts(key)));
    let mut images = read_images(assignment)?;
    let keys = image_keys(assignment)?;
    images.retain(|file, _| keys.get(file).is_some_and(|keys| keys.iter().any(is_fixed)));
    Ok(images)
}

/// The paths of all keys and items, except those below `values`, which may have any form and size.
fn collect_keys(path: &str, value: &Value, keys: &mut Vec<String>) {
    let mut add = |inner: String, value: &Value| {
        if inner != DATA {
            collect_keys(&inner, value, keys);
        }
        keys.push(inner);
    };
    match value {
        Value::Object(map) if path.is_empty() => map.iter().for_each(|(key, value)| add(key.clone(), value)),
        Value::Object(map) => map.iter().for_each(|(key, value)| add(format!("{path}.{key}"), value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| add(format!("{path}[{i}]"), item)),
        _ => {}
    }
}

/// The parts of a path or pattern: `a`, `b` and `0]` of `a.b[0]`. Names of models and runs have neither points nor brackets.
fn parts(path: &str) -> Vec<&str> {
    path.split(['.', '[']).collect()
}

/// Whether a pattern names a key or one above it. `*` stands for any characters of one part.
fn covers(pattern: &[&str], key: &[&str]) -> bool {
    pattern.len() <= key.len() && pattern.iter().zip(key).all(|(pattern, part)| is_match(pattern, part))
}

/// As [`covers`]; a pattern that frees a setting of every run (`runs.*.epochs`) frees it in `grid`, too.
fn frees(pattern: &[&str], key: &[&str]) -> bool {
    let of_grid = || match (pattern, key) {
        (["runs", "*", pattern @ ..], ["grid", key @ ..]) => {
            let in_list = |item: &&str| item.ends_with(']');
            // In a list of the grid, each item is a value of the setting.
            let value = match key {
                [first, item, below @ ..] if in_list(item) && *first != SEEDS => [&[*first], below].concat(),
                key => key.to_vec(),
            };
            covers(pattern, &value)
        }
        _ => false,
    };
    covers(pattern, key) || of_grid()
}

fn is_match(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    // The first place of each piece leaves the most text to the others.
    for piece in pieces {
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests;
