//! The report's language: its phrases, and how it writes numbers.
//!
//! Owns the reading of a catalogue (templates/LANG.yaml) and the forms of nouns by number; the words are the
//! catalogue's. What a study itself says is in the study's language, and is not translated.

use anyhow::{Context, Result, anyhow, bail};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use serde_yaml::Value as Yaml;

use crate::text::Lang;
use crate::text::numbers::Form;

/// A language with its phrases.
pub struct Language {
    pub lang: Lang,
    pub numbers: Form,
    phrases: Vec<(String, String)>,
    plain: Environment<'static>,
}

impl Language {
    /// Reads a catalogue: YAML, maps of maps of phrases.
    ///
    /// # Errors
    /// No YAML, a value that is no phrase, or a phrase that is no template; with its key.
    pub fn read(lang: Lang, catalogue: &str) -> Result<Self> {
        let file = catalogue_name(lang);
        let yaml: Yaml = serde_yaml::from_str(catalogue).with_context(|| format!("template {file}"))?;
        let mut phrases = Vec::new();
        flatten("", &yaml, &mut phrases).with_context(|| format!("template {file}"))?;
        let mut plain = Environment::new();
        prepare(&mut plain, lang);
        add_phrases(&mut plain, &phrases, "").map_err(|e| anyhow!("template {file}: {e}"))?;
        Ok(Self { lang, numbers: Form::of(lang), phrases, plain })
    }

    /// A phrase as plain text.
    ///
    /// # Errors
    /// No such phrase, or a value that it needs and was not given.
    pub fn say(&self, key: &str, values: Value) -> Result<String> {
        let spoken = self.plain.get_template(key).and_then(|phrase| phrase.render(values));
        spoken.map_err(|e| anyhow!("template {}: {key}: {e}", catalogue_name(self.lang)))
    }

    /// A phrase without values.
    ///
    /// # Errors
    /// As `say`.
    pub fn word(&self, key: &str) -> Result<String> {
        self.say(key, ().into())
    }

    /// Gives templates the function `t("key", value=...)`, whose values are escaped as the template's own are, and the
    /// filters of phrases.
    pub(super) fn teach(&self, env: &mut Environment) -> Result<(), Error> {
        prepare(env, self.lang);
        add_phrases(env, &self.phrases, ".phrase.html")?;
        add_phrases(env, &self.phrases, ".phrase.md")?;
        env.add_function("t", |state: &State, key: &str, values: minijinja::value::Kwargs| -> Result<Value, Error> {
            let markup = Markup::of(state);
            let suffix = match markup {
                Markup::Html => ".phrase.html",
                _ => ".phrase.md",
            };
            let phrase = state.env().get_template(&format!("{key}{suffix}")).map_err(|e| match e.kind() {
                ErrorKind::TemplateNotFound => Error::new(ErrorKind::InvalidOperation, format!("no phrase `{key}`")),
                _ => e,
            })?;
            let text = phrase.render(Value::from(values))?;
            Ok(Value::from_safe_string(if markup == Markup::Html { tie(&text) } else { text }))
        });
        Ok(())
    }
}

/// The catalogue's file below templates/.
pub fn catalogue_name(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "en.yaml",
        Lang::Uk => "uk.yaml",
    }
}

/// What a template writes, by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    Html,
    Markdown,
    Plain,
}

impl Markup {
    pub(super) fn of(state: &State) -> Self {
        match state.name() {
            name if name.ends_with(".html.j2") || name.ends_with(".phrase.html") => Self::Html,
            name if name.ends_with(".md.j2") || name.ends_with(".phrase.md") => Self::Markdown,
            _ => Self::Plain,
        }
    }

    /// Text between marks: a pair for HTML, one for Markdown; without them in plain text.
    fn around(self, text: &Value, html: &str, markdown: &str) -> Value {
        match self {
            Self::Html => {
                let inner = text.to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                Value::from_safe_string(format!("<{html}>{inner}</{html}>"))
            }
            Self::Markdown => {
                let inner = super::templates::markdown_escape(&text.to_string());
                Value::from_safe_string(format!("{markdown}{inner}{markdown}"))
            }
            Self::Plain => text.clone(),
        }
    }
}

/// Text in which a number stays on the line of its percent sign.
pub(super) fn tie(text: &str) -> String {
    text.replace(" %", "\u{a0}%")
}

/// The filters of phrases, and how their values are escaped.
fn prepare(env: &mut Environment, lang: Lang) {
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|name| match name {
        name if name.ends_with(".html.j2") || name.ends_with(".phrase.html") => AutoEscape::Html,
        name if name.ends_with(".phrase.md") => AutoEscape::Custom("markdown".into()),
        _ => AutoEscape::None,
    });
    env.set_formatter(|out, state, value| match state.auto_escape() {
        AutoEscape::Custom(_) if value.is_safe() => write!(out, "{value}").map_err(Error::from),
        AutoEscape::Custom(_) => {
            write!(out, "{}", super::templates::markdown_escape(&value.to_string())).map_err(Error::from)
        }
        _ => minijinja::escape_formatter(out, state, value),
    });
    let form = Form::of(lang);
    env.add_filter("count", move |n: u64| form.count(n));
    env.add_filter("plural", move |n: u64, forms: minijinja::value::Rest<String>| plural(lang, n, &forms));
    env.add_filter("em", |state: &State, text: Value| Markup::of(state).around(&text, "em", "*"));
    env.add_filter("sup", |state: &State, text: Value| match Markup::of(state) {
        // Markdown has no raised digits.
        Markup::Html => Markup::Html.around(&text, "sup", ""),
        _ => Value::from_safe_string(format!("^{text}")),
    });
    env.add_filter("code", |state: &State, text: Value| match Markup::of(state) {
        Markup::Markdown => Value::from_safe_string(super::templates::code_span(&text.to_string())),
        other => other.around(&text, "code", ""),
    });
}

fn add_phrases(env: &mut Environment, phrases: &[(String, String)], suffix: &str) -> Result<(), Error> {
    for (key, text) in phrases {
        env.add_template_owned(format!("{key}{suffix}"), text.clone())?;
    }
    Ok(())
}

fn flatten(above: &str, yaml: &Yaml, phrases: &mut Vec<(String, String)>) -> Result<()> {
    match yaml {
        Yaml::Mapping(map) => map.iter().try_for_each(|(key, value)| {
            let key = key.as_str().with_context(|| format!("{above}: a key that is no word"))?;
            let key = if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
            flatten(&key, value, phrases)
        }),
        Yaml::String(phrase) => {
            phrases.push((above.to_owned(), phrase.clone()));
            Ok(())
        }
        _ => bail!("{above}: no phrase; put it in quotes"),
    }
}

/// The form of a noun or verb for a number (Unicode CLDR, plural rules for whole numbers): English `one`, `other`;
/// Ukrainian `one`, `few`, `many`.
fn plural(lang: Lang, n: u64, forms: &[String]) -> Result<String, Error> {
    let index = match (lang, n % 10, n % 100) {
        (Lang::En, ..) => usize::from(n != 1),
        (Lang::Uk, 1, tens) if tens != 11 => 0,
        (Lang::Uk, 2..=4, tens) if !(12..=14).contains(&tens) => 1,
        (Lang::Uk, ..) => 2,
    };
    let most = match lang {
        Lang::En => 2,
        Lang::Uk => 3,
    };
    if forms.len() != most {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("`plural` needs {most} forms")));
    }
    Ok(forms[index].clone())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use minijinja::context;

    use super::*;
    use crate::report::Templates;

    fn languages() -> [Language; 2] {
        [Lang::En, Lang::Uk].map(|lang| Templates::built_in().language(lang).unwrap())
    }

    /// The values that each phrase takes.
    fn values(language: &Language) -> BTreeMap<String, BTreeSet<String>> {
        let needs = |key: &str| language.plain.get_template(key).unwrap().undeclared_variables(false);
        language.phrases.iter().map(|(key, _)| (key.clone(), needs(key).into_iter().collect())).collect()
    }

    #[test]
    fn every_language_has_the_same_phrases_of_the_same_values() {
        let [english, ukrainian] = languages();
        assert!(english.phrases.len() > 200);
        assert_eq!(values(&english), values(&ukrainian));
        let no_key_twice = |l: &Language| l.phrases.iter().map(|(k, _)| k).collect::<BTreeSet<_>>().len();
        assert_eq!(no_key_twice(&english), english.phrases.len());
    }

    #[test]
    fn nouns_take_their_form_from_the_number() {
        let forms = |lang, forms: &[&str], numbers: &[u64]| -> Vec<String> {
            let forms: Vec<String> = forms.iter().map(|f| (*f).to_owned()).collect();
            numbers.iter().map(|n| plural(lang, *n, &forms).unwrap()).collect()
        };
        assert_eq!(forms(Lang::En, &["run", "runs"], &[0, 1, 2, 21]), ["runs", "run", "runs", "runs"]);
        let ukrainian =
            forms(Lang::Uk, &["епоха", "епохи", "епох"], &[0, 1, 2, 4, 5, 11, 12, 14, 21, 22, 25, 111, 112]);
        assert_eq!(
            ukrainian,
            [
                "епох",
                "епоха",
                "епохи",
                "епохи",
                "епох",
                "епох",
                "епох",
                "епох",
                "епоха",
                "епохи",
                "епох",
                "епох",
                "епох"
            ]
        );
        assert!(plural(Lang::Uk, 1, &["епоха".into(), "епохи".into()]).is_err());
    }

    #[test]
    fn a_phrase_is_escaped_for_what_it_stands_in() {
        let catalogue = "a: {b: \"{{ x }} in {{ 'f|g'|code }} & {{ 'so'|em }}\"}";
        let language = Language::read(Lang::En, catalogue).unwrap();
        assert_eq!(language.say("a.b", context! { x => "<i>*" }).unwrap(), "<i>* in f|g & so");
        let mut env = Environment::new();
        language.teach(&mut env).unwrap();
        env.add_template("r.html.j2", "{{ t('a.b', x='<i>*') }}").unwrap();
        env.add_template("r.md.j2", "{{ t('a.b', x='<i>*') }}").unwrap();
        let shown = |name: &str| env.get_template(name).unwrap().render(()).unwrap();
        assert_eq!(shown("r.html.j2"), "&lt;i&gt;* in <code>f|g</code> & <em>so</em>");
        assert_eq!(shown("r.md.j2"), "\\<i\\>\\* in `f|g` & *so*");
        let said = language.say("a.b", ().into()).unwrap_err().to_string();
        assert!(said.contains("en.yaml") && said.contains("a.b"), "{said}");
        for broken in ["a: 3", "a: [b]", "a: \"{{\"", "a: {b"] {
            assert!(Language::read(Lang::Uk, broken).is_err(), "{broken}");
        }
    }
}
