//! Reads a file's bytes into a map of keys and values: encoding, merge keys, and texts as they were typed.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Mapping, Value};

use super::lines::join;
use crate::text::Lang;
use crate::text::unseen::complaint;
use crate::text::without_bom;

/// The keys whose values are text. `title: 2026` and `printed: 0.970` keep the characters that were typed, which would
/// be lost if they were read as numbers.
pub(super) const TEXTS: [&str; 51] = [
    "title",
    "description",
    "author",
    "group",
    "course",
    "institution",
    "date",
    "license",
    "data",
    "extends",
    "model",
    "run",
    "runs",
    "against",
    "comparisons",
    "name",
    "text",
    "id",
    "quote",
    "printed",
    "measured",
    "why",
    "question",
    "supported_if",
    "refuted_if",
    "supported",
    "refuted",
    "undecided",
    "overfits",
    "overfitting_starts",
    "learns",
    "than",
    "keeps_accuracy",
    "better",
    "best_of",
    "shuffled",
    "ordered",
    "answers",
    "city",
    "supervisor",
    "label",
    "value",
    "discussion",
    "references",
    "free",
    "dir",
    "classes",
    "train-images",
    "train-labels",
    "t10k-images",
    "t10k-labels",
];

/// The keys of prose, which may contain any character that does not change how other characters appear.
pub(super) const PROSE: [&str; 22] = [
    "title",
    "description",
    "author",
    "group",
    "course",
    "institution",
    "license",
    "text",
    "quote",
    "printed",
    "why",
    "question",
    "supported",
    "refuted",
    "undecided",
    "city",
    "supervisor",
    "label",
    "value",
    "discussion",
    "references",
    "classes",
];

/// The key whose value may have any form.
pub(super) const DATA: &str = "values";

/// A file's text, or what is wrong with its encoding and what to do.
pub(super) fn decoded(bytes: Vec<u8>) -> Result<String, String> {
    if is_utf16(&bytes) {
        return Err("is UTF-16 text: save it as UTF-8 (in Notepad: Save as, Encoding: UTF-8)".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = before.split(|b| *b == b'\n').count();
        format!("is not UTF-8 text (see line {line}): save it as UTF-8")
    })?;
    Ok(without_bom(&text).to_owned())
}

/// Whether bytes are UTF-16 (or UTF-32): by their byte order mark, or by zeros in every other byte at the start,
/// because the first letters are Latin.
fn is_utf16(bytes: &[u8]) -> bool {
    let is_zero_at = |start: usize| {
        let mut every_other = bytes.iter().take(16).skip(start).step_by(2);
        bytes.len() >= 4 && every_other.all(|b| *b == 0)
    };
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || is_zero_at(0) || is_zero_at(1)
}

/// The first line that YAML readers do not read alike, and what to do: some take a byte order mark, or a line break that is not
/// ASCII, for one more character of a comment. A directive (`%TAG`) changes how what follows is read, and no study needs one.
pub(super) fn ambiguous_line(yaml: &str) -> Option<(usize, String)> {
    let problem = |line: &str| {
        if line.contains('\u{feff}') {
            return complaint("\u{feff}");
        }
        if let Some(breaks) = line.chars().find(|c| ['\u{85}', '\u{2028}', '\u{2029}'].contains(c)) {
            let code = u32::from(breaks);
            return Some(format!(
                "has a line break that is not one for every program (U+{code:04X}): press Enter instead"
            ));
        }
        // Others show what follows in the same line.
        if line.contains('\r') {
            return Some("has a carriage return inside (U+000D): press Enter instead".to_owned());
        }
        line.starts_with('%')
            .then(|| "starts with `%`, as a directive of YAML: no study needs one; remove it".to_owned())
    };
    yaml.lines().enumerate().find_map(|(i, line)| Some((i + 1, problem(line)?)))
}

/// A fault at a key, whose line the caller looks up, or at a line.
pub(super) struct Fault {
    pub(super) key: String,
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

/// Turns every key into text, keeps the typed characters of values that should be text, and replaces merge keys (`<<`).
/// `value` is `yaml` as serde_yaml reads it.
pub(super) fn as_typed(yaml: &str, value: &Value) -> Result<Value, Fault> {
    let typed = Typed { shape: value, wanted: Wanted::Top };
    let mut value = typed.deserialize(serde_yaml::Deserializer::from_str(yaml)).map_err(|e| {
        let text = e.to_string();
        let message = text.split(" at line ").next().unwrap_or(&text);
        let line = e.location().map(|at| at.line());
        Fault { key: String::new(), line, message: format!("is not valid YAML: {message}") }
    })?;
    check_commas("", "", &value)?;
    join_merge_keys("", &mut value)?;
    Ok(value)
}

/// How a value is to be read.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    /// The study.
    Top,
    /// As YAML reads it.
    Any,
    /// Text, as typed.
    Text,
    /// As YAML reads it, also everything inside it.
    Data,
}

impl Wanted {
    fn below(self, key: &str) -> Self {
        match self {
            Self::Data => Self::Data,
            Self::Top if key == DATA => Self::Data,
            _ if TEXTS.contains(&key) => Self::Text,
            // A text in several languages.
            Self::Text if Lang::ALL.iter().any(|lang| lang.code() == key) => Self::Text,
            _ => Self::Any,
        }
    }
}

/// Reads a document a second time, with its shape known. serde_yaml returns a number as it was typed if it is asked for
/// text, so the reader must know where to ask for text.
struct Typed<'a> {
    shape: &'a Value,
    wanted: Wanted,
}

impl<'de> DeserializeSeed<'de> for Typed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.shape {
            Value::Mapping(_) => deserializer.deserialize_map(self),
            Value::Sequence(_) => deserializer.deserialize_seq(self),
            Value::Number(_) | Value::Bool(_) if self.wanted == Wanted::Text => {
                String::deserialize(deserializer).map(Value::String)
            }
            Value::Tagged(_) => Err(D::Error::custom("a text that starts with `!` must be in quotes")),
            other => IgnoredAny::deserialize(deserializer).map(|_| other.clone()),
        }
    }
}

impl<'de> Visitor<'de> for Typed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("the same document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut typed = Mapping::new();
        for (key, shape) in self.shape.as_mapping().into_iter().flatten() {
            if matches!(key, Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_)) {
                return Err(A::Error::custom("a key is a list or a map: put a key with `[`, `{` or `!` in quotes"));
            }
            let Some(key) = map.next_key::<String>()? else { break };
            let value = map.next_value_seed(Typed { shape, wanted: self.wanted.below(&key) })?;
            if typed.insert(Value::String(key.clone()), value).is_some() {
                return Err(A::Error::custom(format!("the key `{key}` is there twice")));
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Mapping(typed))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let wanted = if self.wanted == Wanted::Top { Wanted::Any } else { self.wanted };
        let mut typed = Vec::new();
        for shape in self.shape.as_sequence().into_iter().flatten() {
            typed.extend(seq.next_element_seed(Typed { shape, wanted })?);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Sequence(typed))
    }
}

/// Keys whose value is a list of whole numbers.
const LISTS: [&str; 2] = ["seeds", "shape"];

/// Refuses commas that YAML takes for the end of an item. `{lr: 0,5}` is `lr: 0` and a key `5` without a value; so is
/// `{seeds: 1, 2}`, where the brackets of a list are missing.
fn check_commas(path: &str, name: &str, value: &Value) -> Result<(), Fault> {
    let is_fraction = |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok();
    let text =
        |whole: &Value| whole.as_str().map_or_else(|| whole.as_i64().unwrap_or_default().to_string(), str::to_owned);
    let refuse = |key: String, whole: &Value, fraction: &str| {
        let message = format!("decimals are written with a point, not a comma: {}.{fraction}", text(whole));
        Err(Fault { key, line: None, message })
    };
    let is_whole = |value: &Value| value.is_i64() || value.as_str().is_some_and(|text| text.parse::<i64>().is_ok());
    match value {
        Value::Mapping(map) => {
            let mut before: Option<(&str, &Value)> = None;
            for (key, item) in map {
                let key = key.as_str().unwrap_or_default();
                match before {
                    Some((last, first))
                        if item.is_null() && is_fraction(key) && LISTS.contains(&last) && is_whole(first) =>
                    {
                        let message = format!("a list is written in square brackets: [{}, {key}]", text(first));
                        return Err(Fault { key: join(path, last), line: None, message });
                    }
                    Some((last, whole)) if item.is_null() && is_fraction(key) && is_whole(whole) => {
                        return refuse(join(path, last), whole, key);
                    }
                    _ => check_commas(&join(path, key), key, item)?,
                }
                before = Some((key, item));
            }
            Ok(())
        }
        Value::Sequence(items) => {
            for (i, pair) in items.windows(2).enumerate() {
                if let (whole, Some(fraction)) = (&pair[0], pair[1].as_str())
                    && whole.is_i64()
                    && fraction.starts_with('0')
                    && is_fraction(fraction)
                {
                    return refuse(format!("{path}[{i}]"), whole, fraction);
                }
            }
            match items.as_slice() {
                [whole, fraction, ..] if name == "betas" && items.len() > 2 && whole.is_i64() && fraction.is_i64() => {
                    let fraction = fraction.as_i64().unwrap_or_default().to_string();
                    refuse(format!("{path}[0]"), whole, &fraction)
                }
                _ => items.iter().enumerate().try_for_each(|(i, item)| check_commas(&format!("{path}[{i}]"), "", item)),
            }
        }
        _ => Ok(()),
    }
}

/// Replaces each merge key (`<<: *other`, `<<: [*a, *b]`) by the keys of the maps that it names. A map's own keys win, then
/// those of the maps that are named first.
fn join_merge_keys(path: &str, value: &mut Value) -> Result<(), Fault> {
    match value {
        Value::Mapping(map) => {
            if let Some(named) = map.get("<<").cloned() {
                let inherited = inherited(path, named)?;
                let own = std::mem::take(map);
                for (key, item) in &own {
                    if key.as_str() == Some("<<") {
                        // At the place of the merge key, so that runs keep the order in which they are written.
                        let new = inherited.iter().filter(|(key, _)| !own.contains_key(key));
                        map.extend(new.map(|(key, item)| (key.clone(), item.clone())));
                    } else {
                        map.insert(key.clone(), item.clone());
                    }
                }
            }
            map.iter_mut().try_for_each(|(key, item)| join_merge_keys(&join(path, key.as_str().unwrap_or("")), item))
        }
        Value::Sequence(items) => {
            items.iter_mut().enumerate().try_for_each(|(i, item)| join_merge_keys(&format!("{path}[{i}]"), item))
        }
        _ => Ok(()),
    }
}

/// The keys that a merge key adds.
fn inherited(path: &str, named: Value) -> Result<Mapping, Fault> {
    let maps = match named {
        Value::Sequence(maps) => maps,
        one => vec![one],
    };
    let mut all = Mapping::new();
    for map in maps {
        let Value::Mapping(mut map) = map else {
            let message = "a merge key takes a map or a list of maps, such as `<<: *name` with `&name` at another map";
            return Err(Fault { key: join(path, "<<"), line: None, message: message.to_owned() });
        };
        if let Some(deeper) = map.shift_remove("<<") {
            for (key, item) in inherited(path, deeper)? {
                map.entry(key).or_insert(item);
            }
        }
        for (key, item) in map {
            all.entry(key).or_insert(item);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::TEXTS;
    use crate::study::Source;

    /// Keys whose values are words of a fixed list.
    const WORDS: [&str; 6] = ["lang", "class", "order", "report_epoch", "tables", "show"];

    fn texts<'a>(key: &'a str, value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::String(_) => found.push(key),
            Value::Array(items) => items.iter().for_each(|item| texts(key, item, found)),
            Value::Object(map) => map.iter().for_each(|(key, item)| texts(key, item, found)),
            _ => {}
        }
    }

    /// tests/fixtures/tiny.yaml has every kind of section, comparison, claim and conclusion.
    #[test]
    fn every_key_whose_value_is_text_is_listed() {
        let yaml = include_str!("../../tests/fixtures/tiny.yaml");
        let mut study = serde_json::to_value(Source::from_text(Path::new("tiny.yaml"), yaml).unwrap().study).unwrap();
        study.as_object_mut().unwrap().remove(super::DATA);
        let mut found = Vec::new();
        texts("", &study, &mut found);
        assert!(found.len() > 50, "{found:?}");
        found.retain(|key| !TEXTS.contains(key) && !WORDS.contains(key));
        assert_eq!(found, [""; 0]);
    }
}
