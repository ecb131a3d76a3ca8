//! Assignments: which keys of a study are the student's to change (`free`), and how a study that was handed in differs from the
//! one that was handed out.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::grid::{SEEDS, axes, cells};
use super::images::image_keys;
use super::spec::Study;
use super::yaml::DATA;
use super::{Picture, Source, StudyError, read_images};
use crate::changes::{Change, changes};
use crate::text::closest::did_you_mean;
use crate::text::terminal::cut;

/// Each pattern is compared with every key of the study.
const MAX_FREE: usize = 100;
/// Characters of a value in a result.
const MAX_VALUE: usize = 1000;

/// A key under which two studies differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The key's path, such as `runs.slim.epochs`.
    pub key: String,
    /// The assignment's value; `null` if it has no such key.
    pub assignment: Value,
    /// The value that was handed in; `null` if there is no such key.
    pub handed_in: Value,
}

impl Difference {
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
    pub forbidden: Vec<Difference>,
    /// Under keys that the assignment leaves free.
    pub free: Vec<Difference>,
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
        let has_both = |lang| handed_in.languages.all().contains(lang);
        let common: Vec<_> = assignment.languages.all().iter().filter(|lang| has_both(*lang)).copied().collect();
        // Grids are compared as typed where both studies have one, otherwise by their runs.
        let have_grids = [assignment, handed_in].iter().all(|source| source.study.grid.is_some());
        let json = |source: &Source| if have_grids { with_grid(source) } else { without_grid(source) };
        let pairs = match common.as_slice() {
            [] => vec![(json(assignment), json(handed_in))],
            common => common
                .iter()
                .map(|lang| Ok((json(&assignment.in_language(*lang)?), json(&handed_in.in_language(*lang)?))))
                .collect::<Result<_, StudyError>>()?,
        };
        let mut all: Vec<Change> = pairs.iter().flat_map(|(a, b)| changes("", a, b)).collect();
        if have_grids {
            all.extend(grid_run_changes(assignment, handed_in));
        }
        for change in all {
            let is_free = free.iter().any(|pattern| frees(pattern, &parts(&change.what)));
            let list = if is_free { &mut differences.free } else { &mut differences.forbidden };
            if seen.insert(change.what.clone()) {
                list.push(Difference { key: change.what, assignment: change.a, handed_in: change.b });
            }
        }
        Ok(differences)
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
    for (i, pattern) in study.free.iter().enumerate() {
        let pattern_parts = parts(pattern);
        let is_key = |key: &String| {
            let key = parts(key);
            key.len() == pattern_parts.len() && covers(&pattern_parts, &key)
        };
        if pattern_parts[0] != DATA && !keys.iter().any(is_key) {
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

/// As [`json`], where `runs` has only what the study itself says of them. `grid` has the rest.
fn with_grid(source: &Source) -> Value {
    let mut value = json(source);
    let Some(runs) = value.get_mut("runs").and_then(Value::as_object_mut) else { return value };
    for run in made_by_grid(source) {
        match source.grid_changes.get(&run) {
            None => _ = runs.shift_remove(&run),
            Some(Some(changed)) => {
                if let Some(settings) = runs.get_mut(&run).and_then(Value::as_object_mut) {
                    settings.retain(|key, _| changed.contains(key));
                }
            }
            Some(None) => _ = runs.insert(run, Value::from("removed")),
        }
    }
    value
}

/// The names of the runs that a study's grid makes, also of those that the study removes.
fn made_by_grid(source: &Source) -> Vec<String> {
    let made = source.study.grid.as_ref().map(|grid| cells(&axes(grid))).unwrap_or_default();
    made.into_iter().map(|cell| cell.run).collect()
}

/// What two studies with grids say of the grids' runs elsewhere than in `grid` and `runs`, such as in `defaults`: the differences of
/// a run that neither of them changes. Those of what the grids themselves say are left out.
fn grid_run_changes(assignment: &Source, handed_in: &Source) -> Vec<Change> {
    let unchanged = |source: &Source| -> Vec<String> {
        made_by_grid(source).into_iter().filter(|run| !source.grid_changes.contains_key(run)).collect()
    };
    let [ours, theirs] = [unchanged(assignment), unchanged(handed_in)];
    let common = ours.iter().find(|run| theirs.contains(run));
    let (Some(our), Some(their)) = (common.or(ours.first()), common.or(theirs.first())) else {
        return differing_everywhere(assignment, handed_in);
    };
    let grids = [assignment, handed_in].map(|source| serde_json::to_value(&source.study.grid).unwrap_or_default());
    let [a, b] = [(assignment, our), (handed_in, their)]
        .map(|(source, run)| json(source).pointer_mut(&format!("/runs/{run}")).map(Value::take).unwrap_or_default());
    let mut all = changes("", &a, &b);
    all.retain(|change| !differs_at(&grids[0], &grids[1], &change.what));
    for change in &mut all {
        change.what = format!("runs.{our}.{}", change.what);
    }
    all
}

/// The differences of all runs that both grids make, where the studies change all of them.
fn differing_everywhere(assignment: &Source, handed_in: &Source) -> Vec<Change> {
    let [mut a, mut b] = [assignment, handed_in].map(|source| json(source)["runs"].take());
    let made = [made_by_grid(assignment), made_by_grid(handed_in)];
    for runs in [&mut a, &mut b] {
        if let Some(runs) = runs.as_object_mut() {
            runs.retain(|run, _| made.iter().all(|made| made.contains(run)));
        }
    }
    changes("runs", &a, &b)
}

/// Whether two grids say different things of a setting of a run: of the setting itself, or of one that it is a part of. A list of a
/// grid is a value of its own.
fn differs_at(a: &Value, b: &Value, path: &str) -> bool {
    let (mut a, mut b) = (Some(a), Some(b));
    for part in parts(path) {
        let (Some(one), Some(other)) = (a, b) else { return a.is_some_and(is_said) || b.is_some_and(is_said) };
        if one == other {
            return false;
        }
        match (one, other) {
            (Value::Object(one), Value::Object(other)) => (a, b) = (one.get(part), other.get(part)),
            _ => return true,
        }
    }
    a.filter(|value| is_said(value)) != b.filter(|value| is_said(value))
}

/// `null` cancels what a default says, and says nothing itself.
fn is_said(value: &Value) -> bool {
    !value.is_null()
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
