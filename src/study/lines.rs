//! The line of each key of a study, for error messages.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, MarkedYaml, YamlData};
use serde_yaml::Value;

use super::StudyError;

/// Bytes of the paths of all keys of a file. The largest study in the repository has about 300,000.
const MAX_PATH_BYTES: usize = 64 << 20;

/// A study file and the line of each of its keys, `models.slim.layers[0]` and so on.
struct FileLines {
    file: PathBuf,
    lines: HashMap<String, usize>,
    /// The first line of each text after `key: |`, whose line breaks are those of the file.
    texts: HashMap<String, usize>,
}

/// The lines of a study file and of the files that it extends, the extending file first.
#[derive(Default)]
pub(super) struct Lines {
    files: Vec<FileLines>,
    /// For each run of the grid, the place of its value in each list.
    grid_runs: HashMap<String, HashMap<String, usize>>,
    /// What reading the files changed, for the author.
    notes: Vec<String>,
}

/// The place of a key, or of the nearest key above it that has a line.
struct Found<'a> {
    file: &'a Path,
    line: usize,
    /// Whether it is the place of the key itself.
    exact: bool,
    /// The key as it is typed, where that is in `grid` or `defaults`.
    typed: Option<String>,
}

impl Lines {
    /// Adds a file's text, which serde_yaml has already parsed. saphyr parses it again, because it gives lines. If
    /// saphyr fails (the two differ in rare corners of YAML), errors name keys without lines.
    pub(super) fn add(&mut self, file: &Path, yaml: &str) {
        let (mut lines, mut texts) = (HashMap::new(), HashMap::new());
        if let Ok(documents) = MarkedYaml::load_from_str(yaml)
            && let Some(document) = documents.first()
        {
            index(document, "", &mut lines, &mut { MAX_PATH_BYTES });
            // Each line once: a line may have many keys.
            let is_literal = |line: &str| {
                let content = line.split(" #").next().unwrap_or_default().trim_end();
                [": |", ": |-", ": |+"].iter().any(|end| content.ends_with(end))
            };
            let starts_text: Vec<bool> = yaml.lines().map(is_literal).collect();
            let literal = lines.iter().filter(|(_, line)| starts_text.get(line.saturating_sub(1)) == Some(&true));
            texts = literal.map(|(key, line)| (key.clone(), line + 1)).collect();
        }
        self.files.push(FileLines { file: file.to_owned(), lines, texts });
    }

    /// Adds a run that `grid` makes, with the place of its value in each list: errors then name the keys of the grid.
    pub(super) fn add_grid_run(&mut self, run: &str, places: HashMap<String, usize>) {
        self.grid_runs.insert(run.to_owned(), places);
    }

    /// Adds a note for the author.
    pub(super) fn add_note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The notes for the author.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The file and the line of a key, or of the nearest key above it.
    pub(super) fn place(&self, key: &str) -> String {
        match self.find(key) {
            Some(found) => format!("{}:{}", found.file.display(), found.line),
            None => self.files[0].file.display().to_string(),
        }
    }

    /// Takes the item of a list out of the lines of a file and of those that it extends: the later ones move up.
    pub(super) fn remove_item(&mut self, first_file: usize, list: &str, removed: usize) {
        let start = format!("{list}[");
        for file in self.files.iter_mut().skip(first_file) {
            for lines in [&mut file.lines, &mut file.texts] {
                let moved = std::mem::take(lines).into_iter().filter_map(|(key, line)| {
                    let item = key.strip_prefix(&start).and_then(|rest| rest.split_once(']'));
                    match item.and_then(|(place, rest)| Some((place.parse::<usize>().ok()?, rest))) {
                        Some((place, _)) if place == removed => None,
                        Some((place, rest)) if place > removed => Some((format!("{start}{}]{rest}", place - 1), line)),
                        _ => Some((key, line)),
                    }
                });
                *lines = moved.collect();
            }
        }
    }

    /// The first line of a text after `key: |`.
    pub(super) fn line_of_text(&self, key: &str) -> Option<usize> {
        let file = self.files.iter().find(|file| file.lines.contains_key(key))?;
        file.texts.get(key).copied()
    }

    /// The number of files.
    pub(super) fn files(&self) -> usize {
        self.files.len()
    }

    /// Whether a key itself has a line.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.find(key).is_some_and(|found| found.exact)
    }

    /// The error that a key's value is wrong.
    pub(super) fn error(&self, key: &str, message: impl Into<String>) -> StudyError {
        let found = self.find(key);
        let file = found.as_ref().map_or(self.files[0].file.as_path(), |found| found.file).to_owned();
        let line = found.as_ref().map(|found| found.line);
        let key = found.and_then(|found| found.typed).unwrap_or_else(|| key.to_owned());
        StudyError { file, line, key, message: message.into() }
    }

    /// As `error`, for a key of the file that was added last.
    pub(super) fn error_in_last(&self, key: &str, message: impl Into<String>) -> StudyError {
        let last = self.files.len() - 1;
        let lines = &self.files[last].lines;
        let mut rest = key;
        let line = loop {
            match (lines.get(rest), rest.rfind(['.', '['])) {
                (Some(line), _) => break Some(*line),
                (None, Some(end)) => rest = &rest[..end],
                (None, None) => break None,
            }
        };
        StudyError { file: self.files[last].file.clone(), line, key: key.to_owned(), message: message.into() }
    }

    /// The file that has a key; the study's own if none has it.
    pub(super) fn file_of(&self, key: &str) -> &Path {
        self.of(key).map_or(self.files[0].file.as_path(), |(file, _)| file)
    }

    /// The file that has a key, or the nearest key above it; the study's own if none has it.
    pub(super) fn nearest_file(&self, key: &str) -> &Path {
        self.find(key).map_or(self.files[0].file.as_path(), |found| found.file)
    }

    fn find(&self, key: &str) -> Option<Found<'_>> {
        let mut rest = key;
        loop {
            let exact = rest.len() == key.len();
            if let Some((file, line)) = self.of(rest) {
                return Some(Found { file, line, exact, typed: None });
            }
            if let Some(typed) = self.in_grid(rest)
                && let Some((file, line)) = self.of(&typed)
            {
                // What is below the key that has a line is named, too.
                return Some(Found { file, line, exact, typed: self.in_grid(key) });
            }
            // A run's value may come from `defaults`.
            let in_defaults = |key: &str| Some(format!("defaults.{}", key.strip_prefix("runs.")?.split_once('.')?.1));
            if let Some((file, line)) = in_defaults(rest).and_then(|typed| self.of(&typed)) {
                return Some(Found { file, line, exact, typed: in_defaults(key) });
            }
            rest = &rest[..rest.rfind(['.', '['])?];
        }
    }

    /// The key of `grid` that gives a run of the grid this key: `grid.optimizer[1].lr` for `runs.mlp-sgd.optimizer.lr`.
    fn in_grid(&self, key: &str) -> Option<String> {
        let of_run = key.strip_prefix("runs.")?;
        let (run, tail) = of_run.split_once('.').unwrap_or((of_run, ""));
        let places = self.grid_runs.get(run)?;
        if tail.is_empty() {
            return Some("grid".to_owned());
        }
        let (first, below) = tail.split_at(tail.find(['.', '[']).unwrap_or(tail.len()));
        let place = places.get(first).map_or_else(String::new, |place| format!("[{place}]"));
        Some(format!("grid.{first}{place}{below}"))
    }

    fn of(&self, key: &str) -> Option<(&Path, usize)> {
        self.files.iter().find_map(|file| Some((file.file.as_path(), *file.lines.get(key)?)))
    }
}

/// A key inside another one.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A key as text; YAML may read it as a number or a truth value.
fn word(key: &MarkedYaml) -> Option<String> {
    let data = &key.data;
    let number = || data.as_integer().map(|n| n.to_string()).or_else(|| Some(data.as_floating_point()?.to_string()));
    data.as_str().map(str::to_owned).or_else(number).or_else(|| Some(data.as_bool()?.to_string()))
}

/// Adds the keys that a merge key adds to a map, with the lines in which they are written.
fn index_merged(named: &MarkedYaml, path: &str, lines: &mut HashMap<String, usize>, left: &mut usize) {
    let maps = match &named.data {
        YamlData::Sequence(maps) => maps.as_slice(),
        _ => std::slice::from_ref(named),
    };
    for map in maps {
        let mut merged = HashMap::new();
        index(map, path, &mut merged, left);
        for (key, line) in merged {
            lines.entry(key).or_insert(line);
        }
    }
}

/// Adds the lines of the keys in a value, as long as there are bytes left for their paths.
fn index(node: &MarkedYaml, path: &str, lines: &mut HashMap<String, usize>, left: &mut usize) {
    let add = |inner: &str, line: usize, lines: &mut HashMap<String, usize>, left: &mut usize| {
        let Some(rest) = left.checked_sub(inner.len()) else { return false };
        *left = rest;
        lines.insert(inner.to_owned(), line);
        true
    };
    match &node.data {
        YamlData::Mapping(map) => {
            for (key, value) in map {
                let Some(word) = word(key) else { continue };
                if word == "<<" {
                    index_merged(value, path, lines, left);
                }
                let inner = join(path, &word);
                if !add(&inner, key.span.start.line(), lines, left) {
                    return;
                }
                index(value, &inner, lines, left);
            }
        }
        YamlData::Sequence(items) => {
            for (i, item) in items.iter().enumerate() {
                let inner = format!("{path}[{i}]");
                if !add(&inner, item.span.start.line(), lines, left) {
                    return;
                }
                index(item, &inner, lines, left);
            }
        }
        _ => {}
    }
}

/// Whether the paths of all keys in a value have more bytes than [`MAX_PATH_BYTES`]: a long key is part of the path of every key in it.
pub(super) fn has_long_paths(value: &Value) -> bool {
    fn count(value: &Value, path: usize, left: &mut usize) -> Option<()> {
        let mut below = |word: usize, inner: &Value| {
            *left = left.checked_sub(path + word)?;
            count(inner, path + word, left)
        };
        match value {
            Value::Mapping(map) => {
                map.iter().try_for_each(|(key, inner)| below(key.as_str().map_or(0, str::len) + 1, inner))
            }
            Value::Sequence(items) => {
                items.iter().enumerate().try_for_each(|(i, inner)| below(i.to_string().len() + 2, inner))
            }
            Value::Tagged(tagged) => count(&tagged.value, path, left),
            _ => Some(()),
        }
    }
    count(value, 0, &mut { MAX_PATH_BYTES }).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_long_paths_are_found_and_take_little_memory() {
        let children = |key: usize| format!("? {}\n:\n{}", "k".repeat(key), "  - x\n".repeat(20_000));
        for (key, is_long) in [(100, false), (1 << 16, true)] {
            let yaml = children(key);
            assert_eq!(has_long_paths(&serde_yaml::from_str(&yaml).unwrap()), is_long);
            let mut lines = Lines::default();
            lines.add(Path::new("s.yaml"), &yaml);
            let bytes: usize = lines.files[0].lines.keys().map(String::len).sum();
            assert!(bytes <= MAX_PATH_BYTES, "{bytes}");
            assert_eq!(lines.contains(&format!("{}[19999]", "k".repeat(key))), !is_long);
        }
    }
}
