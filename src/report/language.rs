//! The phrases of a report's language, and how it writes numbers.
//!
//! A phrase is a small template of its own. What the study says is in the study's language, and is not translated.
//! Phrases that name MNIST or its digits have a form for other data sets, under the same key below `other_data`.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error as TemplateError, ErrorKind, UndefinedBehavior, Value};
use serde_yaml::Value as Yaml;

use super::error::{Error, Result};
use super::inline::{self, InlineStyle, RichText};
use crate::study::Study;
use crate::text::Lang;
use crate::text::numbers::NumberFormat;
use crate::text::without_bom;

/// A language with its phrases.
pub struct Language {
    /// Which language it is.
    pub lang: Lang,
    /// How it writes numbers.
    pub numbers: NumberFormat,
    phrases: Environment<'static>,
    /// The names of the classes, if the data set is not MNIST.
    classes: Option<Vec<String>>,
}

/// Where the catalogue has the phrases for other data sets than MNIST.
const OTHER_DATA: &str = "other_data";

impl Language {
    /// Reads a catalogue: YAML, maps of maps of phrases.
    ///
    /// # Errors
    /// Not YAML, a value that is not a phrase, or a phrase that is not a template; with its key.
    pub fn read(lang: Lang, catalogue: &str) -> Result<Self> {
        let file = catalogue_name(lang);
        let yaml: Yaml =
            serde_yaml::from_str(without_bom(catalogue)).map_err(|source| Error::Catalogue { file, source })?;
        let mut phrases = environment(lang);
        for (key, text) in flatten(file, "", yaml)? {
            let added = phrases.add_template_owned(key.clone(), text);
            added.map_err(|source| Error::Phrase { file, key, source })?;
        }
        Ok(Self { lang, numbers: NumberFormat::of(lang), phrases, classes: None })
    }

    /// The language for a report about a study's data set. Phrases then know its title as `data_title`, unless it is MNIST.
    pub(super) fn about(mut self, study: &Study) -> Self {
        if let Some(data) = study.pinned() {
            self.phrases.add_global("data_title", data.title.clone());
            self.classes = Some(data.classes.clone());
        }
        self
    }

    /// A date as this language prints it: a day, YYYY-MM-DD, as `31.01.2026` in Ukrainian. A year stays as it is.
    pub(super) fn date(&self, date: &str) -> String {
        match (self.lang, &date.split('-').collect::<Vec<_>>()[..]) {
            (Lang::Uk, [year, month, day]) => format!("{day}.{month}.{year}"),
            _ => date.to_owned(),
        }
    }

    /// The name of a class; of MNIST, the digit.
    pub fn class(&self, class: usize) -> String {
        let name = self.classes.as_ref().and_then(|classes| classes.get(class));
        name.map_or_else(|| class.to_string(), Clone::clone)
    }

    /// The names of the classes with their numbers, if the names say more: for figures that have no room for names.
    pub(super) fn numbered_classes(&self) -> Vec<String> {
        let classes = self.classes.iter().flatten().enumerate();
        let named: Vec<(usize, &String)> = classes.filter(|(class, name)| class.to_string() != **name).collect();
        named.into_iter().map(|(class, name)| format!("{class} {name}")).collect()
    }

    /// A phrase with its markup.
    ///
    /// # Errors
    /// No such phrase, or a value that it needs and was not given.
    pub fn text(&self, key: &str, values: Value) -> Result<RichText> {
        let other = format!("{OTHER_DATA}.{key}");
        let other = self.classes.as_ref().and_then(|_| self.phrases.get_template(&other).ok());
        let printed = other.map_or_else(|| self.phrases.get_template(key), Ok).and_then(|phrase| phrase.render(values));
        let failed = |source| Error::Phrase { file: catalogue_name(self.lang), key: key.to_owned(), source };
        printed.map(|text| RichText::from_marked(&text)).map_err(failed)
    }

    /// A phrase without its markup.
    ///
    /// # Errors
    /// As `text`.
    pub fn say(&self, key: &str, values: Value) -> Result<String> {
        Ok(self.text(key, values)?.plain())
    }

    /// A phrase without values or markup.
    ///
    /// # Errors
    /// As `text`.
    pub fn word(&self, key: &str) -> Result<String> {
        self.say(key, ().into())
    }
}

/// The catalogue's file in templates/.
pub(super) fn catalogue_name(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "en.yaml",
        Lang::Uk => "uk.yaml",
    }
}

/// What phrases are rendered in: values without markup of their own, and the filters of phrases.
fn environment(lang: Lang) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_formatter(|out, _, value| out.write_str(&inline::printed(value)).map_err(TemplateError::from));
    let format = NumberFormat::of(lang);
    env.add_filter("count", move |n: u64| format.count(n));
    env.add_filter("plural", move |n: u64, forms: minijinja::value::Rest<String>| plural(lang, n, &forms));
    env.add_filter("quoted", move |titles: Value| -> std::result::Result<String, TemplateError> {
        let each = if titles.kind() == ValueKind::String { vec![titles] } else { titles.try_iter()?.collect() };
        Ok(each.iter().map(|title| quoted(lang, &title.to_string())).collect::<Vec<_>>().join("; "))
    });
    // "“a”, “b” and “c”", with the catalogue's word before the last one.
    env.add_filter("listed", move |titles: Value, word: String| -> std::result::Result<String, TemplateError> {
        let mut each: Vec<String> = titles.try_iter()?.map(|title| quoted(lang, &title.to_string())).collect();
        let last = each.pop().unwrap_or_default();
        Ok(if each.is_empty() { last } else { format!("{} {word} {last}", each.join(", ")) })
    });
    for (name, style) in [("code", InlineStyle::Code), ("em", InlineStyle::Emphasis), ("sup", InlineStyle::Superscript)]
    {
        env.add_filter(name, move |text: String| RichText::styled(style, text).value());
    }
    env
}

/// A title in quotation marks, which it cannot end: a caption would otherwise go on as the title wants.
fn quoted(lang: Lang, title: &str) -> String {
    let [open, close] = match lang {
        Lang::En => ['“', '”'],
        Lang::Uk => ['«', '»'],
    };
    format!("{open}{}{close}", title.replace([open, close], "'"))
}

/// The phrases of a catalogue by their keys, such as `summary.heading`.
fn flatten(file: &'static str, key: &str, yaml: Yaml) -> Result<Vec<(String, String)>> {
    match yaml {
        Yaml::String(phrase) => Ok(vec![(key.to_owned(), phrase)]),
        Yaml::Mapping(map) => {
            let mut phrases = Vec::new();
            for (below, value) in map {
                let Some(below) = below.as_str() else { return Err(Error::NotAPhrase { file, key: key.to_owned() }) };
                let key = if key.is_empty() { below.to_owned() } else { format!("{key}.{below}") };
                phrases.extend(flatten(file, &key, value)?);
            }
            Ok(phrases)
        }
        _ => Err(Error::NotAPhrase { file, key: key.to_owned() }),
    }
}

/// The form of a noun or verb for a number (Unicode CLDR, plural rules for whole numbers): English `one`, `other`;
/// Ukrainian `one`, `few`, `many`, and one more where whole thousands, which are nouns, ask for another case than `many`:
/// `на 5 зображеннях`, but `на 5000 зображень`.
fn plural(lang: Lang, n: u64, forms: &[String]) -> std::result::Result<String, TemplateError> {
    let (counts, index) = match (lang, n % 10, n % 100) {
        (Lang::En, ..) => (2..=2, usize::from(n != 1)),
        (Lang::Uk, 1, tens) if tens != 11 => (3..=4, 0),
        (Lang::Uk, 2..=4, tens) if !(12..=14).contains(&tens) => (3..=4, 1),
        (Lang::Uk, ..) if n > 0 && n.is_multiple_of(1000) && forms.len() == 4 => (3..=4, 3),
        (Lang::Uk, ..) => (3..=4, 2),
    };
    if !counts.contains(&forms.len()) {
        let message = format!("`plural` needs {} forms", counts.start());
        return Err(TemplateError::new(ErrorKind::InvalidOperation, message));
    }
    Ok(forms[index].clone())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::report::Templates;

    /// The values that each phrase takes.
    fn values(language: &Language) -> BTreeMap<String, BTreeSet<String>> {
        let phrases = language.phrases.templates();
        phrases.map(|(key, t)| (key.to_owned(), t.undeclared_variables(false).into_iter().collect())).collect()
    }

    #[test]
    fn every_language_has_the_same_phrases_with_the_same_values() {
        let catalogues = Lang::ALL.map(|lang| (lang, values(&Templates::built_in().language(lang).unwrap())));
        let (_, english) = &catalogues[0];
        assert!(english.len() > 200);
        for (lang, phrases) in &catalogues {
            assert_eq!(phrases, english, "{lang:?}");
        }
        // A key that comes twice is not YAML.
        assert!(Language::read(Lang::En, "a: {b: c}\na: {d: e}").is_err());
    }

    #[test]
    fn phrases_for_other_data_stand_for_phrases_and_take_their_values() {
        let language = Templates::built_in().language(Lang::En).unwrap();
        let all = values(&language);
        let others: Vec<(&str, &BTreeSet<String>)> =
            all.iter().filter_map(|(key, values)| Some((key.strip_prefix("other_data.")?, values))).collect();
        assert!(others.len() > 20);
        for (key, values) in others {
            let of_mnist = &all[key];
            let more: Vec<&String> = values.iter().filter(|v| *v != "data_title" && !of_mnist.contains(*v)).collect();
            assert!(more.is_empty(), "{key}: {more:?}");
        }
        // No phrase names digits or MNIST without another form.
        for (key, _) in language.phrases.templates().filter(|(key, _)| !key.starts_with("other_data.")) {
            let source = language.phrases.get_template(key).unwrap();
            let words = source.source().replace("{{ digit", "").replace("digits", "digit").to_lowercase();
            let names = words.replace("mnist-report", "").replace("mnist_report", "").contains("mnist")
                || words.contains(" digit");
            let is_excused = key.starts_with("crate.mnist") || all.contains_key(&format!("other_data.{key}"));
            assert!(!names || is_excused, "{key}: {}", source.source());
        }
    }

    #[test]
    fn a_day_is_printed_as_the_language_writes_it() {
        let printed = |lang, date| Templates::built_in().language(lang).unwrap().date(date);
        assert_eq!([printed(Lang::Uk, "2026-01-31"), printed(Lang::Uk, "2026")], ["31.01.2026", "2026"]);
        assert_eq!([printed(Lang::En, "2026-01-31"), printed(Lang::En, "2026")], ["2026-01-31", "2026"]);
    }

    #[test]
    fn a_list_has_a_word_before_its_last_title() {
        let language = Language::read(Lang::En, r#"a: '{{ titles|listed("and") }}'"#).unwrap();
        let say = |titles: &[&str]| {
            let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
            language.say("a", minijinja::context! { titles }).unwrap()
        };
        assert_eq!(say(&["one"]), "“one”");
        assert_eq!(say(&["one", "two"]), "“one” and “two”");
        assert_eq!(say(&["one", "two", "three"]), "“one”, “two” and “three”");
    }

    #[test]
    fn errors_name_the_file_and_the_key() {
        let language = Language::read(Lang::En, "a: {b: \"{{ x }}\"}").unwrap();
        let error = language.say("a.b", ().into()).unwrap_err().to_string();
        assert!(error.contains("en.yaml") && error.contains("a.b"), "{error}");
        for broken in ["a: 3", "a: [b]", "a: \"{{\"", "a: {b"] {
            assert!(Language::read(Lang::Uk, broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn nouns_take_their_form_from_the_number() {
        let forms = |lang, forms: &[&str], numbers: &[u64]| -> String {
            let forms: Vec<String> = forms.iter().map(|f| (*f).to_owned()).collect();
            numbers.iter().map(|n| format!("{n} {}, ", plural(lang, *n, &forms).unwrap())).collect()
        };
        assert_eq!(
            forms(Lang::En, &["run", "runs"], &[0, 1, 2, 11, 21, 101]),
            "0 runs, 1 run, 2 runs, 11 runs, 21 runs, 101 runs, "
        );
        let numbers = [0, 1, 2, 4, 5, 11, 12, 14, 21, 22, 25, 101, 111, 112];
        assert_eq!(
            forms(Lang::Uk, &["епоха", "епохи", "епох"], &numbers),
            "0 епох, 1 епоха, 2 епохи, 4 епохи, 5 епох, 11 епох, 12 епох, 14 епох, 21 епоха, 22 епохи, 25 епох, \
             101 епоха, 111 епох, 112 епох, "
        );
        assert!(plural(Lang::Uk, 1, &["епоха".into(), "епохи".into()]).is_err());
        let forms = ["зображенні", "зображеннях", "зображеннях", "зображень"].map(String::from);
        let given = [1, 2, 100, 1000, 60_000, 60_001].map(|n| plural(Lang::Uk, n, &forms).unwrap());
        assert_eq!(given, ["зображенні", "зображеннях", "зображеннях", "зображень", "зображень", "зображенні"]);
    }
}
