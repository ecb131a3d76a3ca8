//! Texts in several languages: `{en: ..., uk: ...}` in the place of a text, and the languages that a study lists.

use serde_yaml::{Mapping, Value};

use super::StudyError;
use super::lines::{Lines, join};
use super::messages::plain;
use super::yaml::{DATA, PROSE};
use crate::text::{Lang, Languages, LanguagesError};

/// What to write for several languages.
const HOW_TO_LIST: &str = "write one language, `en` or `uk`, or a list of both: [uk, en]";

/// The languages of a study's own texts, the first of which is its default.
pub(super) fn listed(lines: &Lines, study: &Mapping) -> Result<Languages, StudyError> {
    let read = |value: &Value, key: &str| {
        serde_yaml::from_value(value.clone()).map_err(|e| lines.error(key, plain(&e.to_string())))
    };
    // `{uk, en}`, as the texts beside it are written, or `uk, en`.
    let is_of_several = |value: &Value| {
        value.is_mapping() || value.as_str().is_some_and(|text| text.contains([',', ' ', ';', '/', '+']))
    };
    let all = match study.get("lang") {
        Some(Value::Sequence(items)) if items.iter().any(is_of_several) => return Err(lines.error("lang", HOW_TO_LIST)),
        Some(one) if is_of_several(one) => return Err(lines.error("lang", HOW_TO_LIST)),
        None | Some(Value::Null) => vec![Lang::default()],
        Some(Value::Sequence(items)) => {
            let each = items.iter().enumerate().map(|(i, item)| read(item, &format!("lang[{i}]")));
            each.collect::<Result<Vec<Lang>, _>>()?
        }
        Some(one) => vec![read(one, "lang")?],
    };
    Languages::try_from(all).map_err(|e| match e {
        LanguagesError::Empty => lines.error("lang", e.to_string()),
        LanguagesError::Twice { index, .. } => lines.error(&format!("lang[{index}]"), e.to_string()),
    })
}

/// Replaces each text in several languages by that in one of them, and `lang` by that language. Every text must be in all
/// languages of the study.
pub(super) fn choose(lines: &Lines, study: &mut Mapping, all: &[Lang], lang: Lang) -> Result<(), StudyError> {
    study.insert("lang".into(), lang.code().into());
    choose_in(lines, "", study, all, lang)
}

fn choose_in(lines: &Lines, path: &str, map: &mut Mapping, all: &[Lang], lang: Lang) -> Result<(), StudyError> {
    for (key, value) in map.iter_mut() {
        let Some(key) = key.as_str().filter(|key| !(path.is_empty() && *key == DATA)) else { continue };
        let at = join(path, key);
        if let Value::Mapping(texts) = value
            && is_by_language(key, texts)
        {
            *value = chosen(lines, &at, texts, all, lang)?;
        }
        if let Value::Sequence(items) = value {
            choose_items(lines, key, &at, items, all, lang)?;
        }
        choose_below(lines, &at, value, all, lang)?;
    }
    Ok(())
}

/// Replaces the texts in several languages of a list of texts.
fn choose_items(
    lines: &Lines,
    key: &str,
    at: &str,
    items: &mut [Value],
    all: &[Lang],
    lang: Lang,
) -> Result<(), StudyError> {
    for (i, item) in items.iter_mut().enumerate() {
        if let Value::Mapping(texts) = item
            && is_by_language(key, texts)
        {
            *item = chosen(lines, &format!("{at}[{i}]"), texts, all, lang)?;
        }
    }
    Ok(())
}

fn choose_below(lines: &Lines, at: &str, value: &mut Value, all: &[Lang], lang: Lang) -> Result<(), StudyError> {
    match value {
        Value::Mapping(map) => choose_in(lines, at, map, all, lang),
        Value::Sequence(items) => items
            .iter_mut()
            .enumerate()
            .try_for_each(|(i, item)| choose_below(lines, &format!("{at}[{i}]"), item, all, lang)),
        _ => Ok(()),
    }
}

/// Whether a map holds a text by language. A model or run may be named `title` or `en`, so both must fit.
fn is_by_language(key: &str, map: &Mapping) -> bool {
    let is_code = |key: &Value| Lang::ALL.iter().any(|lang| key == lang.code());
    PROSE.contains(&key) && !map.is_empty() && map.keys().any(is_code)
}

/// Keys of texts that are the same in every language: names of people and of their groups. A work is cited in the language in
/// which it was written.
const UNTRANSLATED: [&str; 3] = ["author", "group", "references"];

/// The texts of a study that are not given by language, each with a language whose report it does not fit.
pub(super) fn untranslated(study: &Mapping) -> Vec<(String, Lang)> {
    let mut found = Vec::new();
    find_untranslated("", study, &mut found);
    found
}

fn find_untranslated(path: &str, map: &Mapping, found: &mut Vec<(String, Lang)>) {
    for (key, value) in map {
        let Some(key) = key.as_str().filter(|key| !(path.is_empty() && *key == DATA)) else { continue };
        let at = join(path, key);
        let mut check = |at: String, value: &Value| match value {
            Value::String(text) if PROSE.contains(&key) && !UNTRANSLATED.contains(&key) => {
                found.extend(Lang::ALL.into_iter().find(|lang| is_foreign(text, *lang)).map(|lang| (at, lang)));
            }
            Value::Mapping(map) if !is_by_language(key, map) => find_untranslated(&at, map, found),
            _ => {}
        };
        match value {
            Value::Sequence(items) => items.iter().enumerate().for_each(|(i, item)| check(format!("{at}[{i}]"), item)),
            value => check(at, value),
        }
    }
}

/// Whether a text is obviously in another language. Names and terms, such as `Adam, lr 0.01`, fit into every language, and so
/// do codes such as `КН-31`.
fn is_foreign(text: &str, lang: Lang) -> bool {
    let is_cyrillic = |c: char| ('\u{400}'..='\u{52f}').contains(&c);
    let words = |text: &str| -> Vec<String> {
        let outside = text.split("{{").map(|part| part.split_once("}}").map_or(part, |(_, rest)| rest));
        outside.flat_map(|part| part.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    match lang {
        Lang::En => {
            let is_code = |word: &&str| word.contains(|c: char| c.is_ascii_digit());
            let words = text.split_whitespace().filter(|word| !is_code(word));
            words.flat_map(str::chars).filter(|c| is_cyrillic(*c)).count() > 2
        }
        Lang::Uk => {
            let words = words(text);
            let is_english =
                |word: &String| word.len() > 2 && word.chars().all(|c| c.is_ascii_lowercase() || ",.;:?!".contains(c));
            !text.chars().any(is_cyrillic) && words.len() > 1 && words.iter().any(is_english)
        }
    }
}

/// A text in one language.
fn chosen(lines: &Lines, at: &str, texts: &Mapping, all: &[Lang], lang: Lang) -> Result<Value, StudyError> {
    for (key, text) in texts {
        let key = key.as_str().unwrap_or_default();
        // A study that extends this one may have fewer languages, so texts in others are left alone.
        if !Lang::ALL.iter().any(|lang| lang.code() == key) {
            let codes = Lang::ALL.map(|lang| format!("`{}`", lang.code())).join(" and ");
            // `{en: Overfitting, and its cause}` is a map of two keys.
            let is_text = text.is_null() || key.contains(' ');
            // `uk: |` and lines below it that are not deeper.
            let is_shallow = texts.values().any(|text| text.as_str() == Some(""));
            let comma = if is_shallow {
                "; the lines of a text after `|` must be indented deeper than its key"
            } else if is_text {
                "; a text with a comma must be in quotes"
            } else {
                ""
            };
            return Err(
                lines.error(&join(at, key), format!("unknown language `{key}`; a text may be in {codes}{comma}"))
            );
        }
        // Several authors are a list, and so are the classes of a data set.
        let is_text = text.is_string()
            || (["author", "data.classes"].contains(&at)
                && text.as_sequence().is_some_and(|names| names.iter().all(Value::is_string)));
        if !is_text {
            return Err(lines.error(&join(at, key), "expected a text"));
        }
    }
    if let Some(missing) = all.iter().find(|lang| !texts.contains_key(lang.code())) {
        let message =
            format!("has no text in `{}`, a language of this study: add `{}: ...`", missing.code(), missing.code());
        return Err(lines.error(at, message));
    }
    Ok(texts.get(lang.code()).cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_other_language_are_found_and_names_are_not() {
        let study = "
lang: [uk, en]
title: {uk: Мережа, en: Network}
author: Олена Коваль
group: КН-31
course: Група КНМ-31
institution: КНМ-31
models: {a: {title: Slim network}, b: {title: Slim BN}, c: {title: 'Adam, lr 0.01'}}
sections: [{title: Навчання, text: '{{ runs.the.accuracy }} %'}]
references: [Adam with a reference, Книга]
values: {title: some text here}
";
        let study: Mapping = serde_yaml::from_str(study).unwrap();
        let found = untranslated(&study);
        let found: Vec<(&str, Lang)> = found.iter().map(|(key, lang)| (key.as_str(), *lang)).collect();
        assert_eq!(found, [("course", Lang::En), ("models.a.title", Lang::Uk), ("sections[0].title", Lang::En)]);
    }
}
