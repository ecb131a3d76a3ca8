//! Reading a study file: YAML, `extends`, the defaults of runs, and the types.
//!
//! Longer than 400 lines because the limits on hostile studies are beside what they bound.

use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};

use super::StudyError;
use super::advice::advice;
use super::aliases::check_expansion;
use super::braces::{depth, depth_in_braces, in_braces, looks_at_brackets};
use super::data::DataSpec;
use super::grid::{self, GridChanges};
use super::languages;
use super::lines::{Lines, has_long_paths, join};
use super::merge::{fill_defaults, merge};
use super::near_file::near_study;
use super::only::Only;
use super::spec::Study;
use super::type_error::{empty_key, explained};
use super::unquoted::cut_texts;
use super::yaml::{DATA, Fault, PROSE, ambiguous_line, as_typed, decoded};
use crate::paths;
use crate::text::terminal::is_hidden;
use crate::text::unseen::complaint;
use crate::text::without_bom;
use crate::text::{Lang, Languages};

/// The largest study file in the repository has 54 KB.
const MAX_BYTES: u64 = 4 << 20;
/// The YAML reader's time grows with the square of the nesting depth, so nested brackets could keep it busy for minutes.
/// The largest study in the repository has about a thousand brackets.
const MAX_BRACKETS: usize = 20_000;
/// How often the YAML reader may look at an open bracket: two seconds. The most in the repository is 11,000.
const MAX_LOOKS: usize = 300_000_000;
/// Items of a list.
const MAX_LIST: usize = 10_000;
/// A longer chain of `extends` is almost certainly a cycle.
const MAX_EXTENDS: usize = 4;
/// Longer expressions and sentences could overflow the stack of their parser. The longest in the
/// repository has about 1,500 bytes.
const MAX_EXPRESSION: usize = 4000;
/// Brackets inside each other in an expression. Each level is parsed and evaluated by a function that calls itself. The deepest in the
/// repository has 4.
const MAX_DEPTH: usize = 64;
/// A longer text of the study's own words belongs into a document of its own; its parser must not take long.
const MAX_OWN_WORDS: usize = 32_000;
/// Each expression may take milliseconds; more claims or conclusions would keep a grader's machine busy. The most in the
/// repository are 108.
const MAX_CLAIMS: usize = 1000;

/// Bytes of all texts that a report prints: aliases can repeat a text many times.
const MAX_PROSE: usize = 5 << 20;

/// A study file, read together with the files that it extends.
pub struct Source {
    lines: Lines,
    /// The text that a bundle stores: the file's own, or the merged study if it extends another.
    pub yaml: String,
    /// The study, with `extends` and `defaults` filled in.
    pub study: Study,
    /// The languages of the study's texts, its default first.
    pub languages: Languages,
    /// Texts that are not given by language, each with a language whose report it does not fit.
    pub(super) untranslated: Vec<(String, Lang)>,
    /// What the study says itself of the runs of its grid.
    pub(super) grid_changes: GridChanges,
}

impl Source {
    /// Reads a study into its types. Whether the parts fit together is checked by `Plan::resolve`.
    ///
    /// # Errors
    /// An unreadable file, YAML that does not parse, unknown or missing keys, values of the wrong type.
    pub fn load(file: &Path) -> Result<Self, StudyError> {
        Self::load_in(file, None)
    }

    /// As [`Source::load`], with the texts in another language than the study's default, if it has them.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn load_in(file: &Path, lang: Option<Lang>) -> Result<Self, StudyError> {
        let mut lines = Lines::default();
        let text = read(file)?;
        let merged = load_merged(file, &text, &mut lines)?;
        let yaml = if lines.files() == 1 {
            text
        } else {
            serde_yaml::to_string(&Value::Mapping(merged.clone()))
                .map_err(|e| StudyError::of_file(file, format!("cannot be written as YAML: {e}")))?
        };
        Self::from_map(lines, merged, yaml, lang)
    }

    /// Reads a study from text, such as a bundle's study.yaml.
    ///
    /// # Errors
    /// As [`Source::load`]; `extends` is refused, because a bundle's study is complete.
    pub fn from_text(file: &Path, yaml: &str) -> Result<Self, StudyError> {
        Self::from_text_in(file, yaml, None)
    }

    /// As [`Source::from_text`], with the texts in another language than the study's default, if it has them.
    ///
    /// # Errors
    /// As [`Source::from_text`].
    pub fn from_text_in(file: &Path, yaml: &str, lang: Option<Lang>) -> Result<Self, StudyError> {
        let mut lines = Lines::default();
        let map = parse(file, yaml, &mut lines)?;
        if map.contains_key("extends") {
            return Err(lines.error("extends", "a bundle's study is complete and extends nothing"));
        }
        Only::refuse(&lines, &map)?;
        Self::from_map(lines, map, yaml.to_owned(), lang)
    }

    fn from_map(mut lines: Lines, mut map: Mapping, yaml: String, lang: Option<Lang>) -> Result<Self, StudyError> {
        let grid_changes = grid::expand(&mut lines, &mut map)?;
        fill_defaults(&lines, &mut map)?;
        let languages = languages::listed(&lines, &map)?;
        let lang = lang.filter(|lang| languages.all().contains(lang)).unwrap_or(languages.default_language());
        let untranslated = languages::untranslated(&map);
        languages::choose(&lines, &mut map, languages.all(), lang)?;
        let map = Value::Mapping(map);
        check_hidden(&lines, "", &map)?;
        let prose = prose_bytes("", &map);
        if prose > MAX_PROSE {
            let (found, most) = (prose.div_ceil(1 << 20), MAX_PROSE >> 20);
            return Err(lines.error("", format!("its texts have {found} MiB; a report prints at most {most}")));
        }
        let study = serde_path_to_error::deserialize(map.clone())
            .map_err(|e| explained(&lines, &map, &e.path().to_string(), &e.inner().to_string()))?;
        let source = Self { lines, yaml, study, languages, untranslated, grid_changes };
        source.check_lengths()?;
        Ok(source)
    }

    /// Refuses expressions and sentences that would overflow the stack or take too long.
    fn check_lengths(&self) -> Result<(), StudyError> {
        for (key, count) in [("claims", self.study.claims.len()), ("conclusions", self.study.conclusions.len())] {
            if count > MAX_CLAIMS {
                return Err(self.error(key, format!("{count}: at most {MAX_CLAIMS} are supported")));
            }
        }
        let with_values = || self.study.sentences().chain(self.study.own_words());
        let mut texts = self.study.expressions().chain(self.study.sentences());
        if let Some((key, _)) = texts.find(|(_, text)| text.chars().count() > MAX_EXPRESSION) {
            return Err(self.error(key, format!("is longer than {MAX_EXPRESSION} characters: split it")));
        }
        let deep = self.study.expressions().find(|(_, text)| depth(text) > MAX_DEPTH);
        let deep = deep.or_else(|| with_values().find(|(_, text)| depth_in_braces(text) > MAX_DEPTH));
        if let Some((key, _)) = deep {
            return Err(self.error(key, format!("has brackets more than {MAX_DEPTH} deep: split it")));
        }
        if let Some((key, _)) = self.study.own_words().find(|(_, text)| text.len() > MAX_OWN_WORDS) {
            return Err(self.error(key, format!("is longer than {MAX_OWN_WORDS} bytes")));
        }
        match self.study.own_words().find(|(_, text)| in_braces(text) > MAX_EXPRESSION) {
            Some((key, _)) => {
                let message = format!("has more than {MAX_EXPRESSION} bytes between braces: print fewer values");
                Err(self.error(key, message))
            }
            None => Ok(()),
        }
    }

    /// The study in another of its languages.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn in_language(&self, lang: Lang) -> Result<Self, StudyError> {
        Self::from_text_in(self.lines.file_of(""), &self.yaml, Some(lang))
    }

    /// The study as it would be with another study's grid. What it says of single runs of its own grid goes with them.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub(super) fn with_grid_of(&self, other: &Self, lang: Option<Lang>) -> Result<Self, StudyError> {
        let mut lines = Lines::default();
        let theirs = parse(other.lines.file_of(""), &other.yaml, &mut Lines::default())?;
        let mut map = parse(self.lines.file_of(""), &self.yaml, &mut lines)?;
        map.insert("grid".into(), theirs.get("grid").cloned().unwrap_or_default());
        let axes = other.study.grid.as_ref().map(grid::axes).unwrap_or_default();
        if let Some(Value::Mapping(runs)) = map.get_mut("runs") {
            grid::keep_changes(runs, &self.grid_changes, &axes);
        }
        Self::from_map(lines, map, self.yaml.clone(), lang)
    }

    /// The study with its texts in each of its languages but those that are `known`.
    ///
    /// # Errors
    /// As [`Source::from_text`].
    pub fn in_languages_but(&self, known: &[Lang]) -> Result<Vec<Self>, StudyError> {
        let others = self.languages.all().iter().filter(|lang| !known.contains(lang));
        others.map(|lang| self.in_language(*lang)).collect()
    }

    /// The folder of the file that sets a key.
    pub(super) fn folder_of(&self, key: &str) -> &Path {
        let file = self.lines.nearest_file(key);
        file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// The folder of the data: the one that the user names; otherwise the study's `data`, relative to the file that sets it;
    /// otherwise `data/mnist` in the current folder, beside the study, or in the repository.
    pub fn data_dir(&self, named: Option<&Path>) -> PathBuf {
        if let Some(named) = named {
            return named.to_owned();
        }
        let Some(data) = self.study.data.as_ref().and_then(DataSpec::dir) else {
            let beside = self.lines.file_of("").parent().unwrap_or(Path::new("")).join(paths::MNIST);
            let is_beside = !Path::new(paths::MNIST).exists() && !paths::is_mnist_named() && beside.exists();
            return if is_beside && self.study.pinned().is_none() { beside } else { paths::mnist() };
        };
        let key = if self.study.pinned().is_some() { "data.dir" } else { "data" };
        self.lines.file_of(key).parent().unwrap_or(Path::new("")).join(data)
    }

    /// What reading the files changed, for the author.
    pub(super) fn notes_of_files(&self) -> &[String] {
        self.lines.notes()
    }

    /// The error that a key's value is wrong, with its file and line. Of a text in several languages, it is that in the
    /// language of this source.
    pub fn error(&self, key: impl AsRef<str>, message: impl Into<String>) -> StudyError {
        self.error_in(self.study.lang, key.as_ref(), message)
    }

    /// As [`Source::error`], for a text in another language of the study.
    pub(super) fn error_in(&self, lang: Lang, key: &str, message: impl Into<String>) -> StudyError {
        self.lines.error(&self.key_in(lang, key), message)
    }

    /// As [`Source::error_in`], in the line of the text before the place of the mistake ends.
    pub(crate) fn error_after(&self, lang: Lang, key: &str, before: &str, message: impl Into<String>) -> StudyError {
        let key = self.key_in(lang, key);
        let error = self.lines.error(&key, message);
        let line = self.lines.line_of_text(&key).map(|first| first + before.matches('\n').count());
        StudyError { line: line.or(error.line), ..error }
    }

    /// The key of a text in a language, if the text is given by language.
    fn key_in(&self, lang: Lang, key: &str) -> String {
        let name = key.rsplit('.').next().and_then(|name| name.split('[').next()).unwrap_or_default();
        let by_language = join(key, lang.code());
        if PROSE.contains(&name) && self.lines.contains(&by_language) { by_language } else { key.to_owned() }
    }
}

/// Refuses invisible characters: in prose, those that make a text look different from what it is; elsewhere, also those
/// that make two words look alike.
fn check_hidden(lines: &Lines, path: &str, value: &Value) -> Result<(), StudyError> {
    let key = path.rsplit('.').next().unwrap_or(path);
    let in_prose = PROSE.contains(&key.split('[').next().unwrap_or(key)) || path.starts_with(DATA);
    match value {
        Value::String(text) => {
            let hidden: String = text.chars().filter(|c| !in_prose || is_hidden(*c)).collect();
            complaint(&hidden).map_or(Ok(()), |message| Err(lines.error(path, message)))
        }
        Value::Sequence(items) => {
            items.iter().enumerate().try_for_each(|(i, item)| check_hidden(lines, &format!("{path}[{i}]"), item))
        }
        Value::Mapping(map) => map.iter().try_for_each(|(key, item)| {
            let key = key.as_str().unwrap_or_default();
            let inner = join(path, key);
            match complaint(key) {
                Some(message) => Err(lines.error(&inner, message)),
                None => check_hidden(lines, &inner, item),
            }
        }),
        _ => Ok(()),
    }
}

/// The first list that is longer than any in a study, and its length.
fn long_list(path: &str, value: &Value) -> Option<(String, usize)> {
    match value {
        Value::Sequence(items) if items.len() > MAX_LIST => Some((path.to_owned(), items.len())),
        Value::Sequence(items) => {
            items.iter().enumerate().find_map(|(i, item)| long_list(&format!("{path}[{i}]"), item))
        }
        Value::Mapping(map) => {
            map.iter().find_map(|(key, item)| long_list(&join(path, key.as_str().unwrap_or_default()), item))
        }
        _ => None,
    }
}

/// Bytes of the texts that a report prints.
fn prose_bytes(key: &str, value: &Value) -> usize {
    match value {
        Value::String(text) if PROSE.contains(&key) => text.len(),
        Value::Sequence(items) => items.iter().map(|item| prose_bytes(key, item)).sum(),
        Value::Mapping(map) => {
            let inner = map.iter().filter(|(key, _)| key.as_str() != Some(DATA));
            inner.map(|(key, item)| prose_bytes(key.as_str().unwrap_or_default(), item)).sum()
        }
        _ => 0,
    }
}

fn load_merged(file: &Path, yaml: &str, lines: &mut Lines) -> Result<Mapping, StudyError> {
    let mut map = parse(file, yaml, lines)?;
    let Some(base) = map.shift_remove("extends") else {
        Only::refuse(lines, &map)?;
        return Ok(map);
    };
    let only = Only::take(lines, &mut map)?;
    let Some(base) = base.as_str() else {
        return Err(lines.error("extends", "must be the path of another study, such as `extends: base.yaml`"));
    };
    if lines.files() > MAX_EXTENDS {
        return Err(lines.error("extends", format!("more than {MAX_EXTENDS} files extend each other: is it a cycle?")));
    }
    let base = file.parent().unwrap_or(Path::new("")).join(base);
    let yaml = read(&base).map_err(|e| {
        let hint = if base.to_string_lossy().contains('\\') { "; separate folders by `/`" } else { "" };
        lines.error_in_last("extends", format!("{e}{hint}"))
    })?;
    let mut merged = load_merged(&base, &yaml, lines)?;
    let removed = grid::removed_runs(&merged, &map);
    merge(&mut merged, map);
    grid::keep_removed(&mut merged, removed);
    if let Some(only) = only {
        only.prune(lines, &mut merged)?;
    }
    Ok(merged)
}

fn read(file: &Path) -> Result<String, StudyError> {
    let refused = |message: String| StudyError::of_file(file, message);
    let meta = std::fs::metadata(file).map_err(|e| refused(format!("cannot be read: {e}{}", near_study(file))))?;
    if !meta.is_file() {
        return Err(refused("is not a file: name a study, such as reports/quick.yaml".into()));
    }
    check_size(file, meta.len())?;
    let bytes = std::fs::read(file).map_err(|e| refused(format!("cannot be read: {e}")))?;
    decoded(bytes).map_err(refused)
}

fn check_size(file: &Path, bytes: u64) -> Result<(), StudyError> {
    if bytes > MAX_BYTES {
        return Err(StudyError::of_file(file, format!("is over {} MiB: not a study", MAX_BYTES >> 20)));
    }
    Ok(())
}

fn parse(file: &Path, yaml: &str, lines: &mut Lines) -> Result<Mapping, StudyError> {
    check_size(file, yaml.len() as u64)?;
    if yaml.bytes().filter(|b| matches!(b, b'[' | b'{')).count() > MAX_BRACKETS {
        let message = format!("holds more than {MAX_BRACKETS} lists and maps: not a study");
        return Err(StudyError::of_file(file, message));
    }
    if looks_at_brackets(yaml) > MAX_LOOKS {
        return Err(StudyError::of_file(file, "has too much inside too many brackets: not a study"));
    }
    let yaml = without_bom(yaml);
    if let Some((line, message)) = ambiguous_line(yaml) {
        return Err(StudyError { line: Some(line), ..StudyError::of_file(file, message) });
    }
    check_expansion(yaml).map_err(|why| StudyError::of_file(file, why))?;
    let value: Value = serde_yaml::from_str(yaml).map_err(|e| {
        let (line, message) = advice(yaml, &e);
        StudyError { line, ..StudyError::of_file(file, message) }
    })?;
    if has_long_paths(&value) {
        return Err(StudyError::of_file(file, "has keys so long, with so many in them, that it is not a study"));
    }
    lines.add(file, yaml);
    if let Some((key, items)) = long_list("", &value) {
        let message = format!("a list of {items} items: no study needs more than {MAX_LIST}");
        return Err(lines.error_in_last(&key, message));
    }
    for (key, line) in cut_texts(yaml) {
        let message = "the text ends before ` #`, which starts a comment; put it in quotes".to_owned();
        let note = StudyError { file: file.to_owned(), line: Some(line), key, message };
        lines.add_note(note.to_string());
    }
    match as_typed(yaml, &value) {
        Ok(Value::Mapping(map)) => match empty_key(lines, &map) {
            Some((key, message)) => Err(lines.error_in_last(&key, message)),
            None => Ok(map),
        },
        Ok(_) => Err(StudyError::of_file(
            file,
            "does not contain a study: a map with `title`, `models` and `runs` is expected",
        )),
        Err(Fault { key, line, message }) => {
            let error = lines.error_in_last(&key, message);
            Err(StudyError { line: error.line.or(line), ..error })
        }
    }
}

#[cfg(test)]
mod tests;
