//! Assignments: which keys of a study are the student's to change (`free`), and how a study that was handed in differs from the
//! one that was handed out.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::grid::{SEEDS, axes, cells};
use super::spec::Study;
use super::yaml::DATA;
use super::{Source, StudyError};
use crate::changes::changes;
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
        for (a, b) in pairs {
            for change in changes("", &a, &b) {
                let is_free = free.iter().any(|pattern| frees(pattern, &parts(&change.what)));
                let list = if is_free { &mut differences.free } else { &mut differences.forbidden };
                if seen.insert(change.what.clone()) {
                    list.push(Difference { key: change.what, assignment: change.a, handed_in: change.b });
                }
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
    let typed: serde_yaml::Mapping = serde_yaml::from_str(&source.yaml).unwrap_or_default();
    let typed = typed.get("runs").and_then(serde_yaml::Value::as_mapping);
    let made = source.study.grid.as_ref().map(|grid| cells(&axes(grid))).unwrap_or_default();
    let Some(runs) = value.get_mut("runs").and_then(Value::as_object_mut) else { return value };
    for run in made.into_iter().map(|cell| cell.run) {
        match typed.and_then(|typed| typed.get(run.as_str())) {
            None => _ = runs.shift_remove(&run),
            Some(serde_yaml::Value::Mapping(changes)) => {
                if let Some(settings) = runs.get_mut(&run).and_then(Value::as_object_mut) {
                    settings.retain(|key, _| changes.contains_key(key.as_str()));
                }
            }
            Some(_) => _ = runs.insert(run, Value::from("removed")),
        }
    }
    value
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
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    const LAB: &str = "
title: Lab
free: [author, title, models.slim.layers, 'runs.*.epochs']
models:
  slim: {layers: [flatten, {linear: {out_features: 10}}]}
  wide: {layers: [flatten, {linear: {out_features: 10}}]}
runs:
  slim: {model: slim, epochs: 1, batch_size: 64, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
";

    fn source(yaml: &str) -> Source {
        Source::from_text(Path::new("lab.yaml"), yaml).unwrap()
    }

    fn keys(differences: &[Difference]) -> Vec<&str> {
        differences.iter().map(|difference| difference.key.as_str()).collect()
    }

    fn between(changes: &[(&str, &str)]) -> Differences {
        let changed = changes.iter().fold(LAB.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        Differences::between(&source(LAB), &source(&changed)).unwrap()
    }

    #[test]
    fn free_keys_may_differ_and_no_others() {
        let equal = between(&[]);
        assert_eq!(equal, Differences::default());
        let free = between(&[
            ("title: Lab", "title: Mine\nauthor: A"),
            ("[flatten,", "[flatten, relu,"),
            ("epochs: 1", "epochs: 3"),
        ]);
        assert_eq!(keys(&free.forbidden), [""; 0]);
        assert_eq!(keys(&free.free), ["title", "author", "models.slim.layers", "runs.slim.epochs"]);
        let other = between(&[("seeds: [1]", "seeds: [2]"), ("lr: 0.1", "lr: 0.2"), ("epochs: 1", "epochs: 3")]);
        assert_eq!(keys(&other.forbidden), ["runs.slim.optimizer.sgd.lr", "runs.slim.seeds[0]"]);
        assert_eq!(other.forbidden[1].assignment, json!(1));
        assert_eq!(other.forbidden[1].handed_in, json!(2));
        let more = between(&[("  wide:", "  third: {layers: [flatten, {linear: {out_features: 10}}]}\n  wide:")]);
        assert_eq!(keys(&more.forbidden), ["models.third"], "`models.slim.layers` frees no other model");
    }

    #[test]
    fn grids_are_compared_as_typed() {
        let lab = |free: &str, grid: &str, runs: &str| {
            let start = LAB.split("runs:\n").next().unwrap();
            let start = start.replace("[author, title, models.slim.layers, 'runs.*.epochs']", free);
            source(&format!("{start}defaults: {{batch_size: 64}}\ngrid: {grid}\n{runs}"))
        };
        let grid = "{model: [slim, wide], optimizer: [{sgd: {lr: 0.1}}, adam], epochs: 1, seeds: [1]}";
        let of = |free: &str, grid_handed_in: &str, runs: &str| {
            let assignment = lab(free, grid, "");
            check_free(&assignment).unwrap();
            let found = Differences::between(&assignment, &lab("[]", grid_handed_in, runs)).unwrap();
            (keys(&found.forbidden).join(" "), keys(&found.free).join(" "))
        };
        let told = |forbidden: &str, free: &str| (forbidden.to_owned(), free.to_owned());
        let [other, longer] = [grid.replace("adam]", "adadelta]"), grid.replace("adam]", "adam, adadelta]")];
        assert_eq!(of("[]", grid, ""), told("", ""));
        assert_eq!(of("[]", &other, ""), told("grid.optimizer[1]", ""));
        assert_eq!(of("[grid]", &other, ""), told("", "grid.optimizer[1]"));
        assert_eq!(of("[grid.optimizer]", &longer, ""), told("", "grid.optimizer"));
        assert_eq!(of("['grid.optimizer[1]']", &other, ""), told("", "grid.optimizer[1]"));
        assert_eq!(of("['runs.*.optimizer']", &other, ""), told("", "grid.optimizer[1]"));
        let [lr, seed] = [grid.replace("0.1", "0.2"), grid.replace("seeds: [1]", "seeds: [2]")];
        assert_eq!(of("['runs.*.optimizer.sgd.lr']", &lr, ""), told("", "grid.optimizer[0].sgd.lr"));
        assert_eq!(of("['runs.*.seeds[0]']", &seed, ""), told("", "grid.seeds[0]"));
        assert_eq!(of("['runs.*.epochs']", &seed, ""), told("grid.seeds[0]", ""));
        assert_eq!(of("[grid]", grid, "runs: {slim-adam: {epochs: 2}}\n"), told("runs.slim-adam", ""));
        assert_eq!(of("[grid]", grid, "runs: {slim-adam: null}\n"), told("runs.slim-adam", ""));
    }

    #[test]
    fn what_means_the_same_is_equal() {
        let same = between(&[
            ("free: [author, title, models.slim.layers, 'runs.*.epochs']", "data: elsewhere"),
            ("{sgd: {lr: 0.1}}", "{sgd: {lr: 1e-1, momentum: 0}}"),
            ("model: slim, epochs: 1", "epochs: 1, model: slim, dropout: true"),
        ]);
        assert_eq!(same, Differences::default());
    }

    #[test]
    fn the_assignment_alone_decides_what_is_free() {
        let all = between(&[
            ("free: [author, title, models.slim.layers, 'runs.*.epochs']", "free: [runs]"),
            ("seeds: [1]", "seeds: [2]"),
        ]);
        assert_eq!(keys(&all.forbidden), ["runs.slim.seeds[0]"]);
    }

    #[test]
    fn texts_are_compared_in_every_language_that_both_have() {
        let both = LAB.replace("title: Lab", "lang: [en, uk]\ntitle: {en: Lab, uk: Робота}").replace("title, ", "");
        let changed = both.replace("Робота", "Інша");
        let found = Differences::between(&source(&both), &source(&changed)).unwrap();
        assert_eq!((keys(&found.forbidden), &found.forbidden[0].handed_in), (vec!["title"], &json!("Інша")));
        let one = both.replace("lang: [en, uk]", "lang: uk");
        let found = Differences::between(&source(&both), &source(&one)).unwrap();
        assert_eq!(keys(&found.forbidden), ["lang"]);
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_named_with_what_was_meant() {
        let message = |free: &str| {
            let yaml = LAB.replace("[author, title, models.slim.layers, 'runs.*.epochs']", free);
            check_free(&source(&yaml)).map_err(|e| e.to_string())
        };
        for free in ["[]", "['*']", "['runs.*']", "['runs.s*m.seeds[0]']", "['models.*.layers[*]']", "[meta, group]"] {
            assert_eq!(message(free), Ok(()), "{free}");
        }
        for (free, place, advice) in [
            ("[title, models.slin.layers]", "free[1]", "did you mean `models.slim.layers`?"),
            ("[autor]", "free[0]", "did you mean `author`?"),
            ("[defaults.epochs]", "free[0]", "write `runs.*.` and the setting"),
            ("['runs.*.epoch.*']", "free[0]", "matches no key of this study"),
            ("['']", "free[0]", "matches no key of this study"),
        ] {
            let error = message(free).unwrap_err();
            assert!(error.contains(place) && error.contains(advice), "{free}: {error}");
        }
    }

    #[test]
    fn a_star_stands_for_any_characters_of_one_part() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*bc", "abc", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(is_match(pattern, text), expected, "{pattern} {text}");
        }
        assert!(covers(&parts("a.*"), &parts("a.b[0].c")) && !covers(&parts("a.b.c"), &parts("a.b")));
    }
}
