//! Reading a study file: YAML, `extends`, the runs' defaults, and the line that an error is about.
//!
//! Owns the text and its lines; the meaning of the values is `spec`'s and `plan`'s.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, MarkedYaml, YamlData};
use serde_yaml::{Mapping, Value};

use super::messages::plainly;
use super::spec::Study;
use crate::text::terminal::is_hidden;

/// A study of more text than this is not one: real ones have tens of kilobytes.
const MAX_BYTES: u64 = 4 << 20;
/// More opening brackets than this are no study either, and nested they would keep the YAML reader busy for minutes: its
/// time grows with the square of their depth. The largest study at hand has about a thousand.
const MAX_BRACKETS: usize = 20_000;
/// Studies that extend studies that extend studies: a loop, more likely than a wish.
const MAX_EXTENDS: usize = 4;

/// Longer expressions and sentences could be nested too deep to be read. The longest at hand has 1,442 bytes.
const MAX_EXPRESSION: usize = 4000;
/// Each expression may take milliseconds: more claims, or conclusions, would keep a grader's machine busy. The most at hand
/// are 108.
const MAX_CLAIMS: usize = 1000;

/// What is wrong with a study, and where: `file:line: key: message`.
#[derive(Debug)]
pub struct StudyError {
    pub file: PathBuf,
    pub line: Option<usize>,
    pub key: String,
    pub message: String,
}

impl fmt::Display for StudyError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.message)
    }
}

impl std::error::Error for StudyError {}

/// A study's text and the line of each of its keys, `models.slim.layers[0]` and so on.
struct Text {
    file: PathBuf,
    lines: HashMap<String, usize>,
}

/// A study file with the files that it extends, the extending one first.
pub struct Source {
    texts: Vec<Text>,
    /// What the bundle keeps: the file's own bytes, or the merged study where it extends another.
    pub yaml: String,
    pub study: Study,
}

impl Source {
    /// Reads and types a study; its parts are not yet checked against each other.
    ///
    /// # Errors
    /// `StudyError` with file, line and key: unreadable file, YAML that does not parse, unknown or
    /// missing keys, values of the wrong type.
    pub fn load(file: &Path) -> Result<Self, StudyError> {
        let mut texts = Vec::new();
        let own = read(file)?;
        let merged = load_merged(file, &own, &mut texts)?;
        let yaml = if texts.len() == 1 {
            own
        } else {
            serde_yaml::to_string(&Value::Mapping(merged.clone()))
                .map_err(|e| whole_file(file, format!("cannot be written as YAML: {e}")))?
        };
        Self::typed(texts, merged, yaml)
    }

    /// As `load`, from text: what a bundle's study.yaml holds.
    ///
    /// # Errors
    /// As `load`; `extends` is refused, since a bundle's study stands alone.
    pub fn from_text(file: &Path, yaml: &str) -> Result<Self, StudyError> {
        let (map, text) = parse(file, yaml)?;
        let texts = vec![text];
        if map.contains_key("extends") {
            return Err(at(&texts, "extends", "a bundle's study stands alone".into()));
        }
        Self::typed(texts, map, yaml.to_owned())
    }

    fn typed(texts: Vec<Text>, mut map: Mapping, yaml: String) -> Result<Self, StudyError> {
        fill_defaults(&texts, &mut map)?;
        check_words(&texts, "", &Value::Mapping(map.clone()))?;
        let study = serde_path_to_error::deserialize(Value::Mapping(map)).map_err(|e| {
            let path = e.path().to_string();
            let path = if path == "." { String::new() } else { path };
            let message = plainly(&e.inner().to_string());
            // An unknown key is reported at the map that holds it; its own line says more.
            let own = message
                .strip_prefix("unknown field `")
                .and_then(|rest| rest.split_once('`'))
                .map(|(key, _)| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") });
            match own {
                Some(own) if line_of(&texts, &own).is_some_and(|(_, _, exact)| exact) => at(&texts, &own, message),
                _ => at(&texts, &path, message),
            }
        })?;
        let source = Self { texts, yaml, study };
        source.check_lengths()?;
        Ok(source)
    }

    /// Refuses expressions and sentences that would exhaust the stack of whoever reads them, or the patience.
    fn check_lengths(&self) -> Result<(), StudyError> {
        for (key, count) in [("claims", self.study.claims.len()), ("conclusions", self.study.conclusions.len())] {
            if count > MAX_CLAIMS {
                return Err(self.error(key, format!("{count} of them: at most {MAX_CLAIMS}")));
            }
        }
        let mut texts = self.study.expressions().chain(self.study.sentences());
        match texts.find(|(_, text)| text.len() > MAX_EXPRESSION) {
            Some((key, _)) => Err(self.error(key, format!("is longer than {MAX_EXPRESSION} bytes: part it"))),
            None => Ok(()),
        }
    }

    /// The error for a value that does not fit, at its line.
    pub fn error(&self, key: impl AsRef<str>, message: impl Into<String>) -> StudyError {
        at(&self.texts, key.as_ref(), message.into())
    }
}

/// Refuses words that would show otherwise than they are written.
fn check_words(texts: &[Text], path: &str, value: &Value) -> Result<(), StudyError> {
    let checked = |path: &str, text: &str| match text.chars().find(|c| is_hidden(*c)) {
        Some(c) => {
            Err(at(texts, path, format!("holds U+{:04X}, a character that does not show: take it out", c as u32)))
        }
        None => Ok(()),
    };
    match value {
        Value::String(text) => checked(path, text),
        Value::Sequence(items) => {
            items.iter().enumerate().try_for_each(|(i, item)| check_words(texts, &format!("{path}[{i}]"), item))
        }
        Value::Mapping(map) => map.iter().try_for_each(|(key, item)| {
            let key = key.as_str().unwrap_or_default();
            let inner = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            checked(&inner, key)?;
            check_words(texts, &inner, item)
        }),
        _ => Ok(()),
    }
}

fn whole_file(file: &Path, message: String) -> StudyError {
    StudyError { file: file.to_owned(), line: None, key: String::new(), message }
}

fn too_large(file: &Path) -> StudyError {
    whole_file(file, format!("is over {} MiB: not a study", MAX_BYTES >> 20))
}

fn load_merged(file: &Path, yaml: &str, texts: &mut Vec<Text>) -> Result<Mapping, StudyError> {
    let (mut map, text) = parse(file, yaml)?;
    texts.push(text);
    let Some(base) = map.shift_remove("extends") else { return Ok(map) };
    let Some(base) = base.as_str() else {
        return Err(at(texts, "extends", "must name another study file".into()));
    };
    if texts.len() > MAX_EXTENDS {
        return Err(at(texts, "extends", format!("more than {MAX_EXTENDS} files deep: is it a loop?")));
    }
    let base = file.parent().unwrap_or(Path::new("")).join(base);
    let yaml = read(&base).map_err(|e| at(texts, "extends", e.to_string()))?;
    let mut merged = load_merged(&base, &yaml, texts)?;
    merge(&mut merged, map);
    Ok(merged)
}

fn read(file: &Path) -> Result<String, StudyError> {
    let meta = std::fs::metadata(file).map_err(|e| whole_file(file, format!("cannot be read: {e}")))?;
    if !meta.is_file() {
        return Err(whole_file(file, "is not a file: name a study, like reports/quick.yaml".into()));
    }
    if meta.len() > MAX_BYTES {
        return Err(too_large(file));
    }
    std::fs::read_to_string(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => whole_file(file, "is not text in UTF-8: save it so".into()),
        _ => whole_file(file, format!("cannot be read: {e}")),
    })
}

fn parse(file: &Path, yaml: &str) -> Result<(Mapping, Text), StudyError> {
    if yaml.len() as u64 > MAX_BYTES {
        return Err(too_large(file));
    }
    if yaml.bytes().filter(|b| matches!(b, b'[' | b'{')).count() > MAX_BRACKETS {
        return Err(whole_file(file, format!("holds more than {MAX_BRACKETS} lists and maps: not a study")));
    }
    let value: Value = serde_yaml::from_str(yaml).map_err(|e| StudyError {
        file: file.to_owned(),
        line: e.location().map(|l| l.line()),
        key: String::new(),
        message: format!("is not valid YAML: {e}"),
    })?;
    let mut lines = HashMap::new();
    if let Ok(documents) = MarkedYaml::load_from_str(yaml)
        && let Some(document) = documents.first()
    {
        index_lines(document, String::new(), &mut lines);
    }
    match value {
        Value::Mapping(map) => Ok((map, Text { file: file.to_owned(), lines })),
        _ => Err(whole_file(file, "holds no study: a map with `title`, `models` and `runs` is expected".into())),
    }
}

fn index_lines(node: &MarkedYaml, path: String, lines: &mut HashMap<String, usize>) {
    match &node.data {
        YamlData::Mapping(map) => {
            for (key, value) in map {
                let Some(word) = key.data.as_str() else { continue };
                let inner = if path.is_empty() { word.to_owned() } else { format!("{path}.{word}") };
                lines.insert(inner.clone(), key.span.start.line());
                index_lines(value, inner, lines);
            }
        }
        YamlData::Sequence(items) => {
            for (i, item) in items.iter().enumerate() {
                let inner = format!("{path}[{i}]");
                lines.insert(inner.clone(), item.span.start.line());
                index_lines(item, inner, lines);
            }
        }
        _ => {}
    }
}

/// The file and line of a key, or of the nearest key above it; `true` where it is the key itself.
fn line_of<'a>(texts: &'a [Text], key: &str) -> Option<(&'a Text, usize, bool)> {
    let find = |key: &str| texts.iter().find_map(|t| t.lines.get(key).map(|line| (t, *line)));
    let mut rest = key;
    loop {
        if let Some((text, line)) = find(rest) {
            return Some((text, line, rest.len() == key.len()));
        }
        // A run's value may stand in `defaults`.
        if let Some((_, tail)) = rest.strip_prefix("runs.").and_then(|r| r.split_once('.'))
            && let Some((text, line)) = find(&format!("defaults.{tail}"))
        {
            return Some((text, line, rest.len() == key.len()));
        }
        rest = &rest[..rest.rfind(['.', '['])?];
    }
}

fn at(texts: &[Text], key: &str, message: String) -> StudyError {
    let place = line_of(texts, key);
    StudyError {
        file: place.map_or(&texts[0], |(text, ..)| text).file.clone(),
        line: place.map(|(_, line, _)| line),
        key: key.to_owned(),
        message,
    }
}

/// Keys whose value is a choice: a new one replaces the old one whole instead of joining its keys.
const CHOICES: [&str; 3] = ["optimizer", "schedule", "images"];

/// Keys whose value is a list of maps with an `id`: a new item joins the old one of its id, or comes after them.
const BY_ID: [&str; 2] = ["claims", "conclusions"];

/// Lays `over` on `base`: maps join key by key, lists of `BY_ID` item by item, everything else is replaced, `null`
/// removes.
fn merge(base: &mut Mapping, over: Mapping) {
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
    for item in over {
        let same = |other: &&mut Value| item.get("id").is_some() && other.get("id") == item.get("id");
        match (base.iter_mut().find(same), item) {
            (Some(Value::Mapping(old)), Value::Mapping(new)) => merge(old, new),
            (_, new) => base.push(new),
        }
    }
}

/// Writes `defaults` into each run, so that a run's own keys win, and takes `defaults` out.
fn fill_defaults(texts: &[Text], map: &mut Mapping) -> Result<(), StudyError> {
    let defaults = match map.shift_remove("defaults") {
        None | Some(Value::Null) => Mapping::new(),
        Some(Value::Mapping(defaults)) => defaults,
        Some(_) => return Err(at(texts, "defaults", "must be a map of run settings".into())),
    };
    if let Some(Value::Mapping(runs)) = map.get_mut("runs") {
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

    fn error(yaml: &str) -> String {
        Source::from_text(Path::new("s.yaml"), yaml).err().expect("refused").to_string()
    }

    #[test]
    fn refuses_what_does_not_show_and_what_is_too_long() {
        let study = |title: &str, rest: &str| format!("title: {title}\nmodels: {{}}\nruns: {{}}\n{rest}");
        assert!(Source::from_text(Path::new("s.yaml"), &study("\"Звіт\\n\\tЇ\"", "")).is_ok());
        let message = error(&study("\"T\\e[8m\"", ""));
        assert!(message.starts_with("s.yaml:1: title: holds U+001B"), "{message}");
        let message = error(&study("T", "values: {a: [\"x\u{202e}y\"]}\n"));
        assert!(message.starts_with("s.yaml:4: values.a[0]: holds U+202E"), "{message}");
        let claim = |measured: &str| {
            study(
                "T",
                &format!(
                    "claims:\n- {{id: a, group: g, quote: q, printed: '1', measured: '{measured}', compare: exact}}\n"
                ),
            )
        };
        assert!(Source::from_text(Path::new("s.yaml"), &claim(&"-".repeat(4000))).is_ok());
        let message = error(&claim(&"-".repeat(4001)));
        assert!(message.starts_with("s.yaml:5: claims[0].measured: is longer than 4000 bytes"), "{message}");
        let claims = |count: usize| {
            let claims: String = (0..count)
                .map(|i| {
                    format!("- id: c{i}\n  group: g\n  quote: q\n  printed: '1'\n  measured: '1'\n  compare: exact\n")
                })
                .collect();
            study("T", &format!("claims:\n{claims}"))
        };
        assert!(Source::from_text(Path::new("s.yaml"), &claims(1000)).is_ok());
        assert_eq!(error(&claims(1001)), "s.yaml:4: claims: 1001 of them: at most 1000");
    }

    const HEAD: &str = "title: T\nmodels:\n  m:\n    layers:\n";

    #[test]
    fn names_line_and_key_of_an_unknown_key() {
        let yaml = format!("{HEAD}      - flatten\n      - linear: {{out_feature: 10}}\nruns: {{}}\n");
        let message = error(&yaml);
        assert!(message.starts_with("s.yaml:6: models.m.layers[1].linear.out_feature: unknown field"), "{message}");
    }

    #[test]
    fn names_line_of_a_wrong_type_in_defaults() {
        let yaml = format!("{HEAD}      - flatten\ndefaults:\n  epochs: many\nruns:\n  r: {{model: m}}\n");
        let expected = "s.yaml:7: runs.r.epochs: invalid type: string \"many\", expected a whole number, 0 or more";
        assert_eq!(error(&yaml), expected);
    }

    #[test]
    fn names_the_line_that_extends_a_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.yaml");
        std::fs::write(&file, "title: T\nextends: no.yaml\n").unwrap();
        let message = Source::load(&file).err().expect("refused").to_string();
        assert!(message.starts_with(&format!("{}:2: extends: ", file.display())), "{message}");
        assert!(message.contains("no.yaml: cannot be read"), "{message}");
        std::fs::write(&file, b"title: \xd2\n").unwrap();
        let message = Source::load(&file).err().expect("refused").to_string();
        assert_eq!(message, format!("{}: is not text in UTF-8: save it so", file.display()));
    }

    #[test]
    fn refuses_an_unknown_layer_and_two_layers_in_one_item() {
        let message = error(&format!("{HEAD}      - rellu\nruns: {{}}\n"));
        assert!(message.contains("s.yaml:5: models.m.layers[0]: unknown word `rellu`"), "{message}");
        let message = error(&format!("{HEAD}      - {{relu: {{}}, flatten: {{}}}}\nruns: {{}}\n"));
        assert!(
            message.ends_with("models.m.layers[0]: a layer expected, found two: `relu` and `flatten`"),
            "{message}"
        );
    }

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
    }

    #[test]
    fn a_duplicate_key_is_refused_with_its_line() {
        let message = error("title: a\ntitle: b\n");
        assert!(message.starts_with("s.yaml:"), "{message}");
        assert!(message.contains("duplicate"), "{message}");
    }
}
