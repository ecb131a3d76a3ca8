//! `grid`: runs from lists of settings. `model: [mlp, cnn], batch_size: [32, 64]` makes four runs, `mlp-batch_size32` and so on.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use serde_yaml::{Mapping, Value};

use super::aliases::{MAX_BYTES, MAX_NODES, too_large};
use super::lines::Lines;
use super::merge::{merge, size};
use super::{Optimizer, Schedule, StudyError, TrainImages};

/// More runs than this are neither read in a report nor trained in a course.
const MAX_RUNS: usize = 100;
/// The key whose list is a value of its own: every run has all these seeds.
pub(super) const SEEDS: &str = "seeds";

/// What a study says itself of the runs that its grid makes: for each such run the settings that it changes, or `None` if it
/// removes the run.
pub(super) type GridChanges = IndexMap<String, Option<Vec<String>>>;

/// A grid as a study has it: settings of runs, where a list (except `seeds`) stands for each of its items.
pub type Grid = IndexMap<String, Json>;

/// A key of a grid with several values.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The key of a run, such as `optimizer`.
    pub key: String,
    /// The name of each value, such as `sgd`: a part of the names of its runs.
    pub names: Vec<String>,
}

/// A run of a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The run's name.
    pub run: String,
    /// For each axis, the place of its value.
    pub places: Vec<usize>,
}

/// The axes of a grid, in its order.
pub fn axes(grid: &Grid) -> Vec<Axis> {
    let lists = grid.iter().filter_map(|(key, value)| Some((key, list(key, value)?)));
    lists.map(|(key, values)| Axis { key: key.clone(), names: names(key, values) }).collect()
}

/// The runs of a grid: the last axis changes fastest.
pub fn cells(axes: &[Axis]) -> Vec<Cell> {
    let mut places: Vec<Vec<usize>> = vec![Vec::new()];
    for axis in axes {
        let extended = places.iter().flat_map(|start| {
            (0..axis.names.len()).map(move |place| start.iter().copied().chain([place]).collect::<Vec<usize>>())
        });
        places = extended.collect();
    }
    let name = |places: &[usize]| {
        let parts: Vec<&str> = axes.iter().zip(places).map(|(axis, place)| axis.names[*place].as_str()).collect();
        if parts.is_empty() { "run".to_owned() } else { parts.join("-") }
    };
    places.into_iter().map(|places| Cell { run: name(&places), places }).collect()
}

/// The values of a key that is an axis.
fn list<'a>(key: &str, value: &'a Json) -> Option<&'a Vec<Json>> {
    if key == SEEDS { None } else { value.as_array() }
}

/// The names of an axis's values: what stands first in each, and where that is the same, the settings in which they differ.
fn names(key: &str, values: &[Json]) -> Vec<String> {
    let leaves: Vec<Vec<(String, String)>> = values.iter().map(leaves_of).collect();
    let heads: Vec<String> = values.iter().map(|value| head(key, value)).collect();
    let (mut with_head, mut with_leaf) = (HashMap::new(), HashMap::new());
    for (head, leaves) in heads.iter().zip(&leaves) {
        *with_head.entry(head).or_insert(0) += 1;
        for leaf in leaves.iter().collect::<HashSet<_>>() {
            *with_leaf.entry((head, leaf)).or_insert(0) += 1;
        }
    }
    let name = |i: usize| {
        let own = leaves[i].iter().filter(|leaf| with_leaf[&(&heads[i], *leaf)] < with_head[&heads[i]]);
        let settings: Vec<String> = own.map(|(key, value)| slug(&format!("{key}{value}"))).collect();
        std::iter::once(heads[i].clone()).chain(settings).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    };
    (0..values.len()).map(name).collect()
}

/// What a value is called first: a word by itself, a number with its key, a choice such as `{sgd: ...}` by its word.
fn head(key: &str, value: &Json) -> String {
    match value {
        Json::String(text) => slug(text),
        Json::Bool(false) => slug(&format!("no-{key}")),
        Json::Object(map) if map.len() == 1 => map.keys().next().map(|word| slug(word)).unwrap_or_default(),
        Json::Bool(true) | Json::Object(_) | Json::Array(_) => slug(key),
        other => slug(&format!("{key}{other}")),
    }
}

/// The settings in a value, by their keys.
fn leaves_of(value: &Json) -> Vec<(String, String)> {
    fn add(key: &str, value: &Json, leaves: &mut Vec<(String, String)>) {
        match value {
            Json::Object(map) => map.iter().for_each(|(key, value)| add(key, value, leaves)),
            Json::String(text) => leaves.push((key.to_owned(), text.clone())),
            other => leaves.push((key.to_owned(), other.to_string())),
        }
    }
    let mut leaves = Vec::new();
    add("", value, &mut leaves);
    leaves
}

/// A text as a part of a run's name: letters, digits and `_`.
pub(super) fn slug(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// Adds the runs of `grid` to `runs`, which may change a run (`mlp-sgd: {epochs: 3}`) or remove it (`mlp-sgd: null`). The grid
/// stays, for the report. Returns these changes.
pub(super) fn expand(lines: &mut Lines, study: &mut Mapping) -> Result<GridChanges, StudyError> {
    let mut changed = GridChanges::new();
    let Some((typed, axes)) = read(lines, study)? else {
        study.shift_remove("grid");
        return Ok(changed);
    };
    let cells = cells(&axes);
    let (nodes, bytes) = size(&Value::Mapping(typed.clone()));
    if nodes * cells.len() as u64 > MAX_NODES || bytes * cells.len() as u64 > MAX_BYTES {
        return Err(lines.error("grid", too_large()));
    }
    let mut own = own_runs(lines, study)?;
    let mut runs = Mapping::new();
    for cell in &cells {
        let mut run = settings(&typed, &axes, cell);
        match own.shift_remove(cell.run.as_str()) {
            Some(Value::Null) => {
                changed.insert(cell.run.clone(), None);
                continue;
            }
            Some(Value::Mapping(changes)) => {
                let keys = changes.keys().filter_map(|key| key.as_str().map(str::to_owned)).collect();
                changed.insert(cell.run.clone(), Some(keys));
                // The run's name, the matrix and the ranking say what the grid says.
                if let Some(axis) = axes.iter().find(|axis| changes.contains_key(axis.key.as_str())) {
                    let message = format!(
                        "is set by `grid.{}`, and the run is named by it; add a run with another name",
                        axis.key
                    );
                    return Err(lines.error(&format!("runs.{}.{}", cell.run, axis.key), message));
                }
                merge(&mut run, changes);
            }
            Some(_) => {
                return Err(lines.error(&format!("runs.{}", cell.run), "must be a map of run settings, or `null`"));
            }
            None => {}
        }
        lines.add_grid_run(
            &cell.run,
            axes.iter().map(|axis| axis.key.clone()).zip(cell.places.iter().copied()).collect(),
        );
        runs.insert(cell.run.clone().into(), Value::Mapping(run));
    }
    if let Some((name, _)) = own.iter().find(|(_, run)| run.is_null()) {
        let name = name.as_str().unwrap_or_default();
        let runs = cells.iter().map(|cell| cell.run.as_str());
        let hint = crate::text::closest::did_you_mean(name, runs);
        return Err(lines.error(&format!("runs.{name}"), format!("removes a run that `grid` does not make{hint}")));
    }
    runs.extend(own);
    study.insert("runs".into(), Value::Mapping(runs));
    Ok(changed)
}

/// The grid of a study as it is typed, and its axes, if it has one.
pub(super) fn read(lines: &Lines, study: &Mapping) -> Result<Option<(Mapping, Vec<Axis>)>, StudyError> {
    let Some(grid) = study.get("grid").filter(|grid| !grid.is_null()) else { return Ok(None) };
    let Value::Mapping(typed) = grid else {
        return Err(lines.error("grid", "must be a map of run settings, such as `{model: [a, b], epochs: 2}`"));
    };
    let grid: Grid = serde_yaml::from_value(Value::Mapping(typed.clone()))
        .map_err(|e| lines.error("grid", format!("cannot be read: {e}")))?;
    // Before values are named and compared with one another.
    let lists: Vec<&Vec<Json>> = grid.iter().filter_map(|(key, value)| list(key, value)).collect();
    if lists.iter().any(|values| values.len() > MAX_RUNS) {
        return Err(too_many(lines, lists.iter().map(|values| values.len())));
    }
    let axes = axes(&grid);
    check(lines, &grid, &axes)?;
    Ok(Some((typed.clone(), axes)))
}

/// The names of the values of an axis; `None` if they are not values of JSON.
pub(super) fn names_of(key: &str, values: &[Value]) -> Option<Vec<String>> {
    let values: Option<Vec<Json>> = values.iter().map(|value| serde_json::to_value(value).ok()).collect();
    Some(names(key, &values?))
}

/// Takes what the study itself says of runs.
fn own_runs(lines: &Lines, study: &mut Mapping) -> Result<Mapping, StudyError> {
    match study.shift_remove("runs") {
        None | Some(Value::Null) => Ok(Mapping::new()),
        Some(Value::Mapping(runs)) => Ok(runs),
        Some(_) => Err(lines.error("runs", "must be a map of runs")),
    }
}

/// Keeps of what a study says of the runs of its grid what it can say of those of another grid with these axes: an axis decides its
/// setting, and a run that the other grid does not make has none.
pub(super) fn keep_changes(runs: &mut Mapping, changes: &GridChanges, axes: &[Axis]) {
    let made: HashSet<String> = cells(axes).into_iter().map(|cell| cell.run).collect();
    runs.retain(|run, _| run.as_str().is_none_or(|run| made.contains(run) || !changes.contains_key(run)));
    for (run, settings) in runs.iter_mut() {
        if let (Some(run), Value::Mapping(settings)) = (run.as_str(), settings)
            && made.contains(run)
        {
            settings.retain(|key, _| !axes.iter().any(|axis| key.as_str() == Some(&axis.key)));
        }
    }
}

/// The runs that a study removes (`runs: {mlp-sgd: null}`) and that the study which it extends does not list: those of a grid.
pub(super) fn removed_runs(base: &Mapping, over: &Mapping) -> Vec<Value> {
    let runs = |study: &Mapping| study.get("runs").and_then(Value::as_mapping).cloned().unwrap_or_default();
    let listed = runs(base);
    runs(over)
        .into_iter()
        .filter(|(name, run)| run.is_null() && !listed.contains_key(name))
        .map(|(name, _)| name)
        .collect()
}

/// Keeps in a merged study that these runs of its grid are removed: they are made only when the grid is expanded.
pub(super) fn keep_removed(merged: &mut Mapping, removed: Vec<Value>) {
    if !merged.contains_key("grid") || removed.is_empty() {
        return;
    }
    let runs = merged.entry("runs".into()).or_insert(Value::Mapping(Mapping::new()));
    if let Value::Mapping(runs) = runs {
        runs.extend(removed.into_iter().map(|name| (name, Value::Null)));
    }
}

/// A value of a run's key with its defaults filled in. One that is wrong stays as it is.
fn with_defaults(key: &str, value: &Json) -> Json {
    fn read<T: DeserializeOwned + Serialize>(value: &Json) -> Option<Json> {
        serde_json::to_value(T::deserialize(value).ok()?).ok()
    }
    let filled = match key {
        "optimizer" => read::<Optimizer>(value),
        "schedule" => read::<Schedule>(value),
        "train" => read::<TrainImages>(value),
        _ => None,
    };
    filled.unwrap_or_else(|| value.clone())
}

/// A value as YAML on a line.
fn flow(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// The first list inside a value that was almost certainly meant as a list of the grid, with the value that has its first or second
/// item instead: no setting inside another one is a list, except `betas`.
fn inner_list(path: &str, value: &Json) -> Option<(String, [Json; 2])> {
    let Json::Object(map) = value else { return None };
    map.iter().find_map(|(key, inner)| {
        let with = |item: &Json| {
            let mut one = map.clone();
            one.insert(key.clone(), item.clone());
            Json::Object(one)
        };
        let path = format!("{path}.{key}");
        match inner {
            Json::Array(items) if key != "betas" => {
                let first = items.first()?;
                Some((path, [with(first), with(items.get(1).unwrap_or(first))]))
            }
            other => inner_list(&path, other).map(|(path, [one, two])| (path, [with(&one), with(&two)])),
        }
    })
}

/// Refuses lists inside values: they are not lists of the grid.
fn check_inner_lists(lines: &Lines, grid: &Grid) -> Result<(), StudyError> {
    for (key, value) in grid {
        let at = format!("grid.{key}");
        let items = match list(key, value) {
            Some(items) => items.iter().enumerate().map(|(i, item)| (format!("{at}[{i}]"), item)).collect(),
            None => vec![(at, value)],
        };
        if let Some((path, [one, two])) = items.into_iter().find_map(|(at, item)| inner_list(&at, item)) {
            let message = format!(
                "only a key of the grid itself may list values; write `{key}: [{}, {}, ...]`",
                flow(&one),
                flow(&two)
            );
            return Err(lines.error(&path, message));
        }
    }
    Ok(())
}

fn check(lines: &Lines, grid: &Grid, axes: &[Axis]) -> Result<(), StudyError> {
    if grid.contains_key("title") {
        return Err(
            lines.error("grid.title", "the runs of a grid are named by their values; give one a title in `runs`")
        );
    }
    check_inner_lists(lines, grid)?;
    for (axis, values) in axes.iter().zip(grid.iter().filter_map(|(key, value)| list(key, value))) {
        let at = |i: usize| format!("grid.{}[{i}]", axis.key);
        if values.is_empty() {
            return Err(lines.error(&format!("grid.{}", axis.key), "lists nothing; list values, or leave it out"));
        }
        let filled: Vec<Json> = values.iter().map(|value| with_defaults(&axis.key, value)).collect();
        for (i, name) in axis.names.iter().enumerate() {
            if let Some(j) = filled[..i].iter().position(|other| *other == filled[i]) {
                let shown = flow(&values[i]);
                let defaults = if values[j] == values[i] { "" } else { " (defaults are filled in)" };
                return Err(lines.error(&at(i), format!("`{shown}` is listed twice: {} is the same{defaults}", at(j))));
            }
            if let Some(j) = axis.names[..i].iter().position(|other| other == name) {
                let message =
                    format!("its runs would be named `{name}`, as those of {}: write these runs in `runs`", at(j));
                return Err(lines.error(&at(i), message));
            }
        }
    }
    let count = axes.iter().try_fold(1usize, |product, axis| product.checked_mul(axis.names.len()));
    match count {
        Some(count) if count <= MAX_RUNS => {}
        _ => return Err(too_many(lines, axes.iter().map(|axis| axis.names.len()))),
    }
    let cells = cells(axes);
    match (1..cells.len()).find(|i| cells[..*i].iter().any(|other| other.run == cells[*i].run)) {
        Some(i) => {
            Err(lines.error("grid", format!("two runs would be named `{}`: write them in `runs`", cells[i].run)))
        }
        None => Ok(()),
    }
}

fn too_many(lines: &Lines, sizes: impl Iterator<Item = usize>) -> StudyError {
    let sizes: Vec<String> = sizes.map(|size| size.to_string()).collect();
    lines.error("grid", format!("{} runs: at most {MAX_RUNS}; use shorter lists", sizes.join(" × ")))
}

/// The settings of a run: the value of each axis, and what all runs have.
fn settings(typed: &Mapping, axes: &[Axis], cell: &Cell) -> Mapping {
    let place = |key: &str| axes.iter().position(|axis| axis.key == key).map(|axis| cell.places[axis]);
    let value = |(key, value): (&Value, &Value)| {
        let chosen = match (value, key.as_str().and_then(place)) {
            (Value::Sequence(items), Some(place)) => items[place].clone(),
            _ => value.clone(),
        };
        (key.clone(), chosen)
    };
    typed.iter().map(value).collect()
}

#[cfg(test)]
mod tests;
