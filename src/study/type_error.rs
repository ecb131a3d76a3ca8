//! Explains why a value of a study does not fit its type, and which mistake of YAML may have made an unknown key.

use serde_yaml::{Mapping, Value};

use super::StudyError;
use super::lines::{Lines, join};
use super::messages::plain;
use super::run_spec::RunSpec;
use super::yaml::PROSE;
use crate::text::closest::DID_YOU_MEAN;
use crate::text::terminal::cut;

/// How much of an unknown key an error quotes, in characters.
const LONGEST_QUOTED: usize = 64;
/// How `plain` describes whole numbers, and those of settings that cannot be 0.
const FROM_0: &str = "a whole number, 0 or more";
const FROM_1: &str = "a whole number, 1 or more";
/// How `plain` describes a list where one value is expected.
const A_LIST: &str = "found a list";

/// The error for serde's message at a path of a study.
pub(super) fn explained(lines: &Lines, study: &Value, path: &str, inner: &str) -> StudyError {
    let named = if path == "." { "" } else { path };
    let mut message = of_run(named, inner, plain(inner));
    if named.starts_with("data") && message.starts_with("missing key") {
        message += "; `mnist-report data --dir FOLDER --pin` prints all keys of a data set";
    }
    let unknown = inner.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')).map(|(key, _)| key);
    let Some(key) = unknown else { return lines.error(named, message) };
    // The path may name the unknown key, or only the map that holds it.
    let path = named.strip_suffix(key).map_or(named, |map| map.strip_suffix('.').unwrap_or(map));
    let at = join(path, key);
    // No key has a space, so a word that is near to one is chance.
    if (key.contains(' ') || !message.contains(DID_YOU_MEAN))
        && let Some((place, why)) = mistake(lines, study, path, key)
    {
        return lines.error(&place, why);
    }
    lines.error(if lines.contains(&at) { &at } else { named }, message)
}

/// The message, with what is said only of settings of a run.
fn of_run(path: &str, inner: &str, message: String) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let (["defaults", setting @ ..] | ["runs", _, setting @ ..]) = parts.as_slice() else { return message };
    match setting {
        ["train", "images"] => match inner.split('`').nth(1).filter(|value| value.parse::<usize>().is_ok()) {
            Some(n) => format!("{message}; write {{random: {n}}} or {{first: {n}}}"),
            None => message,
        },
        ["title"] => message,
        [key] => {
            let message = match *key {
                "epochs" | "batch_size" => message.replace(FROM_0, FROM_1),
                _ => message,
            };
            match message.split_once(A_LIST) {
                Some((before, _)) => format!("{before}{A_LIST}; lists belong in `grid`"),
                None => message,
            }
        }
        _ => message,
    }
}

/// A key without a value in a run that no run has, and what to do. Elsewhere it would be an unknown key, but a run leaves out the keys
/// without values, which remove those of another file.
pub(super) fn empty_key(lines: &Lines, study: &Mapping) -> Option<(String, String)> {
    let runs =
        study.get("runs")?.as_mapping()?.iter().filter_map(|(name, run)| Some((name.as_str()?, run.as_mapping()?)));
    let mut empty = runs.flat_map(|(name, run)| {
        let keys = run.iter().filter(|(_, value)| value.is_null()).filter_map(|(key, _)| key.as_str());
        keys.map(move |key| (join("runs", name), key))
    });
    let (path, key) = empty.find(|(_, key)| !is_run_key(key))?;
    let unknown = || (join(&path, key), format!("unknown key `{}`", cut(key, LONGEST_QUOTED)));
    Some(mistake(lines, &Value::Mapping(study.clone()), &path, key).unwrap_or_else(unknown))
}

/// The mistake that made an unknown key, if it can be told: the key to name, and what to do.
fn mistake(lines: &Lines, study: &Value, path: &str, key: &str) -> Option<(String, String)> {
    let at = join(path, key);
    if path.is_empty() && is_run_key(key) {
        return Some((at, format!("`{key}` belongs in `defaults` or in a run")));
    }
    let quoted = cut(key, LONGEST_QUOTED);
    if let Some((text, value)) = text_before(study, path, key) {
        let text_at = join(path, text);
        if value.is_empty() {
            let why = "is empty: the lines of a text after `|` must be indented deeper than its key";
            return Some((text_at, why.to_owned()));
        }
        let is_on_its_line = lines.contains(&at) && lines.place(&at) == lines.place(&text_at);
        let has_no_value = map_at(study, path)?.get(key)?.is_null() && !key.bytes().all(|b| b.is_ascii_digit());
        if is_on_its_line && has_no_value {
            let why = format!(
                "the text ends at a comma, and `{quoted}` is read as a key; a text with a comma must be in quotes: \
                 {text}: \"…\""
            );
            return Some((text_at, why));
        }
    }
    let is_sentence = key.matches(' ').count() > 1 || key.ends_with(['.', ',', ';', '!', '?', '…', ')', '»', '"']);
    let why = "a comma between two keys is missing, or a text with a comma, a colon or # must be in quotes";
    is_sentence.then(|| (at, format!("unknown key `{quoted}`; {why}")))
}

/// The text of the study's own words before a key in the same map, without keys that have no value between them.
fn text_before<'v>(study: &'v Value, path: &str, key: &str) -> Option<(&'v str, &'v str)> {
    let map = map_at(study, path)?;
    let before = map.iter().take_while(|(other, _)| other.as_str() != Some(key));
    let (text, value) = before.filter(|(_, value)| !value.is_null()).last()?;
    Some((text.as_str().filter(|text| PROSE.contains(text))?, value.as_str()?))
}

/// The map at a path such as `conclusions[4]`.
fn map_at<'v>(study: &'v Value, path: &str) -> Option<&'v Mapping> {
    let mut parts = path.split(['.', '[']).filter(|part| !part.is_empty());
    let value = parts.try_fold(study, |value, part| match part.strip_suffix(']') {
        Some(place) => value.get(place.parse::<usize>().ok()?),
        None => value.get(part),
    });
    value?.as_mapping()
}

/// Whether a run may have a key.
fn is_run_key(key: &str) -> bool {
    let alone = Mapping::from_iter([(Value::from(key), Value::Null)]);
    serde_yaml::from_value::<RunSpec>(Value::Mapping(alone)).is_err_and(|e| !e.to_string().starts_with("unknown field"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::study::Source;

    #[test]
    fn settings_of_a_run_are_explained_further() {
        let message = |settings: &str| {
            let yaml = format!(
                "title: T\nmodels: {{m: {{layers: [flatten, {{linear: {{out_features: 10}}}}]}}}}\n\
                 runs: {{r: {{model: m, batch_size: 64, seeds: [1], {settings}}}}}\n"
            );
            Source::from_text(Path::new("s.yaml"), &yaml).err().expect("refused").to_string()
        };
        for (settings, expected) in [
            ("epochs: [1, 2]", "epochs: expected a whole number, 1 or more, found a list; lists belong in `grid`"),
            ("epochs: ten", "runs.r.epochs: expected a whole number, 1 or more, found `ten`"),
            ("epochs: 1, dropout: [true]", "dropout: expected true or false, found a list; lists belong in `grid`"),
            ("epochs: 1, optimizer: [adam, adamw]", ", found a list; lists belong in `grid`"),
            ("epochs: 1, title: [a, b]", "found a list; put a text that starts with `[` or `{` in quotes"),
            ("epochs: 1, train: {images: 10000}", "found `10000`; write {random: 10000} or {first: 10000}"),
            ("epochs: 1, train: {images: {first: [1]}}", "expected a whole number, 0 or more, found a list"),
        ] {
            let message = message(settings);
            assert!(message.ends_with(expected), "{settings}: {message}");
        }
    }
}
