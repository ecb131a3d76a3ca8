//! Explains why a value of a study does not fit its type, and which mistake of YAML may have made an unknown key.

use serde_yaml::{Mapping, Value};

use super::StudyError;
use super::conclusion::Kind;
use super::lines::{Lines, join};
use super::messages::plain;
use super::mismatch::TEXT_IN_QUOTES;
use super::run_spec::RunSpec;
use super::yaml::PROSE;
use crate::text::closest::{DID_YOU_MEAN, looks_latin};
use crate::text::terminal::cut;

/// How much of an unknown key an error quotes, in characters.
const LONGEST_QUOTED: usize = 64;
/// How `plain` describes whole numbers, and those of settings that cannot be 0.
const FROM_0: &str = "a whole number, 0 or more";
const FROM_1: &str = "a whole number, 1 or more";
/// How `plain` describes a list where one value is expected.
const A_LIST: &str = "found a list";
/// Keys of a study that no other map has, except `runs` and `comparisons` of a section.
const TOP_KEYS: [&str; 10] =
    ["models", "runs", "defaults", "grid", "comparisons", "sections", "conclusions", "claims", "references", "compute"];

/// The error for serde's message at a path of a study.
pub(super) fn explained(lines: &Lines, study: &Value, path: &str, inner: &str) -> StudyError {
    let named = if path == "." { "" } else { path };
    let mut message = of_conclusion(named, of_run(named, inner, plain(inner)), study);
    if named.starts_with("data") && message.starts_with("missing key") {
        message += "; `mnist-report data --dir FOLDER --pin` prints all keys of a data set";
    }
    if let Some((place, why)) = shallow_key(named, inner, study) {
        return lines.error(&place, why);
    }
    let unknown = inner.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')).map(|(key, _)| key);
    // The path may name the unknown key, or only the map that holds it.
    let map_of =
        |key: &str| named.strip_suffix(key).map_or(named, |map| map.strip_suffix('.').unwrap_or(map)).to_owned();
    let at = unknown.map_or_else(|| named.to_owned(), |key| join(&map_of(key), key));
    let form = meta_form(study, &at);
    message += form.as_deref().unwrap_or_default();
    message += &belongs_to_the_study(&at, study).unwrap_or_default();
    let Some(key) = unknown else { return lines.error(named, message) };
    let path = map_of(key);
    let path = path.as_str();
    // No key has a space, so a word that is near to one is chance.
    if form.is_none()
        && (key.contains(' ') || !message.contains(DID_YOU_MEAN))
        && let Some((place, why)) = mistake(lines, study, path, key)
    {
        return lines.error(&place, why);
    }
    message += &own_line(key, path, study).unwrap_or_default();
    lines.error(if lines.contains(&at) { &at } else { named }, message)
}

/// The message, with what is said only of settings of a run.
fn of_run(path: &str, inner: &str, message: String) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let (["defaults", setting @ ..] | ["runs", _, setting @ ..]) = parts.as_slice() else { return message };
    if let ["runs", name, ..] = parts[..]
        && is_run_key(name)
    {
        return format!("{message}; `{name}` is a setting of a run: indent it deeper than the run's name");
    }
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

/// The message on a map or list where a conclusion names a run, a model or a comparison: quotation marks would not help.
fn of_conclusion(path: &str, message: String, study: &Value) -> String {
    let Some((_, kind)) = path.strip_prefix("conclusions[").and_then(|rest| rest.split_once("].")) else {
        return message;
    };
    let Some((found, _)) = message.split_once(TEXT_IN_QUOTES).filter(|_| Kind::WORDS.contains(&kind)) else {
        return message;
    };
    // Two kinds compare models, and take them in a map; `better` and `keeps_accuracy` take comparisons.
    let of = if ["better", "keeps_accuracy"].contains(&kind) { "comparisons" } else { "runs" };
    let names = study.get(of).and_then(Value::as_mapping);
    let first = names.and_then(|names| names.keys().next()?.as_str()).unwrap_or("NAME");
    format!("{}; write one name, such as `{kind}: {first}`", found.replace("expected text", "expected a name"))
}

/// A key that a map lacks and that stands beside the map's own, because it is not indented: the key, and what to do.
fn shallow_key(path: &str, inner: &str, study: &Value) -> Option<(String, String)> {
    let missing = inner.strip_prefix("missing field `")?.strip_suffix('`')?;
    let (around, map) = path.rsplit_once('.')?;
    let is_here = map_at(study, around)?.get(missing).is_some_and(|value| !value.is_mapping());
    is_here.then(|| (join(around, missing), format!("belongs to `{map}`: indent it deeper than `{map}`")))
}

/// What to do about a key of the study itself at the end of a path, if the study does not have it in its place.
fn belongs_to_the_study(path: &str, study: &Value) -> Option<String> {
    let (_, key) = path.rsplit_once('.')?;
    let is_misplaced = TOP_KEYS.contains(&key) && study.get(key).is_none();
    let is_misplaced = is_misplaced && !(path.starts_with("sections[") && ["runs", "comparisons"].contains(&key));
    is_misplaced.then(|| format!("; `{key}` belongs to the study itself: write it without spaces before it"))
}

/// How to write what is wrong in `meta`, such as `- Variant: 7`: with its label and its value.
fn meta_form(study: &Value, path: &str) -> Option<String> {
    let place = path.strip_prefix("meta")?;
    let meta = study.get("meta")?;
    if place.is_empty() {
        return Some(format!("; write [{}]", title_line(meta)?));
    }
    let (item, part) = place.strip_prefix('[')?.split_once(']')?;
    let line = title_line(meta.get(item.parse::<usize>().ok()?)?)?;
    (![".label", ".value"].contains(&part)).then(|| format!("; write {line}"))
}

/// What to do about a key of a student's own words at the start of a line, such as `Варіант: 7`: it is a line of the title block.
fn own_line(key: &str, path: &str, study: &Value) -> Option<String> {
    let value = study.get(key).filter(|_| path.is_empty())?;
    let is_text = key.contains(char::is_alphabetic) && !key.is_ascii() && looks_latin(key).is_none();
    let line = title_line(&serde_yaml::Mapping::from_iter([(Value::from(key), value.clone())]).into())?;
    is_text.then(|| format!("; as another line of the title block: meta: [{line}]"))
}

/// A value as a line of the title block: a map's first key is the label, unless it has one.
fn title_line(line: &Value) -> Option<String> {
    let (label, value) = match line {
        Value::Mapping(map) => match (map.get("label"), map.get("value")) {
            (Some(label), Some(value)) => (label, Some(value)),
            (None, None) => map.iter().next().map(|(key, value)| (key, Some(value)))?,
            _ => return None,
        },
        Value::Sequence(items) => (items.first()?, items.get(1)),
        Value::String(text) if text.contains(": ") => {
            let (label, value) = text.split_once(": ")?;
            let [label, value] = [label, value].map(|part| Value::String(part.to_owned()));
            return title_line(&Value::Sequence(vec![label, value]));
        }
        other => (other, None),
    };
    let in_braces = |value: &Value| match value {
        Value::String(text) if text.contains([',', ':', '#', '[', ']', '{', '}', '"', '\'']) => format!("{text:?}"),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => "...".to_owned(),
    };
    let [label, value] = [Some(label), value].map(|part| part.map_or_else(|| "...".to_owned(), in_braces));
    Some(format!("{{label: {}, value: {}}}", cut(&label, LONGEST_QUOTED), cut(&value, LONGEST_QUOTED)))
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
    let foreign = looks_latin(key).unwrap_or_default();
    let unknown = || (join(&path, key), format!("unknown key `{}`{foreign}", cut(key, LONGEST_QUOTED)));
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
    if let Some(before) = empty_before(lines, study, path, key) {
        let why = format!("unknown key `{quoted}`; if it belongs to `{before}`, indent it deeper than `{before}`");
        return Some((at, why));
    }
    let is_sentence = key.matches(' ').count() > 1 || key.ends_with(['.', ',', ';', '!', '?', '…', ')', '»', '"']);
    let why = "a comma between two keys is missing, or a text with a comma, a colon or # must be in quotes";
    is_sentence.then(|| (at, format!("unknown key `{quoted}`; {why}")))
}

/// The key without a value on a line before an unknown one, in the same map.
fn empty_before<'v>(lines: &Lines, study: &'v Value, path: &str, key: &str) -> Option<&'v str> {
    let map = map_at(study, path)?;
    let (before, value) = map.iter().take_while(|(other, _)| other.as_str() != Some(key)).last()?;
    let before = before.as_str().filter(|_| value.is_null())?;
    let (before_at, at) = (join(path, before), join(path, key));
    (lines.contains(&before_at) && lines.place(&before_at) != lines.place(&at)).then_some(before)
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

    /// The error of a study's text.
    fn error(yaml: &str) -> String {
        Source::from_text(Path::new("s.yaml"), yaml).err().expect("refused").to_string()
    }

    #[test]
    fn a_line_of_the_title_block_is_written_with_its_label_and_its_value() {
        let unknown = "unknown key `Варіант`; the keys here are `label` or `value`; write {label: Варіант, value: 7}";
        for (meta, expected) in [
            ("[Варіант: 7]", format!("meta[0].Варіант: {unknown}")),
            ("[{label: A, value: 1}, {Варіант: 7}]", format!("meta[1].Варіант: {unknown}")),
            ("{Варіант: 7}", "meta: expected a list, found a map; write [{label: Варіант, value: 7}]".to_owned()),
            ("{label: A, value: 1}", "found a map; write [{label: A, value: 1}]".to_owned()),
            ("[[Варіант, 'a, b']]", "found a list; write {label: Варіант, value: \"a, b\"}".to_owned()),
            ("['Варіант: 7']", "found `Варіант: 7`; write {label: Варіант, value: 7}".to_owned()),
            ("[Варіант]", "found `Варіант`; write {label: Варіант, value: ...}".to_owned()),
            ("[{label: A}]", "meta[0]: missing key `value`".to_owned()),
            ("[{label: A, val: 1}]", "unknown key `val`; the keys here are `label` or `value`".to_owned()),
        ] {
            let message = error(&format!("title: T\nmodels: {{}}\nruns: {{}}\nmeta: {meta}\n"));
            assert!(message.starts_with("s.yaml:4: ") && message.ends_with(&expected), "{meta}: {message}");
        }
    }

    #[test]
    fn a_key_in_another_map_than_meant_is_told_by_its_indentation() {
        let run = "epochs: 1\n    batch_size: 1\n    seeds: [1]\n    optimizer: adam\n";
        for (models, runs, expected) in [
            (
                "  m:\n    title: M\n  layers: [flatten]\n",
                "",
                "s.yaml:5: models.layers: belongs to `m`: indent it deeper than `m`",
            ),
            ("  m:\n  layers: [flatten]\n", "", "s.yaml:4: models.layers: belongs to `m`: indent it deeper than `m`"),
            (
                "m:\n  layers: [flatten]\n",
                "",
                "s.yaml:3: m: unknown key `m`; if it belongs to `models`, indent it deeper than `models`",
            ),
            (
                "  m:\n    layers: [flatten]\n",
                "  evaluate_train: true\n",
                "s.yaml:12: runs.evaluate_train: expected a map of settings, found `true`; `evaluate_train` is a setting of a \
                 run: indent it deeper than the run's name",
            ),
            (
                "  m:\n    layers: [flatten]\n",
                "  sections:\n  - title: S\n",
                "s.yaml:12: runs.sections: expected a map of settings, found a list; `sections` belongs to the study itself: \
                 write it without spaces before it",
            ),
            (
                "  m:\n    layers: [flatten]\n",
                "sections:\n  - title: S\n    conclusions: []\n",
                "; `conclusions` belongs to the study itself: write it without spaces before it",
            ),
        ] {
            let message = error(&format!("title: T\nmodels:\n{models}runs:\n  r:\n    model: m\n    {run}{runs}"));
            assert!(message.ends_with(expected), "{message}");
        }
    }

    #[test]
    fn settings_of_a_run_are_explained_further() {
        let message = |settings: &str| {
            let yaml = format!(
                "title: T\nmodels: {{m: {{layers: [flatten, {{linear: {{out_features: 10}}}}]}}}}\n\
                 runs: {{r: {{model: m, batch_size: 64, seeds: [1], {settings}}}}}\n"
            );
            error(&yaml)
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

    #[test]
    fn a_conclusion_that_names_a_run_takes_no_map() {
        let message = |conclusion: &str| {
            let text = format!(
                "title: T\nmodels: {{m: {{layers: [flatten, {{linear: {{out_features: 10}}}}]}}}}\n\
                 runs: {{r: {{model: m, epochs: 1, batch_size: 50, optimizer: adam, seeds: [1]}}}}\nconclusions: [{conclusion}]\n"
            );
            error(&text)
        };
        for (conclusion, expected) in [
            ("{learns: {run: r}}", "learns: expected a name, found a map; write one name, such as `learns: r`"),
            ("{overfits: [r]}", "overfits: expected a name, found a list; write one name, such as `overfits: r`"),
            ("{better: {run: r}}", "write one name, such as `better: NAME`"),
            (
                "{learns: r, why: [a]}",
                "why: expected text, found a list; put a text that starts with `[` or `{` in quotes",
            ),
        ] {
            assert!(message(conclusion).ends_with(expected), "{}", message(conclusion));
        }
    }
}
