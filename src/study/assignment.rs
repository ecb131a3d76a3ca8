//! Assignments: which keys of a study are the student's to change (`free`), and how a study that was handed in differs from the
//! one that was handed out.
//!
//! Longer than 400 lines because it has the whole comparison: patterns, keys and values.

use std::collections::{BTreeMap, HashSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::grid::{Grid, SEEDS, axes};
use super::images::image_keys;
use super::spec::Study;
use super::yaml::DATA;
use super::{Optimizer, Picture, Schedule, Source, StudyError, read_images};
use crate::changes::{Change, changes};
use crate::model::LayerKind;
use crate::text::Lang;
use crate::text::closest::{DID_YOU_MEAN, closest, did_you_mean};
use crate::text::terminal::cut;

/// Each pattern is compared with every key of the study.
const MAX_FREE: usize = 100;
/// Characters of a value in a result.
const MAX_VALUE: usize = 1000;
/// Near keys that an error lists.
const MOST_NEAR: usize = 8;
/// The texts in which students say who they are and what they think.
const OWN_WORDS: [&str; 6] = ["author", "group", "description", "text", "why", "discussion"];

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
    /// Leaves out settings that have their default, as most studies do. Replaces values with many bytes by the start of their YAML, so
    /// that a hostile study does not fill a result.
    pub fn shorten(&mut self) {
        let word = self.key.rsplit('.').next().unwrap_or_default();
        for value in [&mut self.assignment, &mut self.handed_in] {
            *value = settings_as_written(word, value);
            let text = flow(value);
            if text.len() > MAX_VALUE {
                *value = Value::String(cut(&text, MAX_VALUE));
            }
        }
        self.key = cut(&self.key, MAX_VALUE);
    }

    /// The assignment's value and the one that was handed in, as YAML in one line; `None` without such a key.
    pub fn in_yaml(&self) -> [Option<String>; 2] {
        [&self.assignment, &self.handed_in].map(|value| match value {
            Value::Null => None,
            Value::String(text) => Some(quoted(text)),
            value => Some(flow(value)),
        })
    }
}

/// A value in one line of YAML, as a study writes it.
pub fn as_yaml(value: &Value) -> String {
    flow(&as_written(value))
}

/// A value as a study writes it: settings of layers, optimizers and schedules that have their default are left out, and one without
/// settings is a word.
fn as_written(value: &Value) -> Value {
    let of_type = || {
        shortest::<LayerKind>(value).or_else(|| shortest::<Optimizer>(value)).or_else(|| shortest::<Schedule>(value))
    };
    match value {
        Value::Array(items) => items.iter().map(as_written).collect(),
        Value::Object(map) => {
            if map.len() == 1
                && let Some(found) = of_type()
            {
                return found;
            }
            let is_set = map.iter().filter(|(_, value)| !value.is_null());
            is_set.map(|(key, value)| (key.clone(), as_written(value))).collect()
        }
        other => other.clone(),
    }
}

/// As [`as_written`], of a value whose key is `word`: it may be the settings of that layer, optimizer or schedule.
fn settings_as_written(word: &str, value: &Value) -> Value {
    match as_written(&serde_json::json!({word: value})) {
        Value::Object(mut map) => map.shift_remove(word).unwrap_or_default(),
        // All settings have their defaults.
        _ => serde_json::json!({}),
    }
}

/// A layer, an optimizer or a schedule without the settings that have their default; `None` of another type.
fn shortest<T: DeserializeOwned + Serialize>(value: &Value) -> Option<Value> {
    let read = |value: &Value| serde_json::to_value(serde_json::from_value::<T>(value.clone()).ok()?).ok();
    let (word, settings) = value.as_object()?.iter().next()?;
    read(value).filter(|same| same == value)?;
    let mut left = settings.as_object()?.clone();
    for key in settings.as_object()?.keys() {
        let mut fewer = left.clone();
        fewer.shift_remove(key);
        if read(&serde_json::json!({word: fewer})).as_ref() == Some(value) {
            left = fewer;
        }
    }
    let left: Map<String, Value> = left.into_iter().map(|(key, value)| (key, as_written(&value))).collect();
    Some(if left.is_empty() { Value::from(word.as_str()) } else { serde_json::json!({word: left}) })
}

/// A value as YAML in one line: `[flatten, {linear: {out_features: 10}}]`.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let keys = map.iter().map(|(key, value)| format!("{}: {}", flow(&Value::from(key.as_str())), flow(value)));
            format!("{{{}}}", keys.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A text in quotation marks. JSON's are YAML's, too.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether YAML reads a text without quotation marks as this text.
fn is_plain(text: &str) -> bool {
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    is_word && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str())
}

/// How a study differs from an assignment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Differences {
    /// Under keys that must be equal.
    pub forbidden: Vec<KeyDifference>,
    /// Under keys that the assignment leaves free.
    pub free: Vec<KeyDifference>,
    /// Free keys of texts in a student's own words that are as the assignment has them.
    #[serde(default)]
    pub unchanged: Vec<String>,
    /// Languages of the study that the assignment does not have: texts in them are not compared.
    #[serde(default)]
    pub languages_not_compared: Vec<String>,
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
        let Changes { all, never_free } = changes_between(assignment, handed_in)?;
        let forbidden = never_free.len();
        for (i, change) in never_free.into_iter().chain(all).enumerate() {
            let key = parts(&change.what);
            let is_free = i >= forbidden && free.iter().any(|pattern| frees(pattern, &key));
            let list = if is_free { &mut differences.free } else { &mut differences.forbidden };
            if seen.insert(change.what.clone()) {
                list.push(KeyDifference { key: change.what, assignment: change.a, handed_in: change.b });
            }
        }
        let is_free = |key: &String| free.iter().any(|pattern| frees(pattern, &parts(key)));
        // A list of another length differs as a whole, and a list of authors item by item.
        let is_changed = |key: &String| seen.iter().any(|changed| is_at(changed, key) || is_at(key, changed));
        differences.unchanged = own_texts("", &json(assignment));
        differences.unchanged.retain(|key| is_free(key) && !is_changed(key));
        let added = handed_in.languages.all().iter().filter(|lang| !assignment.languages.all().contains(lang));
        differences.languages_not_compared = added.map(|lang| lang.code().to_owned()).collect();
        Ok(differences)
    }
}

/// Whether a key is another one, or is above it.
fn is_at(above: &str, key: &str) -> bool {
    key.strip_prefix(above).is_some_and(|below| below.is_empty() || below.starts_with(['.', '[']))
}

/// The keys of the texts that students write.
fn own_texts(path: &str, value: &Value) -> Vec<String> {
    let of = |key: &str, word: &str, value: &Value| match value {
        Value::Null => Vec::new(),
        _ if OWN_WORDS.contains(&word) => vec![key.to_owned()],
        _ if key == DATA => Vec::new(),
        _ => own_texts(key, value),
    };
    match value {
        Value::Object(map) => {
            let start = if path.is_empty() { String::new() } else { format!("{path}.") };
            map.iter().flat_map(|(key, value)| of(&format!("{start}{key}"), key, value)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(i, item)| of(&format!("{path}[{i}]"), "", item)).collect()
        }
        _ => Vec::new(),
    }
}

/// What differs between an assignment and a study.
struct Changes {
    all: Vec<Change>,
    /// Changes after which not everything can be compared, so that no assignment frees them.
    never_free: Vec<Change>,
}

/// Every difference of two studies: of their grids as they are typed, and of everything else as it is resolved, with the settings of
/// every run filled in.
///
/// If both have a grid, the runs are compared with those that the assignment makes with the grid that was handed in. So a difference
/// of the grids counts once, as a key of `grid`, and whatever else decides a run counts as a key of that run: `defaults`, what a
/// study says of single runs, `null`, merge keys, and the order in which they are merged.
fn changes_between(assignment: &Source, handed_in: &Source) -> Result<Changes, StudyError> {
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
    let mut never_free = Vec::new();
    for lang in langs {
        let theirs = in_language(handed_in, lang)?;
        let theirs = without_grid(theirs.as_ref().unwrap_or(handed_in));
        let expected = if have_grids {
            let Ok(expected) = assignment.with_grid_of(handed_in, lang) else {
                // The assignment's other settings cannot go with that grid, so it gives no runs to compare with.
                let [a, b] = grids.clone();
                never_free.push(Change { what: "grid".to_owned(), a, b });
                let assigned = assignment.in_language(lang.unwrap_or(assignment.study.lang))?;
                let [assigned, theirs] = [without_grid(&assigned), theirs].map(without_runs);
                all.extend(changes("", &assigned, &theirs));
                continue;
            };
            expected
        } else {
            assignment.in_language(lang.unwrap_or(assignment.study.lang))?
        };
        all.extend(changes("", &without_grid(&expected), &theirs));
    }
    Ok(Changes { all, never_free })
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
                _ => {
                    near_keys(pattern, study).unwrap_or_else(|| did_you_mean(pattern, keys.iter().map(String::as_str)))
                }
            };
            return Err(source.error(format!("free[{i}]"), format!("`{pattern}` matches no key of this study{advice}")));
        }
    }
    Ok(())
}

/// `; did you mean ...?`, with a key of each model or run, if a pattern names one that the study does not have and that is no typo.
fn near_keys(pattern: &str, study: &Study) -> Option<String> {
    let (list, rest) = pattern.split_once('.')?;
    let (name, below) = rest.split_once('.').map_or((rest, None), |(name, below)| (name, Some(below)));
    let names: Vec<&str> = match list {
        "models" => study.models.keys().map(String::as_str).collect(),
        "runs" => study.runs.keys().map(String::as_str).collect(),
        _ => return None,
    };
    let is_typo = || closest(name, names.iter().copied()).is_some();
    if names.is_empty() || names.contains(&name) || name.contains('*') || is_typo() {
        return None;
    }
    let below = below.map(|below| format!(".{below}")).unwrap_or_default();
    let key = |name: &&str| format!("`{list}.{name}{below}`");
    let near = names.iter().take(MOST_NEAR).map(key).collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(MOST_NEAR);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(match names.len() {
        1 => format!("; {DID_YOU_MEAN} {near}?"),
        _ => format!("; {DID_YOU_MEAN} one of {near}{more}?"),
    })
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

fn without_runs(mut study: Value) -> Value {
    study.as_object_mut().map(|map| map.shift_remove("runs"));
    study
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
