//! Removes runs from a study, with what names them: `only` keeps the others.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_yaml::{Mapping, Value};

use super::cells;
use super::conclusion::{Conclusion, Kind};
use super::grid::{self, Axis};
use super::lines::{Lines, join};
use super::mentions::{in_texts, keep_paragraphs, names};

/// Names of one kind that the note lists.
const MOST: usize = 8;
pub(super) const RUNS: &str = "runs";
const COMPARISONS: &str = "comparisons";
const MODELS: &str = "models";
/// Kinds of conclusions about one run, and about one comparison.
const ABOUT_A_RUN: [&str; 3] = ["overfits", "overfitting_starts", "learns"];
const ABOUT_A_COMPARISON: [&str; 2] = ["keeps_accuracy", "better"];
/// Figures that need comparisons, and tables that need a grid.
const OF_COMPARISONS: [&str; 2] = ["gain", "disagreements"];
const OF_A_GRID: [&str; 2] = ["ranking", "matrix"];

/// A word, or a number that is one.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Something that was left out: its kind, its name, and the place where it stands.
pub(super) type Told = (&'static str, String, String);

/// `runs b (base.yaml:4), c (base.yaml:5); comparison d (base.yaml:9)`.
pub(super) fn in_words(told: &[Told]) -> String {
    let kinds = told.chunk_by(|a, b| a.0 == b.0).map(|of| {
        let named = of.iter().take(MOST).map(|(_, name, place)| format!("{name} ({place})"));
        let mut list = named.collect::<Vec<_>>().join(", ");
        if of.len() > MOST {
            let _ = write!(list, " and {} more", of.len() - MOST);
        }
        format!("{}{} {list}", of[0].0, if of.len() > 1 { "s" } else { "" })
    });
    kinds.collect::<Vec<_>>().join("; ")
}

/// A merged study from which runs are removed.
pub(super) struct Removal<'a> {
    lines: &'a mut Lines,
    /// The file that asks for it, among those that extend each other.
    file: usize,
    pub(super) study: &'a mut Mapping,
    /// What was removed: `runs` and a name, `comparisons` and a name, `models` and a name.
    gone: Vec<(&'static str, String)>,
    told: Vec<Told>,
}

impl<'a> Removal<'a> {
    pub(super) fn new(lines: &'a mut Lines, file: usize, study: &'a mut Mapping) -> Self {
        Self { lines, file, study, gone: Vec::new(), told: Vec::new() }
    }

    /// Removes what names only removed runs, except models and texts.
    pub(super) fn what_names_them(&mut self) {
        self.comparisons();
        self.claims();
        let renamed = self.conclusions();
        self.sections(&renamed);
    }

    /// Removes paragraphs and patterns, and returns all that was left out.
    pub(super) fn finish(mut self) -> Vec<Told> {
        self.texts();
        self.free();
        self.told
    }

    fn is_gone(&self, group: &str, name: &Value) -> bool {
        text(name).is_some_and(|name| self.gone.iter().any(|(of, other)| *of == group && *other == name))
    }

    /// Whether an expression, or one of several texts, names something that was removed.
    fn names_gone(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.gone.iter().any(|(group, name)| names(text, group, name)),
            Value::Sequence(items) => items.iter().any(|item| self.names_gone(item)),
            Value::Mapping(map) => map.values().any(|item| self.names_gone(item)),
            _ => false,
        }
    }

    fn tell(&mut self, kind: &'static str, name: String, key: &str) {
        self.told.push((kind, name, self.lines.place(key)));
    }

    /// Removes runs. `made` are those that the grid makes.
    pub(super) fn runs(&mut self, dropped: &[String], made: &[String], axes: &[Axis]) {
        for name in dropped {
            let key = if made.contains(name) { "grid".to_owned() } else { join(RUNS, name) };
            self.tell("run", name.clone(), &key);
            self.gone.push((RUNS, name.clone()));
        }
        let left: Vec<String> = made.iter().filter(|name| !dropped.contains(name)).cloned().collect();
        let runs = self.study.entry(RUNS.into()).or_insert(Value::Mapping(Mapping::new()));
        let Value::Mapping(runs) = runs else { return };
        let is_kept = |name: &String| left.contains(name) && !runs.get(name.as_str()).is_some_and(Value::is_null);
        let kept: Vec<String> = made.iter().filter(|name| is_kept(name)).cloned().collect();
        for name in dropped {
            runs.shift_remove(name.as_str());
        }
        let remaining = if kept.is_empty() {
            self.study.shift_remove("grid");
            Vec::new()
        } else {
            self.values(axes, &kept)
        };
        let Some(Value::Mapping(runs)) = self.study.get_mut(RUNS) else { return };
        runs.retain(|name, run| !run.is_null() || text(name).is_some_and(|name| remaining.contains(&name)));
        for name in remaining.into_iter().filter(|name| dropped.contains(name)) {
            runs.insert(name.into(), Value::Null);
        }
    }

    /// Removes the values of the grid that no kept run has, if the others keep their names. Returns the runs that the grid then makes.
    fn values(&mut self, axes: &[Axis], kept: &[String]) -> Vec<String> {
        let kept: Vec<_> = cells(axes).into_iter().filter(|cell| kept.contains(&cell.run)).collect();
        let Some(Value::Mapping(grid)) = self.study.get_mut("grid") else { return Vec::new() };
        let mut left = axes.to_vec();
        for (i, axis) in axes.iter().enumerate() {
            let is_used = |place: usize| kept.iter().any(|cell| cell.places[i] == place);
            let Some(Value::Sequence(values)) = grid.get_mut(axis.key.as_str()) else { continue };
            let used: Vec<usize> = (0..values.len()).filter(|place| is_used(*place)).collect();
            let fewer: Vec<Value> = used.iter().map(|place| values[*place].clone()).collect();
            let names: Vec<String> = used.iter().map(|place| axis.names[*place].clone()).collect();
            if grid::names_of(&axis.key, &fewer).as_ref() != Some(&names) {
                continue;
            }
            for place in (0..values.len()).rev().filter(|place| !used.contains(place)) {
                self.lines.remove_item(self.file, &format!("grid.{}", axis.key), place);
            }
            *values = fewer;
            left[i].names = names;
        }
        cells(&left).into_iter().map(|cell| cell.run).collect()
    }

    fn comparisons(&mut self) {
        let Some(Value::Mapping(all)) = self.study.get(COMPARISONS) else { return };
        let of_gone = |comparison: &Value| {
            ["run", "against"].iter().any(|key| comparison.get(*key).is_some_and(|run| self.is_gone(RUNS, run)))
        };
        let gone: Vec<String> =
            all.iter().filter(|(_, comparison)| of_gone(comparison)).filter_map(|(name, _)| text(name)).collect();
        for name in gone {
            self.tell("comparison", name.clone(), &join(COMPARISONS, &name));
            if let Some(Value::Mapping(all)) = self.study.get_mut(COMPARISONS) {
                all.shift_remove(name.as_str());
            }
            self.gone.push((COMPARISONS, name));
        }
    }

    /// Removes the items of a list that `is_gone` holds for, which also gets to change them.
    fn items(
        &mut self,
        list: &str,
        kind: &'static str,
        mut is_gone: impl FnMut(&Self, &mut Mapping) -> bool,
    ) -> Vec<Mapping> {
        let Some(Value::Sequence(mut items)) = self.study.get(list).cloned() else { return Vec::new() };
        let is_gone: Vec<bool> =
            items.iter_mut().map(|item| item.as_mapping_mut().is_some_and(|item| is_gone(self, item))).collect();
        let mut removed = Vec::new();
        for i in (0..items.len()).filter(|i| is_gone[*i]) {
            let item = items[i].as_mapping().cloned().unwrap_or_default();
            let name = item.get("title").filter(|_| list == "sections").and_then(title).or_else(|| id(&item));
            self.tell(kind, name.unwrap_or_else(|| (i + 1).to_string()), &format!("{list}[{i}]"));
            removed.push(item);
        }
        for i in (0..items.len()).rev().filter(|i| is_gone[*i]) {
            // Claims and conclusions are merged by their ids, so that this file's own are not where they stand in it.
            let own = usize::from(list != "sections");
            self.lines.remove_item(self.file + own, list, i);
            items.remove(i);
        }
        if items.is_empty() {
            self.study.shift_remove(list);
        } else {
            self.study.insert(list.into(), Value::Sequence(items));
        }
        removed
    }

    fn claims(&mut self) {
        self.items("claims", "claim", |this, claim| claim.get("measured").is_some_and(|text| this.names_gone(text)));
    }

    /// Removes conclusions. Returns the ids that answers may name: `None` for one that was removed, and the new one of a `best_of`
    /// that has fewer runs.
    fn conclusions(&mut self) -> HashMap<String, Option<String>> {
        let mut renamed = HashMap::new();
        let removed = self.items("conclusions", "conclusion", |this, conclusion| {
            let about = |keys: &[&str], group: &str| {
                keys.iter().any(|key| conclusion.get(*key).is_some_and(|name| this.is_gone(group, name)))
            };
            let own = ["supported_if", "refuted_if", "supported", "refuted", "undecided"];
            let pair = conclusion.get("order_matters").and_then(Value::as_mapping);
            if about(&ABOUT_A_RUN, RUNS)
                || about(&ABOUT_A_COMPARISON, COMPARISONS)
                || pair.is_some_and(|pair| pair.values().any(|run| this.is_gone(RUNS, run)))
                || own.iter().any(|key| conclusion.get(*key).is_some_and(|text| this.names_gone(text)))
            {
                return true;
            }
            let before = id(conclusion);
            let Some(Value::Sequence(runs)) = conclusion.get_mut("best_of") else { return false };
            runs.retain(|run| !this.is_gone(RUNS, run));
            let is_gone = runs.len() < 2;
            if let (Some(before), Some(after)) = (before, id(conclusion))
                && before != after
            {
                renamed.insert(before, Some(after));
            }
            is_gone
        });
        renamed.extend(removed.iter().filter_map(id).map(|id| (id, None)));
        renamed
    }

    fn sections(&mut self, renamed: &HashMap<String, Option<String>>) {
        let has_grid = self.study.contains_key("grid");
        self.items("sections", "section", |this, section| {
            let count = |section: &Mapping, key: &str| section.get(key).and_then(Value::as_sequence).map(Vec::len);
            let (runs, comparisons) = (count(section, RUNS), count(section, COMPARISONS));
            for group in [RUNS, COMPARISONS] {
                if let Some(Value::Sequence(names)) = section.get_mut(group) {
                    names.retain(|name| !this.is_gone(group, name));
                }
            }
            if let Some(Value::Sequence(answers)) = section.get_mut("answers") {
                let kept = |id: &Value| match text(id).and_then(|id| renamed.get(&id)) {
                    None => Some(id.clone()),
                    Some(new) => new.clone().map(Value::String),
                };
                *answers = answers.iter().filter_map(kept).collect();
            }
            let has_no_comparisons = comparisons.is_some_and(|n| n > 0) && count(section, COMPARISONS) == Some(0);
            without(section, "show", &OF_COMPARISONS, has_no_comparisons);
            without(section, "tables", &OF_A_GRID, !has_grid);
            runs.is_some_and(|n| n > 0) && count(section, RUNS) == Some(0)
        });
    }

    /// Removes models that only removed runs used, and that nothing else names.
    pub(super) fn models(&mut self, mut unused: Vec<String>) {
        unused.sort();
        unused.dedup();
        for name in unused {
            let pairs = self.study.get("conclusions").and_then(Value::as_sequence).into_iter().flatten();
            let mut pairs = pairs.filter_map(|conclusion| conclusion.get("fewer_parameters")?.as_mapping());
            let is_compared = pairs.any(|pair| pair.values().any(|model| text(model).as_ref() == Some(&name)));
            let others = ["claims", "conclusions", "sections", "description"];
            let mut others = others.iter().filter_map(|key| self.study.get(*key));
            if is_compared || others.any(|value| in_texts(value, &|text| names(text, MODELS, &name))) {
                continue;
            }
            self.tell("model", name.clone(), &join(MODELS, &name));
            if let Some(Value::Mapping(models)) = self.study.get_mut(MODELS) {
                models.shift_remove(name.as_str());
            }
            self.gone.push((MODELS, name));
        }
    }

    /// Removes the paragraphs that print values of what was removed.
    fn texts(&mut self) {
        let mut found = Vec::new();
        let mut shorten = |this: &Self, key: String, value: Option<&mut Value>| {
            let Some(value) = value.filter(|value| this.names_gone(value)) else { return };
            keep_paragraphs(value, &|text| this.gone.iter().any(|(group, name)| names(text, group, name)));
            found.push(key);
        };
        let mut description = self.study.get("description").cloned();
        shorten(self, "description".to_owned(), description.as_mut());
        let mut sections = self.study.get("sections").cloned();
        for (i, section) in sections.as_mut().and_then(Value::as_sequence_mut).into_iter().flatten().enumerate() {
            for part in ["text", "discussion"] {
                shorten(self, format!("sections[{i}].{part}"), section.get_mut(part));
            }
        }
        for (key, value) in [("description", description), ("sections", sections)] {
            if let Some(value) = value {
                self.study.insert(key.into(), value);
            }
        }
        for key in found {
            self.tell("paragraph", format!("of `{key}`"), &key);
        }
    }

    /// Removes patterns of `free` for what was removed.
    fn free(&mut self) {
        let Some(Value::Sequence(patterns)) = self.study.get("free") else { return };
        let of_gone = |pattern: &Value| {
            let pattern = text(pattern).unwrap_or_default();
            let mut parts = pattern.split('.');
            let (group, name) = (parts.next(), parts.next());
            self.gone.iter().any(|(of, other)| group == Some(of) && name == Some(other))
        };
        let gone: Vec<bool> = patterns.iter().map(of_gone).collect();
        let Some(Value::Sequence(patterns)) = self.study.get_mut("free") else { return };
        for i in (0..gone.len()).rev().filter(|i| gone[*i]) {
            patterns.remove(i);
            self.lines.remove_item(self.file, "free", i);
        }
    }
}

/// Removes words from a list; an empty list then has its default.
fn without(section: &mut Mapping, key: &str, words: &[&str], is_asked: bool) {
    let Some(Value::Sequence(items)) = section.get_mut(key).filter(|_| is_asked) else { return };
    let before = items.len();
    items.retain(|item| !item.as_str().is_some_and(|word| words.contains(&word)));
    if items.is_empty() && before > 0 {
        section.shift_remove(key);
    }
}

/// A title, in the first of its languages.
fn title(value: &Value) -> Option<String> {
    let first = value.as_mapping().and_then(|by_language| by_language.values().next());
    text(first.unwrap_or(value)).map(|title| format!("“{title}”"))
}

/// The id of a claim or a conclusion; a kind makes its own.
fn id(item: &Mapping) -> Option<String> {
    let kind = || {
        let rule: Mapping = item
            .iter()
            .filter(|(key, _)| key.as_str().is_some_and(|key| Kind::WORDS.contains(&key)))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        serde_yaml::from_value::<Conclusion>(Value::Mapping(rule)).ok().map(|conclusion| conclusion.id)
    };
    item.get("id").and_then(text).or_else(kind)
}
